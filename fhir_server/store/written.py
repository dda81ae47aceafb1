"""A write as data: where it comes from, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecluse.bus.position import Position, latest
from ecluse.core import clock
from ecluse.related.registries import Registries
from fhir_server.store.flags import Findings


class Context(NamedTuple):
    """Where a write comes from; stored once a request and carried by each of its events.

    findings: what was found of resources that are stored with their issues; target: resource type, "Bundle" for a
    transaction, "Patient/$merge"; part: entry of a batch; begun: when the transaction stood that writes it;
    registries: the search parameters of sites, as the process knows them; keep_live: what the live lane wrote stays as
    it is"""

    site: int
    site_name: str
    sender: str
    request_id: str
    source_format: str
    received_at: datetime
    lane: int = 0
    traceparent: str = ""
    findings: Findings | None = None
    method: str = ""
    target: str = ""
    body_bytes: int = 0
    part: int | None = None
    begun: datetime | None = None
    registries: Registries | None = None
    keep_live: bool = False
    hooks: frozenset[str] | None = None

    def now(self) -> Context:
        """The same, in the present transaction."""
        return self._replace(begun=clock.now())

    @property
    def instant(self) -> datetime:
        """What versions are stamped with: never before the start of the transaction that writes them, so that an export
        knows which versions it cannot have (bulk/export.sql)."""
        return self.begun or self.received_at


class Written(NamedTuple):
    """One write that took place. A delete has no body; `unchanged` made no version and no event. event: the last of all
    that were written together, told by one of them; kept: unchanged because the live lane had written it"""

    type: str
    id: str
    version: int
    updated: datetime
    body: bytes | None
    created: bool = False
    unchanged: bool = False
    event: Position | None = None
    kept: bool = False


def last_event(written: Iterable[Written]) -> Position | None:
    """The last event of what was written, None when nothing was."""
    return latest(one.event for one in written)
