"""What a mapper gave, put by as JSON or read back from the rows it became.

Enters: `Mapped`, or the keys of resources that stand. Leaves: JSON, or the same `Mapped` again but for its losses, so
that rows can wait outside omop for a parent that has gone.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec

from consumers.warehouse import statements
from consumers.warehouse.board import SQL, Key, Wish, columns
from mappers.warehouse.record import Link, Mapped, Own, Row
from mappers.warehouse.tables import LINKS, OWN, TABLES, restored

Ids = dict[str, list[int]]
"""Ids by table."""


class Source(NamedTuple):
    """Which resource a row came from."""

    table: str
    omop_id: int
    key: Key
    part: int
    patient: str | None
    person: int | None


async def sources(conn: Any, ids: Ids) -> list[Source]:
    """The resources that rows came from."""
    found = await conn.fetch(SQL["sources"], *_pairs(ids))
    return [Source(table, omop_id, (site, kind, key_id), *rest) for table, omop_id, site, kind, key_id, *rest in found]


def _pairs(ids: Ids) -> tuple[list[str], list[int]]:
    return [table for table, listed in ids.items() for _ in listed], [
        each for listed in ids.values() for each in listed
    ]


async def as_mapped(conn: Any, keys: set[Key]) -> dict[Key, Wish]:
    """Rows that stand, turned back into what the mapper gave."""
    stored = _Stored()
    await stored.read(conn, keys)
    return {key: stored.wish(key) for key in keys}


class _Stored:
    """The rows of some resources, and the resources that their columns point to."""

    def __init__(self) -> None:
        self._rows: dict[Key, list[tuple[str, int, dict[str, Any]]]] = defaultdict(list)
        self._source: dict[tuple[str, int], Source] = {}
        self._links: dict[tuple[str, int], list[Link]] = defaultdict(list)
        self._about: dict[Key, Source] = {}

    async def read(self, conn: Any, keys: set[Key]) -> None:
        """Reads all rows of the keys."""
        ids: Ids = defaultdict(list)
        for row in await conn.fetch(SQL["held"], *columns(keys)):
            ids[row["omop_table"]].append(row["omop_id"])
        for source in await sources(conn, ids):
            self._source[source.table, source.omop_id] = self._about[source.key] = source
        targets: Ids = defaultdict(list)
        for table, listed in ids.items():
            for record in await conn.fetch(statements.rows(table), listed):
                source = self._source[table, record[TABLES[table].key]]
                self._rows[source.key].append((table, source.part, dict(record)))
                for column, target in _POINTERS.items():
                    if column != TABLES[table].key and record.get(column) is not None:
                        targets[target].append(record[column])
        for source in await sources(conn, targets):
            self._source[source.table, source.omop_id] = source
        for table, omop_id, *link in await conn.fetch(SQL["links"], *_pairs(ids)):
            self._links[table, omop_id].append(Link(*link))

    def wish(self, key: Key) -> Wish:
        """What the mapper gave for this resource, but for its losses."""
        about = self._about[key]
        made = [self._row(key, table, part, values) for table, part, values in self._rows[key]]
        encounters = {encounter for _, encounter in made if encounter}
        return Wish(Mapped(tuple(row for row, _ in made), about.patient, next(iter(encounters), None)), about.person)

    def _row(self, key: Key, table: str, part: int, values: dict[str, Any]) -> tuple[Row, str | None]:
        noted = self._links[table, values[TABLES[table].key]]
        links = [link for link in noted if link.column != "encounter"]
        links += [Link(column, *self._target(LINKS[column], values[column])) for column in LINKS if values.get(column)]
        own = [Own(column, self._source[OWN[column], values[column]].part) for column in OWN if values.get(column)]
        encounter = next((link.id for link in noted if link.column == "encounter"), None)
        dropped = {TABLES[table].key, "person_id", *_POINTERS, *(link.column for link in links)}
        kept = {name: value for name, value in values.items() if value is not None and name not in dropped}
        row = Row(table, kept, part, tuple(sorted(links)), tuple(sorted(own)))
        return row, encounter or self._encounter(key, table, values)

    def _target(self, table: str, omop_id: int) -> tuple[str, str]:
        _, kind, key_id = self._source[table, omop_id].key
        return kind, key_id

    def _encounter(self, key: Key, table: str, values: dict[str, Any]) -> str | None:
        """The Encounter in which a row happened, or of which a visit_detail is part, unless that is its own."""
        detail = values.get("parent_visit_detail_id" if table == "visit_detail" else "visit_detail_id")
        visit = None if table == "visit_occurrence" else values.get("visit_occurrence_id")
        for name, omop_id in (("visit_detail", detail), ("visit_occurrence", visit)):
            if omop_id:
                kind, key_id = self._target(name, omop_id)
                return None if (kind, key_id) == key[1:] else key_id
        return None


_POINTERS = {
    **LINKS,
    **OWN,
    "visit_occurrence_id": "visit_occurrence",
    "visit_detail_id": "visit_detail",
    "parent_visit_detail_id": "visit_detail",
}


def frozen(mapped: Mapped) -> str:
    """What a mapper gave, as JSON."""
    return msgspec.json.encode(mapped).decode()


def thawed(text: str) -> Mapped:
    """What a mapper gave, from JSON."""
    mapped = msgspec.json.decode(text, type=Mapped)
    return mapped._replace(rows=tuple(_restored(row) for row in mapped.rows))


def _restored(row: Row) -> Row:
    kinds = TABLES[row.table].kinds
    return row._replace(values={name: restored(kinds[name], value) for name, value in row.values.items()})
