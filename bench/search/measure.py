"""One scenario on one store: refused or answered, how fast, at what cost, and what its plan touched.

Enters: a running server, a connection to its store, a scenario. Leaves: a `Measured`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import asyncpg
import msgspec

from bench.client import Call, Connection, drive
from bench.search import plans
from bench.search.plans import UNTOUCHED, Touched
from bench.search.scenarios import Scenario
from bench.server import Server

CONCURRENCY = 8
MATCH = b'"mode":"match"'
EXPLAINED = 5
"""So many texts of a scenario are explained; the dearest one is shown."""


@dataclass(frozen=True, slots=True)
class Measured:
    """refused: why, empty when all its texts were answered; matches: on a page, or in all where they are counted, mean;
    cpu_ms, database_ms: of a request; touched: by the dearest plan"""

    scenario: Scenario
    refused: str = ""
    matches: float = 0.0
    requests: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_ms: float = 0.0
    database_ms: float = 0.0
    touched: Touched = field(default=UNTOUCHED)


async def one(server: Server, conn: asyncpg.Connection, scenario: Scenario, seconds: float) -> Measured:
    """Each text once, which also warms the server; then all of them round and round for so many seconds."""
    warmed = await _first_answers(server, scenario)
    if warmed.refused:
        return warmed
    calls = [Call("GET", f"/fhir/{query}") for query in scenario.queries]
    before = server.cpu_s()
    run = await drive(server.port, calls, CONCURRENCY, seconds=seconds)
    after, count = server.cpu_s(), len(run.latencies)
    if run.errors:
        return replace(warmed, refused=f"{run.errors} of {count} requests failed")
    spent = {part: 1000 * (after[part] - before[part]) / count for part in ("server", "database")}
    touched = [await plans.touched(conn, query) for query in scenario.queries[:EXPLAINED]]
    return replace(
        warmed,
        requests=count,
        p50_ms=run.percentile_ms(0.5),
        p99_ms=run.percentile_ms(0.99),
        cpu_ms=round(sum(spent.values()), 2),
        database_ms=round(spent["database"], 2),
        touched=max(touched, key=lambda one: one.blocks),
    )


async def _first_answers(server: Server, scenario: Scenario) -> Measured:
    if not scenario.queries:
        return Measured(scenario, refused="the store has no such values")
    connection, matches = Connection("127.0.0.1", server.port), 0
    try:
        for query in scenario.queries:
            status, body = await connection.send(Call("GET", f"/fhir/{query}"))
            if status >= 400:
                return Measured(scenario, refused=f"{status} to {query}: {_reason(body)}")
            matches += _matches(body)
    finally:
        connection.close()
    return Measured(scenario, matches=round(matches / len(scenario.queries), 1))


def _reason(body: bytes) -> str:
    issue = msgspec.json.decode(body)["issue"][0]
    return str(issue.get("details", {}).get("text", issue["code"]))[:120]


def _matches(body: bytes) -> int:
    """Of the page; of all, when they are only counted."""
    return body.count(MATCH) or int(msgspec.json.decode(body).get("total", 0))
