"""What those see who watch: one POST as one trace, as a collector gets it, and its stages in figures."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.services.otlp import Collector, Span, collecting
from tests.services.ports import free_port
from tests.services.postgres import Postgres
from tests.services.server import Served, serving
from tests.spec.hooks import Hook, until

REQUEST, STAGE = "ecluse_request_s_count", "ecluse_stage_s_count"
NAME = f"Zabulon{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """What gets the traces."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def up(
    request: pytest.FixtureRequest, postgres: Postgres, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Everything on each bus, traced as OpenTelemetry's own variable says."""
    kafka = {"ECLUSE_KAFKA_PREFIX": f"traces-{secrets.token_hex(4)}.", "ECLUSE_KAFKA_PARTITIONS": "1"}
    if request.param == "kafka":
        kafka["ECLUSE_KAFKA_BOOTSTRAP"] = request.getfixturevalue("kafka")
    with postgres.database("template0") as url:
        variables = {"ECLUSE_DATABASE_URL": url, "ECLUSE_BUS": request.param, "ECLUSE_WORKERS": "1", **kafka}
        otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with serving(tmp_path_factory.mktemp("traced"), "up", **variables, **otel) as served:
            yield served


def by_name(spans: list[Span], trace: str) -> dict[tuple[str, str], Span]:
    return {(span.service, span.name): span for span in spans if span.trace == trace}


def names(served: Served) -> set[tuple[str, str]]:
    """What the trace of one create has."""
    relay = {("ecluse-relay", "relay send")} if served.environment["ECLUSE_BUS"] == "kafka" else set()
    each = {(f"ecluse-{name}", word) for name in ("warehouse", "search") for word in (name, "map", "write")}
    return relay | each | {("ecluse-serve", "create DocumentReference"), ("ecluse-serve", "transaction")}


def test_a_post_is_one_trace_from_the_request_to_the_rows(up: Served, collector: Collector) -> None:
    trace, client = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace}-{client}-01"}
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(NAME.encode()).decode()}}],
    }
    url = f"{up.url}/fhir/DocumentReference"
    assert httpx.post(url, json=document, headers=headers, timeout=60).status_code == 201
    spans = collector.until(lambda spans: names(up) <= by_name(spans, trace).keys())
    found = by_name(spans, trace)
    assert found.keys() == names(up)
    root = found["ecluse-serve", "create DocumentReference"]
    assert (root.parent, root.attributes["http.response.status_code"]) == (client, 201)
    assert found["ecluse-serve", "transaction"].parent == root.id
    for consumer in ("warehouse", "search"):
        taken = found[f"ecluse-{consumer}", consumer]
        assert taken.parent == root.id
        assert taken.attributes == {"messaging.batch.message_count": 1}
        for part in ("map", "write"):
            assert found[f"ecluse-{consumer}", part].parent == taken.id
    if relay := found.get(("ecluse-relay", "relay send")):
        assert relay.parent == root.id
    assert not any(span.failed for span in found.values())
    assert NAME not in repr(spans)


def test_a_request_without_a_trace_begins_one_and_a_bundle_is_one(up: Served, collector: Collector) -> None:
    entry = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry] * 3}
    headers = {"traceparent": "not a trace"}
    before = len(collector.until(lambda _: True))
    assert httpx.post(f"{up.url}/fhir", json=bundle, headers=headers, timeout=60).status_code == 200

    def taken(spans: list[Span]) -> list[Span]:
        return [span for span in spans[before:] if span.name == "warehouse"]

    (whole,) = taken(collector.until(lambda spans: bool(taken(spans))))
    assert whole.attributes == {"messaging.batch.message_count": 3}
    root = by_name(
        collector.until(lambda spans: ("ecluse-serve", "batch/transaction") in by_name(spans, whole.trace)), whole.trace
    )
    assert root["ecluse-serve", "batch/transaction"].parent == ""


