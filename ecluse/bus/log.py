"""What a consumer asks of a log, whichever it is.

Enters: nothing. Leaves: the protocol that the embedded log and Kafka both keep. A log hands out records in order
within a partition, from the position that the consumer's own database holds; it stores no position itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ecluse.bus.event import Event

Partition = tuple[str, int]
"""(topic, number)"""

Claim = Callable[[Sequence[Partition]], Awaitable[Mapping[Partition, int]]]
"""Takes partitions over in the consumer's database; returns the next offset of those that have one."""


class Reference(NamedTuple):
    """Where a body is that was too large for its record. sha256: hexadecimal."""

    url: str
    sha256: str
    bytes: int


class Record(NamedTuple):
    """One record of a log. problem: why it cannot be read, "" when it can; event holds then what is known of it."""

    event: Event
    topic: str
    partition: int
    offset: int
    reference: Reference | None = None
    problem: str = ""


UNPLACED = -1


class Batch(NamedTuple):
    """Records in order, and the offset after them for each partition they came from.

    assignment: the right to read that they stand on, UNPLACED when they come from no log
    """

    records: list[Record]
    positions: dict[Partition, int]
    assignment: int = 0


class Log(Protocol):
    """A log as one consumer reads it."""

    async def open(self, claim: Claim) -> None:
        """Begins to read where `claim` says."""

    async def poll(self, max_events: int, max_bytes: int, timeout_s: float) -> Batch:
        """The next records, possibly none; at least one record is returned however large it is."""

    def holds(self, batch: Batch) -> bool:
        """False when the partitions of this batch may be read by somebody else now: drop it."""

    async def rest(self, delay_s: float) -> None:
        """Waits, without reading and without losing the right to read."""

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tells the tools that show lag; nothing is ever read back from there."""

    async def close(self) -> None:
        """Gives up the right to read."""
