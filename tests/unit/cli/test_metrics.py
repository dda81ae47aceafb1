"""The metrics, and that dashboard and alert rules name no other."""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ecluse.bus.durations import BOUNDS_S, Bucket
from ecluse.cli import metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
CONSUMER = {
    "name": "warehouse",
    "received": 9,
    "mapped": 5,
    "withheld": 1,
    "waiting": 1,
    "dead": 2,
    "removed": 0,
    "lag_events": 4,
    "lag_s": 1.5,
    "processes": 2,
    "parts": [{"partition": 0, "events": 4, "seconds": 1.5}, {"partition": 1, "events": 0, "seconds": 0.0}],
    "dead_letters": {'a "quoted" reason\nof two lines': 2},
}
STATE: dict[str, Any] = {
    "stored": {"default": {"Patient": {"present": 3, "deleted": 1}}},
    "consumers": [CONSUMER],
    "search_rows": {"behind": False, "compared": 3, "of": 3},
    "subscriptions": {"undecided": 6},
    "outbox": {"bytes": 10, "budget_bytes": 20, "slowest": None, "seq": None},
    "writer": {"pid": 1, "application": "ecluse", "seconds": 2.5},
    "relay": {"running": True, "unsent": 7, "seconds": 0.5},
    "alarms": ["something"],
    "alarm_s": 60,
    "durations": [
        Bucket("request", "create", "201", 0.01, 3, 0.02),
        Bucket("request", "create", "201", 0.25, 1, 0.2),
        Bucket("request", "create", "201", inf, 1, 4000.0),
        Bucket("stage", "warehouse", "written", 0.5, 2, 0.6),
    ],
}


def samples(state: dict[str, Any]) -> dict[str, float]:
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(metrics.text(state).decode())
    return {f"{one.name}{sorted(one.labels.values())}": one.value for family in families for one in family.samples}


def test_every_figure_is_a_sample() -> None:
    found = samples(STATE)
    assert found["ecluse_resources['Patient', 'default']"] == 3
    assert found["ecluse_oldest_writer_s[]"] == 2.5
    assert found["ecluse_relay_unsent_events[]"] == 7
    assert found["ecluse_relay_running[]"] == 1
    assert found["ecluse_alarms[]"] == 1
    assert found["ecluse_subscriptions_undecided[]"] == 6
    assert found["ecluse_consumer_lag_s['warehouse']"] == 1.5
    assert found["ecluse_consumer_processes['warehouse']"] == 2
    assert found["""ecluse_dead_letters['a "quoted" reason\\nof two lines', 'warehouse']"""] == 2


def test_lag_is_told_by_partition_and_the_limit_of_alarms_with_it() -> None:
    found = samples(STATE)
    assert found["ecluse_partition_lag_events['0', 'warehouse']"] == 4
    assert found["ecluse_partition_lag_s['1', 'warehouse']"] == 0
    assert found["ecluse_alarm_s[]"] == 60


def test_a_histogram_counts_all_that_is_below_each_bound() -> None:
    found = samples(STATE)
    below = [found[f"ecluse_request_s_bucket{sorted([_le(bound), '201', 'create'])}"] for bound in BOUNDS_S]
    assert below == [0, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5]
    assert found["ecluse_request_s_count['201', 'create']"] == 5
    assert found["ecluse_request_s_sum['201', 'create']"] == 4000.22
    assert found["ecluse_stage_s_count['warehouse', 'written']"] == 2


def _le(bound: float) -> str:
    return "+Inf" if bound == inf else str(bound)


def test_a_consumer_whose_stock_is_not_counted_yet_has_its_lag() -> None:
    uncounted = {name: value for name, value in CONSUMER.items() if name not in ("received", "mapped")}
    found = samples({**STATE, "consumers": [uncounted]})
    assert found["ecluse_consumer_lag_events['warehouse']"] == 4
    assert not [name for name in found if name.startswith("ecluse_consumer_received")]


def test_reasons_are_bounded_and_none_is_lost() -> None:
    many = {f"reason {n}": 100 - n for n in range(50)}
    found = samples({**STATE, "consumers": [{**CONSUMER, "dead_letters": many}]})
    dead = {name: value for name, value in found.items() if name.startswith("ecluse_dead_letters")}
    assert len(dead) == metrics.MOST_REASONS + 1
    assert sum(dead.values()) == sum(many.values())


def test_the_embedded_log_has_no_relay() -> None:
    assert not [name for name in samples({**STATE, "relay": None, "writer": None}) if "relay" in name]


@pytest.mark.parametrize("file", ["grafana/ecluse.json", "prometheus/alerts.yaml"])
def test_dashboard_and_rules_ask_for_metrics_that_there_are(file: str) -> None:
    text = (DEPLOY / file).read_text()
    loaded = json.loads(text) if file.endswith("json") else yaml.safe_load(text)
    asked = set(re.findall(r"\becluse_[a-z_]+", "\n".join(_expressions(loaded))))
    told = {name.partition("[")[0] for name in samples(STATE)}
    assert asked and asked <= told


def test_the_page_explains_each_metric_and_no_other() -> None:
    page = (DEPLOY.parent / "docs" / "operations.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `ecluse_")]
    told = {name.partition("[")[0] for name in samples(STATE)}
    explained = {name for cell in cells for one in re.findall(r"`(ecluse_[^`]+)`", cell) for name in _named(one)}
    assert explained == {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in told}


def _named(text: str) -> list[str]:
    """`ecluse_consumer_{dead,removed}{consumer}` has two names, and labels behind them."""
    first, *rest = re.split(r"[{}]+", text)
    return [first + each for each in rest[0].split(",")] if first.endswith("_") else [first]


def _expressions(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [value for name, value in node.items() if name == "expr"]
        return own + [one for value in node.values() for one in _expressions(value)]
    return [one for value in node for one in _expressions(value)] if isinstance(node, list) else []


def test_the_limit_of_time_is_the_setting_and_not_a_number_beside_it() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    limited = {
        rule["alert"]: rule["expr"] for rule in rules if "_writer_s" in rule["expr"] or "_unsent_s" in rule["expr"]
    }
    assert limited == {
        "EcluseReadersHeldBack": "ecluse_oldest_writer_s > ecluse_alarm_s",
        "EcluseEventsWaitForKafka": "ecluse_relay_unsent_s > ecluse_alarm_s",
    }


def test_every_alert_is_explained() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    page = (DEPLOY.parent / "docs" / "operations.md").read_text()
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in page] == []