def test_who_is_told_of_a_write_is_in_its_trace_and_a_job_has_one_of_its_own(
    postgres: Postgres, collector: Collector, tmp_path: Path
) -> None:
    hook, trace = Hook(free_port()), secrets.token_hex(16)
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    told = {"ECLUSE_SUBSCRIPTIONS": "on", "ECLUSE_HOOK_HOSTS": "127.0.0.1", "ECLUSE_WORKERS": "1"}
    subscription = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": "Basic?code=x",
        "channel": {"type": "rest-hook", "endpoint": hook.url},
    }
    resource = {"resourceType": "Basic", "code": {"coding": [{"code": "x"}]}}
    with (
        postgres.database("template0") as url,
        serving(tmp_path, "up", ECLUSE_DATABASE_URL=url, **told, **otel) as served,  # type: ignore[arg-type]
        hook.listening(),
        httpx.Client(base_url=served.url, timeout=60) as client,
        client.stream("GET", "/events?type=Basic", headers={"Accept": "text/event-stream"}) as stream,
    ):
        assert stream.status_code == 200
        assert client.post("/fhir/Subscription", json=subscription).status_code == 201
        traced = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        assert client.post("/fhir/Basic", json=resource, headers=traced).status_code == 201
        notified = ("ecluse-subscriptions", "notify")
        wanted = {("ecluse-serve", "create Basic"), ("ecluse-serve", "events stream"), notified}
        found = by_name(collector.until(lambda spans: wanted <= by_name(spans, trace).keys()), trace)
        root, *others = (found[name] for name in sorted(wanted))
        assert {span.parent for span in others} == {root.id}
        until(lambda: hook.received)
        assert str(hook.received[0].traceparent).startswith(f"00-{trace}-{found[notified].id}-")
        assert client.get("/fhir/$export", headers={"Prefer": "respond-async"}).status_code == 202
        spans = collector.until(lambda spans: any(span.name == "export job" for span in spans))
    assert [span.parent for span in spans if span.name == "export job"] == [""]


def test_each_stage_of_a_write_is_measured(up: Served) -> None:
    """By every process that has a part in it, each event once, together in one scrape."""
    made = httpx.post(f"{up.url}/fhir/Patient", json={"resourceType": "Patient"}, timeout=60)
    events = int(made.headers["X-Ecluse-Event"].partition(".")[2])
    assert httpx.post(f"{up.url}/fhir/Patient", json={"resourceType": "Patient", "x": 1}).status_code == 400
    stages = [("warehouse", "read"), ("warehouse", "written")]
    stages += [("", "relayed")] if up.environment["ECLUSE_BUS"] == "kafka" else []

    def measured(found: dict[tuple[str, str, str], float]) -> bool:
        """Every event at every stage, and every request."""
        wrote = sum(count for (name, _, status), count in found.items() if name == REQUEST and status < "300")
        return (
            all(found.get((STAGE, *each)) == events for each in stages)
            and found.get((STAGE, "", "stored")) == wrote > 0
            and found.get((REQUEST, "create", "400")) == 1
        )

    deadline = time.monotonic() + 60
    while not measured(counts(up)):
        assert time.monotonic() < deadline, (events, counts(up))
    text = httpx.get(f"{up.url}/metrics", timeout=60).text
    parts = {"0"} if up.environment["ECLUSE_BUS"] == "kafka" else {"0", "1"}
    assert set(re.findall(r'ecluse_partition_lag_s{consumer="warehouse",partition="(\d)"} 0.0', text)) == parts
    assert "ecluse_alarm_s 60.0" in text


def counts(served: Served) -> dict[tuple[str, str, str], float]:
    """How many durations there are of each kind."""
    families = text_string_to_metric_families(httpx.get(f"{served.url}/metrics", timeout=60).text)
    return {
        (one.name, *one.labels.values()): one.value
        for family in families
        for one in family.samples
        if one.name in (REQUEST, STAGE)
    }


def test_what_is_not_to_be_traced_is_not(up: Served, collector: Collector) -> None:
    """The sender's flag decides, in every process."""
    quiet, told = secrets.token_hex(16), secrets.token_hex(16)
    for trace, flag in ((quiet, "00"), (told, "01")):
        headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-{flag}"}
        made = httpx.post(f"{up.url}/fhir/Patient", json={"resourceType": "Patient"}, headers=headers, timeout=60)
        assert made.status_code == 201
    spans = collector.until(lambda spans: ("ecluse-warehouse", "warehouse") in by_name(spans, told))
    assert by_name(spans, quiet) == {}


def test_a_refusal_is_told_without_its_words(up: Served, collector: Collector) -> None:
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    refused = httpx.put(f"{up.url}/fhir/Patient/{NAME}", json={"resourceType": "Patient"}, headers=headers, timeout=60)
    assert refused.status_code == 400
    (span,) = [span for span in collector.until(lambda spans: bool(by_name(spans, trace))) if span.trace == trace]
    assert (span.name, span.attributes["http.response.status_code"], span.failed) == ("update Patient", 400, False)
    assert NAME not in repr(span)
