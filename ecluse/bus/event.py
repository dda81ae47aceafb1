"""One fact that left the store: this version of this resource came into being.

Enters: what an outbox row points to, or what a Kafka record holds. Leaves: the one form in which each consumer sees it,
whatever log it was read from.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

OPS = ("", "created", "updated", "deleted", "moved", "erased")
"""The word of each op number of the store."""

LANES = ("live", "bulk")
"""The word of each lane number of the store."""


UNDONE = "undone"
"""The reason of an event about a resource that a restore took from the store: it was never written there."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a resource on its way to the consumers.

    op: created, updated, deleted, moved (the resource left this patient's partition), erased
    time: meta.lastUpdated, aware UTC
    patient: id of the Patient in whose compartment the resource is, None when in none
    body: the FHIR JSON exactly as stored, None for deleted and erased
    bundle: transaction that wrote it ("" when it wrote nothing else), of which this is number n of m, from 1
    reason: why it was sent again (replayed, merged, unmerged, remapped, opposition, restored, undone), "" at first
    survivor: the Patient into whom this one was merged, the patient itself after an unmerge, None without any merge;
    merge: its number: the greater one came later
    """

    site: str
    type: str
    id: str
    version: int
    epoch: int
    seq: int
    op: str
    time: datetime
    patient: str | None = None
    body: bytes | None = None
    bundle: str = ""
    n: int = 1
    m: int = 1
    lane: str = "live"
    sender: str = ""
    request_id: str = ""
    traceparent: str = ""
    reason: str = ""
    survivor: str | None = None
    merge: int = 0

    @property
    def key(self) -> str:
        """`site/Type/id`, the same for every version of the resource."""
        return f"{self.site}/{self.type}/{self.id}"

    @property
    def order(self) -> tuple[int, int]:
        """(epoch, version): of two events of one resource the greater one tells its state."""
        return self.epoch, self.version

    @property
    def owner(self) -> str | None:
        """The patient to whom the resource belongs now."""
        return self.survivor or self.patient

    @property
    def gone(self) -> bool:
        """True when the resource no longer exists after this event."""
        return self.op in ("deleted", "erased")
