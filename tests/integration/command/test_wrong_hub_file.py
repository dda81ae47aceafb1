"""A project's file that is wrong stops what needs it, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.services.ports import free_port
from tests.services.run import Ran, run
from tests.unit.consumers.hub.given import write


@pytest.fixture
def environment(empty_database: str, tmp_path: Path) -> dict[str, str]:
    """That of a command, with one project that is right and one that is not."""
    hub = tmp_path / "hub"
    write(hub, name="asthme")
    (hub / "wrong.yaml").write_text("name: wrong\ntitel: Asthme\n")
    return {
        "ECLUSE_DATABASE_URL": empty_database,
        "ECLUSE_DATA": str(tmp_path),
        "ECLUSE_HUB_PROJECTS": str(hub),
        "ECLUSE_PORT": str(free_port()),
    }


def _told(environment: dict[str, str]) -> str:
    return f"{environment['ECLUSE_HUB_PROJECTS']}/wrong.yaml, line 2: titel is not known; did you mean title?"


def test_status_tells_of_the_rest_and_what_is_wrong(environment: dict[str, str]) -> None:
    shown = run(environment, "status")
    assert shown.code == 0, shown.err
    assert "warehouse" in shown.out and "hub-asthme" in shown.out
    assert _told(environment) in shown.out
    state = json.loads(run(environment, "status", "--json").out)
    assert [row["name"] for row in state["consumers"]] == ["warehouse", "search", "hub-asthme"]
    assert [alarm for alarm in state["alarms"] if _told(environment) in alarm]


def test_dead_letters_of_the_others_are_listed(environment: dict[str, str]) -> None:
    listed = run(environment, "dead-letters", "list")
    assert (listed.code, listed.out, listed.err) == (0, "No dead letters.\n", f"{_told(environment)}\n")


def test_waiting_for_all_is_refused_and_for_one_is_not(environment: dict[str, str]) -> None:
    assert _is_refused(run(environment, "wait"), environment)
    assert run(environment, "wait", "--consumer", "hub-asthme").code == 0


def test_up_refuses_in_one_line(environment: dict[str, str]) -> None:
    assert _is_refused(run(environment, "up"), environment)


def _is_refused(ran: Ran, environment: dict[str, str]) -> bool:
    return (ran.code, ran.out, ran.err) == (1, "", f"Error: {_told(environment)}\n")
