"""Notes of refusals: stored after the answer, kept while the database is away, counted when there is no room."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.settings import Settings
from fhir_server.intake import refusals as room
from fhir_server.intake.refusals import Refusals, refusal
from fhir_server.server import Server
from fhir_server.store import intake
from fhir_server.store.intake import Arrival, Cursor, Wanted

SCOPE = {"method": "POST", "path": "/sites/north/fhir/Patient/17/$purge"}


async def _arrivals(databases: Databases) -> list[Arrival]:
    async with databases.store.acquire() as conn:
        since = clock.now() - timedelta(hours=1)
        return await intake.arrivals(conn, Wanted(since, Cursor(clock.now() + timedelta(hours=1))))


def _server(databases: Databases) -> Server:
    return Server(Settings(), databases, lambda: None)


def _add(refusals: Refusals, server: Server, request_id: str) -> None:
    refusals.add(refusal(server, SCOPE, {"content-length": "12"}, request_id, BadRequest("No.")), clock.now())


async def test_a_refusal_is_a_row_after_the_flush(databases: Databases) -> None:
    refusals, server = Refusals(), _server(databases)
    _add(refusals, server, "r1")
    await refusals.flush(server)
    await refusals.flush(server)
    (row,) = await _arrivals(databases)
    assert (row.request_id, row.target, row.status, row.bytes, row.refused) == ("r1", "Patient/$purge", 400, 12, 1)


async def test_notes_wait_for_a_database_that_is_away(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, server = Refusals(), _server(databases)
    _add(refusals, server, "r1")
    with monkeypatch.context() as away:
        away.setattr(Server, "connection", _away)
        await refusals.flush(server)
    await refusals.flush(server)
    assert [row.request_id for row in await _arrivals(databases)] == ["r1"]


def _away(self: Server) -> object:
    raise Unavailable


async def test_those_without_room_are_counted(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 3)
    refusals, server = Refusals(), _server(databases)
    for number in range(10):
        _add(refusals, server, f"r{number}")
    await refusals.flush(server)
    rows = await _arrivals(databases)
    assert sorted(row.request_id for row in rows if row.reason == "structure") == ["r0", "r1", "r2"]
    assert [(row.refused, row.status) for row in rows if row.reason == "not-noted"] == [(7, 0)]


async def test_a_wish_to_read_is_not_noted(databases: Databases) -> None:
    for method, path in (("GET", "/fhir/Patient"), ("POST", "/fhir/Patient/_search"), ("POST", "/fhir/$validate")):
        assert refusal(_server(databases), {"method": method, "path": path}, {}, "r", BadRequest("No.")) is None
