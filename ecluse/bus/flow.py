"""How events leave the store: who holds readers back, what the relay has not sent, what the outbox takes.

Enters: a connection to the store. Leaves: figures, and the alarms that follow from them. Nothing is counted while
events flow; who asks pays for the answer, which costs the same however much waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ecluse.bus import partitions
from ecluse.bus.backlog import Waiting, together, waiting
from ecluse.bus.event import LANES
from ecluse.bus.lease import SQL as RELAY
from ecluse.core.db import queries
from ecluse.core.settings import Settings

SQL = queries.load(__package__, "flow.sql")


class Writer(NamedTuple):
    """The transaction behind which readers wait. application: what the connection calls itself; seconds: its age"""

    pid: int
    application: str
    seconds: float


class Relay(NamedTuple):
    """running: whether a process has the right to send; unsent: events; seconds: age of the oldest, 0 without any"""

    running: bool
    unsent: int
    seconds: float


class Flow(NamedTuple):
    """writer: None when no transaction is open; relay: None on the embedded log"""

    writer: Writer | None
    relay: Relay | None
    outbox: partitions.Size


async def flow(conn: Any, settings: Settings) -> Flow:
    """The present state."""
    writer = await conn.fetchrow(SQL["writer"])
    relay = await _relay(conn) if settings.bus == "kafka" else None
    return Flow(Writer(*writer) if writer else None, relay, await partitions.size(conn))


async def unsent(conn: Any, resource_types: Iterable[str] | None = None) -> Waiting:
    """What the relay has not sent of these types, None for all. conn: a connection or pool of the store"""
    at = {row["lane"]: row["seq"] + 1 for row in await conn.fetch(RELAY["cursor"])}
    return together(await waiting(conn, resource_types, [at.get(lane, 1) for lane in range(len(LANES))]))


async def _relay(conn: Any) -> Relay:
    left = await unsent(conn)
    return Relay(await conn.fetchval(SQL["relay_running"]), left.events, left.seconds)


def alarms(found: Flow, settings: Settings) -> list[str]:
    """What an operator has to look at, each with what to do; docs/operations.md says more."""
    told: list[str] = []
    writer, relay, outbox = found
    if writer is not None and writer.seconds > settings.alarm_s:
        told.append(
            f"A transaction of {writer.application or 'a nameless client'} (PostgreSQL process {writer.pid}) has been"
            f" open for {writer.seconds:.0f} s and holds all readers of events back; end it if it hangs."
        )
    if relay is not None and not relay.running:
        told.append("No relay runs, so that no event reaches Kafka; start one: ecluse relay.")
    elif relay is not None and relay.seconds > settings.alarm_s:
        told.append(f"Events wait for Kafka, the oldest for {relay.seconds:.0f} s; see whether the broker answers.")
    if outbox.bytes > settings.events_budget_bytes:
        reader = f"farthest behind is {outbox.slowest}" if outbox.slowest else "no reader is registered"
        told.append(
            f"The outbox takes {outbox.bytes} bytes, {settings.events_budget_bytes} are allowed"
            f" (ECLUSE_EVENTS_BUDGET_BYTES); {reader}."
        )
    told += [
        f"The outbox, over its budget, has left {name} behind; it makes everything anew from the store when it runs."
        for name in outbox.lost
    ]
    return told
