"""What a batch wants and what stands, in memory: which resources get rows, which wait, which ids they have.

Enters: wishes (the rows of each resource, or none) and what omop_map holds about them and what they refer to.
Leaves: a place for each wish, ids for each row, the visit and the parent rows that a row points to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from ecluse.core.db import queries
from mappers.warehouse.record import Code, Mapped
from mappers.warehouse.tables import LINKS

SQL = queries.load(__package__, "sink.sql")

Key = tuple[str, str, str]
"""(site, type, id)"""

MAIN = {
    "Patient": ("person",),
    "Encounter": ("visit_occurrence", "visit_detail"),
    "Practitioner": ("provider",),
    "PractitionerRole": ("provider",),
    "Organization": ("care_site",),
    "Location": ("care_site",),
}
"""The row that stands for a resource when another one refers to it: the one with part 0 in one of these tables."""

TARGETS = frozenset({"visit_occurrence", "visit_detail", *LINKS.values()})


class Wish(NamedTuple):
    """What one resource should give; None: nothing."""

    mapped: Mapped | None
    person: int | None


class Held(NamedTuple):
    """A row that stands. visit, detail: what a visit_detail hangs on."""

    table: str
    part: int
    omop_id: int
    visit: int | None = None
    detail: int | None = None
    patient: str | None = None
    person: int | None = None


class Place(NamedTuple):
    """Where a wish goes; parent: what it waits for."""

    state: Literal["stands", "waits", "gone"]
    parent: Key | None = None


class Visit(NamedTuple):
    """What the visit columns of a row get."""

    occurrence: int
    detail: int | None


class Board:
    """The batch. `held` knows every wish and everything that a wish refers to."""

    def __init__(self, wishes: dict[Key, Wish], fresh: Collection[Key] = ()) -> None:
        """fresh: those of them of which nothing stands."""
        self.wishes = wishes
        self.held: dict[Key, dict[tuple[str, int], Held]] = {key: {} for key in fresh}
        self.codes: dict[Key, Code] = {}
        self.ids: dict[tuple[Key, str, int], int] = {}
        self.kept: dict[tuple[Key, str, int], int] = {}
        self.waited: set[Key] = set()
        self._places: dict[Key, Place] = {}

    def add(self, wishes: dict[Key, Wish]) -> None:
        """Takes more wishes; all are placed anew."""
        self.wishes.update(wishes)
        self._places.clear()

    def unknown(self) -> set[Key]:
        """Wishes and what they refer to, as far as `held` does not know them."""
        keys = set(self.wishes)
        for key, wish in self.wishes.items():
            if wish.mapped:
                keys.update(referred(key, wish.mapped))
        return keys - self.held.keys()

    def place(self, key: Key) -> Place:
        """Where a wish goes. Encounters that are parts of each other wait for each other."""
        found = self._places.get(key)
        if found is None:
            self._places[key] = Place("waits")
            found = self._places[key] = self._place(key)
        return found

    def _place(self, key: Key) -> Place:
        mapped = self.wishes[key].mapped
        if mapped is None:
            return Place("gone")
        if not mapped.rows:
            return Place("stands")
        parents = [(key[0], "Patient", mapped.patient)] if mapped.patient and key[1] != "Patient" else []
        if mapped.encounter and key[1] == "Encounter":
            parents.append((key[0], "Encounter", mapped.encounter))
        for parent in parents:
            if not self.stands(parent):
                return Place("waits", parent)
        return Place("stands")

    def stands(self, key: Key) -> bool:
        """Whether the resource has, or will have, the row that stands for it."""
        if key in self.wishes:
            return self.place(key).state == "stands"
        return self.main(key) is not None

    def main(self, key: Key) -> Held | None:
        """The row that stands for a resource until now."""
        rows = self.held.get(key) or {}
        return next((rows[table, 0] for table in MAIN.get(key[1], ()) if (table, 0) in rows), None)

    def standing(self) -> Iterator[tuple[Key, Mapped]]:
        """The wishes that get rows."""
        for key, wish in self.wishes.items():
            if wish.mapped and self.place(key).state == "stands":
                yield key, wish.mapped

    def waiting(self) -> Iterator[tuple[Key, Wish, Key]]:
        """The wishes that wait, with what for."""
        for key, wish in self.wishes.items():
            place = self.place(key)
            if place.state == "waits":
                yield key, wish, place.parent or key

    def arrived(self) -> set[Key]:
        """Patients and Encounters that stand from now on."""
        return {
            key
            for key in self.wishes
            if key[1] in ("Patient", "Encounter") and self.main(key) is None and self.stands(key)
        }

    def shaken(self) -> set[Key]:
        """Patients and Encounters that stood, so that what hangs on them must be placed anew.

        A Patient or top Encounter that goes on standing as it was shakes nothing; a part of another may have moved.
        """
        return {key for key in self.wishes if key[1] in ("Patient", "Encounter") and self._shaken(key)}

    def _shaken(self, key: Key) -> bool:
        wish, main = self.wishes[key], self.main(key)
        if main is None:
            return False
        part = wish.mapped is not None and wish.mapped.encounter is not None
        return not self.stands(key) or (key[1] == "Encounter" and (part or main.table == "visit_detail"))

    def id(self, key: Key, table: str, part: int = 0) -> int | None:
        """The id of a row of a standing resource."""
        found = self.ids.get((key, table, part))
        if found is not None or key in self.wishes:
            return found
        held = self.held.get(key, {}).get((table, part))
        return held.omop_id if held else None

    def visit(self, key: Key) -> Visit | None:
        """What rows that happened in this Encounter point to; None while it does not stand."""
        if not self.stands(key):
            return None
        if key not in self.wishes:
            main = self.main(key)
            if main is None:
                return None
            return (
                Visit(main.omop_id, None) if main.table == "visit_occurrence" else Visit(main.visit or 0, main.omop_id)
            )
        mapped = self.wishes[key].mapped
        if mapped and mapped.encounter:
            whole = self.visit((key[0], "Encounter", mapped.encounter))
            return Visit(whole.occurrence, self.ids[key, "visit_detail", 0]) if whole else None
        return Visit(self.ids[key, "visit_occurrence", 0], None)

    def code(self, key: Key) -> str | None:
        """The code of a Medication or Device."""
        wish = self.wishes.get(key)
        found = (wish.mapped.code if wish.mapped else None) if wish else self.codes.get(key)
        return found.code or None if found else None


def referred(key: Key, mapped: Mapped) -> Iterator[Key]:
    """What the rows of a resource refer to."""
    if mapped.patient:
        yield key[0], "Patient", mapped.patient
    if mapped.encounter:
        yield key[0], "Encounter", mapped.encounter
    for row in mapped.rows:
        for link in row.links:
            yield key[0], link.type, link.id


def columns(keys: Iterable[Key]) -> tuple[list[str], list[str], list[str]]:
    """Sites, types and ids of keys, for `unnest`."""
    listed = list(keys)
    return [key[0] for key in listed], [key[1] for key in listed], [key[2] for key in listed]
