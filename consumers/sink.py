"""What the runner and a sink say to each other.

Enters: nothing. Leaves: the protocol each sink folder implements, and the records that pass between it and the runner.
A sink maps one event at a time without I/O, then writes many in the transaction of the runner, which keeps order,
ledger, offsets, retries and dead letters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

import asyncpg
import msgspec

from ecluse.bus.event import Event
from ecluse.bus.log import Batch

Take = Callable[[Batch], Awaitable[bool]]
"""Has a consumer write a batch: True once it is written, False when stopped."""

Duty = Callable[[Take], Awaitable[bool]]
"""Work beside what the log brings: does a part of it, and tells whether there is more."""

State = Literal["mapped", "excluded", "waiting", "removed"]


class Excluded(msgspec.Struct, frozen=True):
    """Answer of `map` for a resource that the sink leaves out: counted, and what an earlier version left goes."""

    reason: str


class Change(msgspec.Struct):
    """What the sink has to make true for one resource.

    remove: the sink must end up without the resource (deleted, erased, excluded, withheld, withdrawn or a dead
    letter); payload and resource are None then
    payload: what `map` returned; resource: the decoded body
    person: None when the resource is in no patient's compartment
    fresh: nothing of the resource was ever taken, so that the sink holds nothing of it
    """

    event: Event
    person: int | None = None
    resource: dict[str, Any] | None = None
    payload: Any = None
    remove: bool = False
    fresh: bool = False


class Disposition(msgspec.Struct, frozen=True):
    """What became of one change, for the books."""

    state: State
    reason: str = ""


MAPPED = Disposition("mapped")
REMOVED = Disposition("removed")


class Sink(Protocol):
    """A place where the events of some resource types end.

    name: the consumer's name, "warehouse", "search", "hub-<project>"; purpose: "care" or "research", for the gate
    types: the resource types it subscribes to
    """

    @property
    def name(self) -> str:
        """The consumer's name: its group, its ledger, `ecluse consume NAME`."""

    @property
    def purpose(self) -> str:
        """ "care" or "research", what the gate decides about."""

    @property
    def every_version(self) -> bool:
        """Whether it is given every version; else the newest of each resource in a batch."""

    @property
    def several(self) -> bool:
        """Whether several processes may write it, each its partitions of Kafka, one after the other; what only one may
        do is done by the one that leads."""

    @property
    def types(self) -> frozenset[str]:
        """The resource types it subscribes to."""

    @property
    def pool(self) -> asyncpg.Pool:
        """The database in which its offsets and ledger live."""

    async def open(self, *, leads: bool = True) -> None:
        """Called once before the first event. leads: this process does what only one may do"""

    async def close(self) -> None:
        """Called once after the last event."""

    def map(self, event: Event, resource: dict[str, Any], person: int | None) -> Any:
        """The payload of this resource, or Excluded; pure.

        Raises: Unmappable when the record can never be mapped; any other error ends in the dead letters too
        """

    async def write(self, conn: Any, changes: Sequence[Change]) -> Sequence[Disposition]:
        """What became of each change, in order.

        changes: at most one a resource, its newest or with `every_version` the next, none older than what was written
        Runs inside the transaction that also stores ledger and offset, and may run again with the same or fewer changes
        when that transaction fails. The disposition of a change with `remove` is not read: the runner knows why.
        """

    async def committed(self) -> None:
        """Called after the transaction of `write` is committed."""
