"""What a write changes, as data: versions ready to be stored, and the search rows that go and come with them.

Enters: intents that were compared with what stands, and a site's registry of search parameters. Leaves: what the
statements of versions.py are given.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from fhir_server.search_parameters.writing import Altered
from fhir_server.store.search_rows import NO_ROWS, together, without
from fhir_server.store.written import Written
from fhir_server.subscriptions.taking import Taken
from mappers.search.index import IndexRows, own_rows
from mappers.search.registry import Registry

CREATED, UPDATED, DELETED = 1, 2, 3


class Difference(NamedTuple):
    """Search rows that a change drops, and those that it adds."""

    gone: IndexRows
    added: IndexRows


NO_DIFFERENCE = Difference(NO_ROWS, NO_ROWS)


class Change(NamedTuple):
    """A version, ready to be stored. new: the first one under an id that the server gave; gone, rows: of R4's
    parameters, those made at run time are added as they are stored; former: the instant of the version before; before,
    after: the resource that stood, and the one that will; wanted: by a Subscription that is not off, or a topic"""

    pk: int
    entry: int
    op: int
    new: bool
    written: Written
    patient: str | None
    gone: IndexRows
    rows: IndexRows
    former: datetime
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    wanted: Taken = None

    @property
    def type(self) -> str:
        """The type of the resource."""
        return self.written.type

    @property
    def altered(self) -> Altered:
        """What changes, for parameters made at run time."""
        return Altered(self.entry, self.pk, self.type, self.written.id, self.before, self.after)


def difference(change: Change, registry: Registry) -> Difference:
    """What a change drops and adds of all rows."""
    own = difference_of_own(change, registry)
    if own is NO_DIFFERENCE:
        return Difference(change.gone, change.rows)
    return Difference(together(change.gone, own.gone), together(change.rows, own.added))


def difference_of_own(change: Change, registry: Registry) -> Difference:
    """What a change drops and adds of the rows of paths made at run time."""
    if not registry.paths or change.after is None:
        return NO_DIFFERENCE
    before = NO_ROWS if change.before is None else own_rows(change.type, change.before, registry)
    after = own_rows(change.type, change.after, registry)
    return Difference(without(before, after), without(after, before))
