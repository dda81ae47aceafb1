"""kill -9 of each process in the middle of a load: nothing acknowledged is lost, nothing is doubled.

On Kafka, relay, consumers and brokers are killed by test_chaos.py."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.sender import Sender
from tests.services.server import Served, serving

BUNDLES = 60
RESOURCES_A_BUNDLE = 20


def process_of(served: Served, part: str) -> psutil.Process:
    """The process of a part of `ecluse up`."""
    if part == "up":
        return psutil.Process(served.process.pid)
    if part == "postmaster":
        cluster = Path(served.environment["ECLUSE_DATA"]) / "postgres" / "cluster"
        return psutil.Process(int((cluster / "postmaster.pid").read_text().split()[0]))
    children = psutil.Process(served.process.pid).children(recursive=True)
    return next(child for child in children if part in child.cmdline())


def check(served: Served, sender: Sender) -> None:
    """Acknowledged = stored = received by each consumer, each once."""
    served.ecluse("wait", "--timeout", "120", timeout_s=150)
    status = json.loads(served.ecluse("status", "--json"))
    wanted = Counter(location.split("/")[0] for location in sender.acknowledged)
    assert Counter({name: count["present"] for name, count in status["stored"]["default"].items()}) == wanted
    assert len(set(sender.acknowledged)) == len(sender.acknowledged)
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=30) as client:
        for location in sender.acknowledged[::7]:
            assert client.get(f"/{location}").status_code == 200
    assert {consumer["name"] for consumer in status["consumers"]} >= {"warehouse", "search"}
    for consumer in status["consumers"]:
        assert consumer["balanced"], consumer
        assert consumer["dead"] == 0, consumer


@pytest.mark.parametrize("part", ["serve", "warehouse", "search", "hub-trial", "up", "postmaster"])
def test_nothing_is_lost_or_doubled_when_it_is_killed(tmp_path: Path, hub_folder: Path, part: str) -> None:
    data = tmp_path / "data"
    variables = {"ECLUSE_HUB_PROJECTS": str(hub_folder), "ECLUSE_WORKERS": "2"}
    with serving(data, "up", **variables) as served:
        sender = Sender(f"{served.url}/fhir", BUNDLES).start()
        sender.wait_for(BUNDLES * RESOURCES_A_BUNDLE // 3)
        process_of(served, part).send_signal(signal.SIGKILL)
        if part == "up":
            served.process.wait()
            with serving(data, "up", port=served.port, **variables) as again:
                sender.finish()
                check(again, sender)
        else:
            sender.finish()
            check(served, sender)
