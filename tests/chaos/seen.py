"""What is seen of a system from outside: what it acknowledged, and what stands in each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

CREATED, UPDATED, DELETED, ERASED = "created", "updated", "deleted", "erased"


class Version(NamedTuple):
    """One version of one resource. mark: the number that its body carries, None without a body; key: `Type/id`"""

    key: str
    version: int
    op: str
    mark: int | None

    @property
    def type(self) -> str:
        """The resource type."""
        return self.key.split("/")[0]


class Event(NamedTuple):
    """A row of the outbox."""

    epoch: int
    seq: int
    key: str
    version: int
    op: str


class Record(NamedTuple):
    """A record of a topic. mark: None for what no longer exists; lane: live or bulk, each with an order of its own"""

    topic: str
    partition: int
    offset: int
    key: str
    version: int
    op: str
    mark: int | None
    lane: str = "live"


@dataclass(slots=True)
class Seen:
    """Everything that is compared.

    acknowledged: in the order in which each writer was told; history, outbox: as the store has them, in order; records,
    states: of the topics of events and of last states, in the order of each partition; warehouse, texts, feed: resource
    and mark, or mark alone, of what stands there; unbalanced: consumers whose books do not balance, or that have dead
    letters, and what they say; purged: resources whose erasure was acknowledged"""

    acknowledged: Sequence[Version] = ()
    history: Sequence[Version] = ()
    outbox: Sequence[Event] = ()
    records: Sequence[Record] = ()
    states: Sequence[Record] = ()
    warehouse: Sequence[tuple[str, int | None]] = ()
    texts: Sequence[tuple[str, int]] = ()
    feed: Sequence[int] = ()
    unbalanced: Sequence[str] = ()
    purged: Sequence[str] = ()

    @property
    def erased(self) -> dict[str, int]:
        """The version of the last erasure of each resource that had one: nothing before it need stand anywhere."""
        found: dict[str, int] = {}
        for event in self.outbox:
            if event.op == ERASED:
                found[event.key] = max(event.version, found.get(event.key, 0))
        return found
