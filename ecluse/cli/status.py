"""What is stored, where each consumer stands, how events flow: as data, as a table.

Enters: settings and opened databases. Leaves: one mapping that `/status.json`, the portal and `ecluse status` show:

    {"stored": {site: {type: {"present": n, "deleted": n}}},
     "consumers": [{"name", "received", "mapped", "excluded": {reason: n}, "withheld", "waiting", "dead", "removed",
     "balanced",
                    "lag_events", "lag_s": both null while the broker does not answer, "processes": n,
                    "walk": type at which it walks through the store or null, "dead_letters": {reason: n}}],
     "writer": {"pid", "application", "seconds"} or null,
     "relay": {"running", "unsent", "seconds"} or null,
     "alarms": [text],
     "search_rows": {"behind": false, "compared": n, "of": n},
     "outbox": {"bytes": n, "budget_bytes": n, "slowest": reader or null, "seq": its number or null},
     "search_parameters": [{"site", "code", "state", "reason", "done", "total", "source", "base": [type]}]}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from consumers import dead_letters, ledger, place, registry, resync
from consumers.lag import Lag
from consumers.reach import reach
from consumers.sink import Sink
from ecluse.bus.flow import SQL as FLOW
from ecluse.bus.flow import Flow, alarms, flow
from ecluse.bus.position import position
from ecluse.cli.lags import Lags, lags
from ecluse.cli.terminal import terminal
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.db.pool import translated
from ecluse.core.fhir import json, types
from ecluse.core.settings import Settings
from fhir_server.search_parameters import parameters
from fhir_server.store import reindex, resources

Present = dict[str, Any]


async def present(settings: Settings, databases: Databases, known: Lags | None = None) -> Present:
    """The present state. known: the lags of a process that many ask

    Raises: Unavailable (503) when a database is away
    """
    with translated():
        behind = await (known.present(databases) if known else lags(settings, databases))
        async with databases.store.acquire() as conn:
            counts = await resources.stored_counts(conn)
            rows = await reindex.present(conn)
            made = await parameters.standing(conn)
            found = await flow(conn, settings)
        sinks, wrong = registry.standing(settings, databases)
        return {
            "stored": stored_of(counts),
            "consumers": [await _consumer(databases, sink, behind.get(sink.name)) for sink in sinks.values()],
            "search_rows": {"behind": rows.behind, "compared": rows.done, "of": rows.total},
            "search_parameters": made,
            **flow_of(found, settings, wrong),
        }


async def flowing(settings: Settings, databases: Databases, known: Lags) -> Present:
    """What flows now, cheap enough to be asked every few seconds:

        {"arrivals": {"requests", "resources", "refused", "p99_ms"} of the last minute,
         "outbox", "writer", "relay", "alarms": as above,
         "consumers": [{"name", "lag_events", "lag_s", "dead"}],
         "subscriptions": {"active", "error", "requested", "waiting"}}

    Raises: Unavailable (503) when a database is away"""
    with translated():
        behind = await known.present(databases)
        async with databases.store.acquire() as conn:
            found = await flow(conn, settings)
            (arrivals,) = await conn.fetch(FLOW["arrivals"])
            (subscriptions,) = await conn.fetch(FLOW["subscriptions"])
        sinks, wrong = registry.standing(settings, databases)
        return {
            "arrivals": dict(arrivals),
            **flow_of(found, settings, wrong),
            "consumers": [await _pace(sink, behind.get(sink.name)) for sink in sinks.values()],
            "subscriptions": dict(subscriptions),
        }


def flow_of(found: Flow, settings: Settings, wrong: Sequence[str] = ()) -> Present:
    """How events leave the store, and what an operator has to look at. wrong: files of projects of the hub"""
    left_out = [f"A project of the hub is left out until its file is mended. {text}" for text in wrong]
    return {
        "outbox": {"budget_bytes": settings.events_budget_bytes, **found.outbox._asdict()},
        "writer": found.writer and found.writer._asdict(),
        "relay": found.relay and found.relay._asdict(),
        "alarms": [*alarms(found, settings), *left_out],
    }


async def _pace(sink: Sink, behind: Lag | None) -> Present:
    reasons = await dead_letters.reasons(sink.pool, sink.name)
    return {"name": sink.name, **_late(behind), "dead": sum(reasons.values())}


def _late(behind: Lag | None) -> Present:
    return {"lag_events": behind and behind.events, "lag_s": behind and round(behind.seconds, 3)}


def stored_of(counts: Any) -> dict[str, dict[str, dict[str, int]]]:
    """What stands and what is deleted, by site and type."""
    stored: dict[str, dict[str, dict[str, int]]] = {}
    for site, number, standing, deleted in counts:
        stored.setdefault(site, {})[types.name_of[number]] = {"present": standing, "deleted": deleted}
    return stored


async def _consumer(databases: Databases, sink: Sink, behind: Lag | None) -> Present:
    books = await ledger.books(sink.pool, databases.store, sink.name, sink.types)
    reasons = await dead_letters.reasons(sink.pool, sink.name)
    running = {
        "processes": await place.processes(sink.pool, sink.name),
        "walk": await resync.progress(sink.pool, sink.name),
    }
    return {"name": sink.name, **books._asdict(), **_late(behind), **running, "dead_letters": reasons}


async def show(settings: Settings, as_json: bool) -> None:
    """Prints the present state."""
    async with open_databases(settings, migrate=True) as databases:
        state = await present(settings, databases)
    if as_json:
        print(json.encode(state).decode())
        return
    console = terminal()
    for table in (
        _stored_table(state["stored"]),
        _books_table(state["consumers"]),
        _reasons_table(state["consumers"]),
        _parameters_table(state["search_parameters"]),
    ):
        if table.row_count:
            console.print(table)
    for alarm in state["alarms"]:
        console.print(alarm, soft_wrap=True, markup=False)
    rows = state["search_rows"]
    if rows["behind"]:
        console.print(
            f"Search rows are of an earlier release: {rows['compared']} of {rows['of']} resources are compared; "
            "until all are, searches may miss what this release finds."
        )


def _stored_table(stored: dict[str, Any]) -> Table:
    table = Table("resource", *stored, title="stored")
    for name in sorted({name for counts in stored.values() for name in counts}):
        table.add_row(name, *(_cell(counts.get(name)) for counts in stored.values()))
    return table


def _cell(count: dict[str, int] | None) -> str:
    if count is None:
        return ""
    return str(count["present"]) + (f" ({count['deleted']} deleted)" if count["deleted"] else "")


def _books_table(consumers: list[Present]) -> Table:
    """One column a consumer: what it received, and what became of it."""
    table = Table("", title="received = mapped + excluded + withheld + waiting + removed + dead")
    for row in consumers:
        table.add_column(row["name"], justify="right", no_wrap=True)
    for kind in ("received", "mapped", "excluded", "withheld", "waiting", "removed", "dead"):
        table.add_row(kind, *(str(_total(row[kind])) for row in consumers))
    table.add_row("books", *("balance" if row["balanced"] else "in transit" for row in consumers))
    table.add_row("processes", *(str(row["processes"]) for row in consumers))
    if any(row["walk"] is not None for row in consumers):
        table.add_row("walks at", *(row["walk"] or "" for row in consumers))
    table.add_row("lag", *map(_behind, consumers))
    return table


def _behind(row: Present) -> str:
    known = row["lag_events"] is not None
    return f"{row['lag_events']} events, {row['lag_s']:g} s" if known else "the broker does not answer"


def _total(count: int | dict[str, int]) -> int:
    return sum(count.values()) if isinstance(count, dict) else count


def _reasons_table(consumers: list[Present]) -> Table:
    table = Table("consumer", "excluded", "reason", title="excluded, by reason")
    for row in consumers:
        for reason, count in sorted(row["excluded"].items(), key=lambda item: -item[1]):
            table.add_row(row["name"], str(count), reason)
    return table


def _parameters_table(made: list[Present]) -> Table:
    table = Table("search parameter", "site", "from", "state", "resources", "reason", title="made at run time")
    for row in made:
        name = f"{', '.join(row['base'][:3])}{' …' if len(row['base']) > 3 else ''}: {row['code']}"
        share = "" if row["state"] in ("active", "failed") else f"{row['done']} of {row['total']}"
        table.add_row(name, row["site"] or "all", row["source"], row["state"], share, row["reason"])
    return table


async def wait(settings: Settings, event: str | None, consumers: Sequence[str], timeout_s: float) -> None:
    """Returns when these consumers, all by default, have written what is stored now, or what is up to an event.

    Raises: what reach raises
    """
    since = position(event) if event else None
    async with open_databases(settings, migrate=True) as databases:
        with translated():
            await reach(settings, databases, consumers, since, timeout_s)
