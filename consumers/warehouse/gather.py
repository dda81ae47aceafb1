"""From the events of a batch to all that the batch has to write: what stands, who arrives, who goes.

Enters: a Board with the wishes of the events. Leaves: the same Board, knowing what it refers to, and holding as well
the resources that waited for a parent of this batch and those that hang on a parent which moves or goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from consumers.warehouse import statements
from consumers.warehouse.board import Board, Held, Key, Wish, columns
from ecluse.core.db import queries
from mappers.warehouse.record import Code, Link, Mapped, Own, Row
from mappers.warehouse.tables import CODES, LINKS, OWN, TABLES, restored

SQL = queries.load(__package__, "sink.sql")
Rows = dict[str, list[int]]
"""Ids by table."""


async def gather(conn: Any, board: Board) -> None:
    """Completes the board."""
    await conn.execute(SQL["forget_waiting"], *columns(board.wishes))
    await _learn(conn, board)
    asked: set[Key] = set()
    while True:
        arrived, shaken = board.arrived() - asked, board.shaken() - asked
        if not arrived and not shaken:
            return
        asked |= arrived | shaken
        promoted = await _promoted(conn, arrived) if arrived else {}
        board.promoted |= promoted.keys()
        board.add({**(await _hanging(conn, board, shaken) if shaken else {}), **promoted})
        await _learn(conn, board)


async def _learn(conn: Any, board: Board) -> None:
    unknown = board.unknown()
    if not unknown:
        return
    for key in unknown:
        board.held[key] = {}
    for site, kind, key_id, *row in await conn.fetch(SQL["held"], *columns(unknown)):
        held = Held(*row)
        board.held[site, kind, key_id][held.table, held.part] = held
    coded = [key for key in unknown if key[1] in ("Medication", "Device")]
    if coded:
        for site, kind, key_id, system, code in await conn.fetch(SQL["codes"], *columns(coded)):
            board.codes[site, kind, key_id] = Code(system, code)


async def _promoted(conn: Any, parents: set[Key]) -> dict[Key, Wish]:
    found = await conn.fetch(SQL["take_waiting"], *columns(parents))
    return {(site, kind, key_id): Wish(thawed(mapped), person) for site, kind, key_id, person, mapped in found}


async def _hanging(conn: Any, board: Board, parents: Iterable[Key]) -> dict[Key, Wish]:
    """What hangs on Patients that go, and on Encounters that go or move, as it was mapped; unless it is in the batch.
    """
    held = [main for main in map(board.main, parents) if main]
    ids: Rows = {}
    persons = [each.omop_id for each in held if each.table == "person"]
    if persons:
        for table in statements.OF_PERSON:
            ids[table] = [row[0] for row in await conn.fetch(statements.of_persons(table), persons)]
    visits = [each.omop_id for each in held if each.table == "visit_occurrence"]
    details = [each.omop_id for each in held if each.table == "visit_detail"]
    if visits or details:
        ids.setdefault("visit_detail", []).extend(
            row[0] for row in await conn.fetch(SQL["parts_of_visits"], visits, details)
        )
    keys = {key for key, *_ in await _sources(conn, ids)} - board.wishes.keys()
    return await _as_mapped(conn, keys) if keys else {}


async def _sources(conn: Any, ids: Rows) -> list[tuple[Key, str, int, int, str | None, int | None]]:
    tables = [table for table, listed in ids.items() for _ in listed]
    numbers = [each for listed in ids.values() for each in listed]
    found = await conn.fetch(SQL["sources"], tables, numbers)
    return [
        ((site, kind, key_id), table, part, omop_id, patient, person)
        for table, omop_id, site, kind, key_id, part, patient, person in found
    ]


async def _as_mapped(conn: Any, keys: set[Key]) -> dict[Key, Wish]:
    """Rows that stand, turned back into what the mapper gave."""
    stored = _Stored()
    await stored.read(conn, keys)
    return {key: stored.wish(key) for key in keys}


class _Stored:
    """The rows of some resources, and the resources that their columns point to."""

    def __init__(self) -> None:
        self._rows: dict[Key, list[tuple[str, int, dict[str, Any]]]] = defaultdict(list)
        self._owner: dict[tuple[str, int], tuple[Key, int]] = {}
        self._about: dict[Key, tuple[str | None, int | None]] = {}
        self._links: dict[tuple[str, int], list[Link]] = defaultdict(list)

    async def read(self, conn: Any, keys: set[Key]) -> None:
        """Reads all rows of the keys."""
        ids: Rows = defaultdict(list)
        for row in await conn.fetch(SQL["held"], *columns(keys)):
            ids[row["omop_table"]].append(row["omop_id"])
        for key, table, part, omop_id, patient, person in await _sources(conn, ids):
            self._owner[table, omop_id] = key, part
            self._about[key] = patient, person
        targets: Rows = defaultdict(list)
        for table, listed in ids.items():
            for record in await conn.fetch(statements.rows(table), listed):
                key, part = self._owner[table, record[0]]
                self._rows[key].append((table, part, dict(record)))
                for column, target in _POINTERS.items():
                    if record.get(column) is not None and column != TABLES[table].key:
                        targets[target].append(record[column])
        for key, table, part, omop_id, _patient, _person in await _sources(conn, targets):
            self._owner[table, omop_id] = key, part
        tables = [table for table, listed in ids.items() for _ in listed]
        numbers = [each for listed in ids.values() for each in listed]
        for table, omop_id, link, kind, target_id in await conn.fetch(SQL["links"], tables, numbers):
            self._links[table, omop_id].append(Link(link, kind, target_id))

    def wish(self, key: Key) -> Wish:
        """What the mapper gave for this resource, but for its losses."""
        patient, person = self._about[key]
        made = [self._row(key, table, part, values) for table, part, values in self._rows[key]]
        encounters = {encounter for _, encounter in made if encounter}
        return Wish(Mapped(tuple(row for row, _ in made), patient, next(iter(encounters), None)), person)

    def _row(self, key: Key, table: str, part: int, values: dict[str, Any]) -> tuple[Row, str | None]:
        omop_id = values[TABLES[table].key]
        open_links = self._links[table, omop_id]
        links = [link for link in open_links if link.column != "encounter"]
        links += [Link(column, *self._target(LINKS[column], values[column])) for column in LINKS if values.get(column)]
        own = [Own(column, self._owner[OWN[column], values[column]][1]) for column in OWN if values.get(column)]
        encounter = next((link.id for link in open_links if link.column == "encounter"), None)
        encounter = encounter or self._encounter(key, table, values)
        dropped = {
            TABLES[table].key,
            "person_id",
            *_POINTERS,
            *(CODES[table] for link in links if link.column == CODES.get(table)),
        }
        kept = {name: value for name, value in values.items() if value is not None and name not in dropped}
        return Row(table, kept, part, tuple(links), tuple(own)), encounter

    def _target(self, table: str, omop_id: int) -> tuple[str, str]:
        (_, kind, key_id), _ = self._owner[table, omop_id]
        return kind, key_id

    def _encounter(self, key: Key, table: str, values: dict[str, Any]) -> str | None:
        """The Encounter that a row happened in; for a visit_detail the one that it is part of, unless that is its
        own.
        """
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
