"""The present state as Prometheus metrics.

Enters: what `Measured.present` tells. Leaves: text for the scrape. All figures come from the databases, so that each of
several server processes tells the same, and a restart takes nothing back. No label holds anything of a patient.
Spec: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as MEDIA
from prometheus_client.registry import Collector

from ecluse.bus.durations import BOUNDS_S, REQUEST, STAGE, Bucket

__all__ = ["MEDIA", "text"]

MOST_REASONS = 20
"""Of a consumer's dead letters; the others count as `other`."""

CONSUMER = {
    "received": "Resources that the consumer has had events of.",
    "mapped": "Resources whose rows stand in the sink.",
    "withheld": "Resources that the gate keeps back: objections, identities not yet decided.",
    "waiting": "Resources that wait for another one, as for their patient.",
    "dead": "Resources among the dead letters.",
    "removed": "Resources that were deleted or erased.",
    "lag_events": "Events that the consumer has not written yet.",
    "lag_s": "Age of the oldest event that the consumer has not written, in seconds.",
    "processes": "Processes of the consumer, with those that stand by.",
}

PART = {
    "events": ("events", "Events of a partition that the consumer has not written yet."),
    "seconds": ("s", "Age of the oldest event of a partition that the consumer has not written, in seconds."),
}
MEASURES = {
    REQUEST: ("request_s", "How long FHIR requests took until they were answered.", ("interaction", "status")),
    STAGE: ("stage_s", "How long events took until they were stored, relayed, read, written.", ("consumer", "stage")),
}


def text(state: dict[str, Any]) -> bytes:
    """The metrics of this state."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_State(state))
    found: bytes = generate_latest(registry)
    return found


class _State(Collector):
    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every metric, with all its samples."""
        state = self._state
        stored = [((site, name), one["present"]) for site, own in state["stored"].items() for name, one in own.items()]
        yield _gauge("resources", "Resources that stand.", ("site", "type"), stored)
        yield _gauge("outbox_bytes", "What the outbox takes on the disk.", (), [((), state["outbox"]["bytes"])])
        budget = [((), state["outbox"]["budget_bytes"])]
        yield _gauge("outbox_budget_bytes", "What it may take (ECLUSE_EVENTS_BUDGET_BYTES).", (), budget)
        behind = [((), int(state["search_rows"]["behind"]))]
        yield _gauge("search_rows_behind", "Whether search rows of an earlier release are compared.", (), behind)
        undecided = [((), state["subscriptions"]["undecided"])]
        yield _gauge("subscriptions_undecided", "Events that criteria of topics could not decide.", (), undecided)
        writer = [((), state["writer"]["seconds"] if state["writer"] else 0)]
        yield _gauge("oldest_writer_s", "Age of the transaction that holds readers of events back.", (), writer)
        yield from self._relay(state["relay"])
        yield _gauge("alarms", "What an operator has to look at; /health says what.", (), [((), len(state["alarms"]))])
        for name, told in CONSUMER.items():
            rows = [((row["name"],), row[name]) for row in state["consumers"] if row.get(name) is not None]
            yield _gauge(f"consumer_{name}", told, ("consumer",), rows)
        yield from _parts(state["consumers"])
        yield _gauge("alarm_s", "The limit of time of alarms (ECLUSE_ALARM_S).", (), [((), state["alarm_s"])])
        yield from _histograms(state["durations"])
        dead = [((row["name"], *one), count) for row in state["consumers"] for *one, count in _reasons(row)]
        yield _gauge("dead_letters", "Dead letters, by reason.", ("consumer", "reason"), dead)

    @staticmethod
    def _relay(relay: dict[str, Any] | None) -> Iterator[Metric]:
        if relay is not None:
            yield _gauge("relay_running", "Whether a relay has the right to send.", (), [((), int(relay["running"]))])
            yield _gauge("relay_unsent_events", "Events that wait for Kafka.", (), [((), relay["unsent"])])
            yield _gauge("relay_unsent_s", "Age of the oldest that waits.", (), [((), relay["seconds"])])


def _parts(consumers: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    own = [((row["name"], str(part["partition"])), part) for row in consumers for part in row["parts"]]
    for name, (unit, told) in PART.items():
        rows = [(labels, part[name]) for labels, part in own]
        yield _gauge(f"partition_lag_{unit}", told, ("consumer", "partition"), rows)


def _histograms(found: Iterable[Bucket]) -> Iterator[Metric]:
    """Every measure; a bucket of Prometheus counts all that is below its bound."""
    rows: dict[str, dict[tuple[str, str], list[Bucket]]] = {measure: {} for measure in MEASURES}
    for bucket in found:
        rows[bucket.measure].setdefault((bucket.subject, bucket.detail), []).append(bucket)
    for measure, (name, told, labels) in MEASURES.items():
        family = HistogramMetricFamily(f"ecluse_{name}", told, labels=labels)
        for values, own in sorted(rows[measure].items()):
            below = [(_text(bound), _below(own, bound)) for bound in BOUNDS_S]
            family.add_metric(values, below, sum(bucket.total_s for bucket in own))
        yield family


def _text(bound: float) -> str:
    return "+Inf" if bound == inf else str(bound)


def _below(buckets: Iterable[Bucket], bound: float) -> int:
    return sum(bucket.found for bucket in buckets if bucket.upper_s <= bound)


def _reasons(row: dict[str, Any]) -> Iterator[tuple[str, int]]:
    found = list(row["dead_letters"].items())
    yield from found[:MOST_REASONS]
    if rest := sum(count for _, count in found[MOST_REASONS:]):
        yield "other", rest


def _gauge(name: str, told: str, labels: Iterable[str], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"ecluse_{name}", told, labels=list(labels))
    for values, value in rows:
        family.add_metric(list(values), value)
    return family
