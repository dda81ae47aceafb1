"""From a completed board to what is written: ids, rows with every id they point to, and what of the old goes.

Enters: a Board on which everything has its place. Leaves: a Writing. Only `number` asks the database, for new ids.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, NamedTuple

from consumers.warehouse.board import SQL, TARGETS, Board, Held, Key, Visit
from mappers.warehouse.record import Mapped, Row
from mappers.warehouse.tables import EVENTS, LINKS, NUMBERED, OWN, TABLES

Spans = dict[int, tuple[date, date]]
"""First and last day by person."""


class _Whole(NamedTuple):
    """What the rows of one resource share. held: those of its rows that stand; visit: in which they happened"""

    key: Key
    mapped: Mapped
    held: dict[tuple[str, int], Held]
    person: int | None
    person_id: int | None
    visit: Visit | None


class Writing:
    """What one batch writes, gathered table by table."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.standing = list(board.standing())
        self.lost: list[tuple[Key, Held]] = []
        self.rewritten: list[tuple[Key, Held]] = []
        self.gained: set[Key] = set()
        self.rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.id_map: list[tuple[Any, ...]] = []
        self.reowned: list[tuple[Any, ...]] = []
        self.links: list[tuple[Any, ...]] = []
        self.codes: list[tuple[Any, ...]] = []
        self.moved: dict[int, int] = {}
        self.added: Spans = {}
        self.emptied: set[int] = set()


async def number(conn: Any, writing: Writing) -> None:
    """Gives each row its id: the one it has, else the one that is kept for it, else a new one."""
    board = writing.board
    fresh: dict[str, list[tuple[Key, int]]] = defaultdict(list)
    deaths: list[tuple[Key, int]] = []
    for key, mapped in writing.standing:
        held = board.held[key]
        for row in mapped.rows:
            if row.table == "death":
                deaths.append((key, row.part))
            elif old := held.get((row.table, row.part)):
                board.ids[key, row.table, row.part] = old.omop_id
            elif kept := board.kept.get((key, row.table, row.part)):
                _gain(writing, key, row.table, row.part, kept)
            else:
                fresh[row.table].append((key, row.part))
    if fresh:
        tables = [table for table in NUMBERED if table in fresh]
        for table, last in await conn.fetch(SQL["draw"], tables, [len(fresh[table]) for table in tables]):
            for omop_id, (key, part) in enumerate(fresh[table], last - len(fresh[table]) + 1):
                _gain(writing, key, table, part, omop_id)
    for key, part in deaths:
        board.ids[key, "death", part] = board.ids[key, "person", 0]


def _gain(writing: Writing, key: Key, table: str, part: int, omop_id: int) -> None:
    writing.board.ids[key, table, part] = omop_id
    if part == 0 and table in TARGETS:
        writing.gained.add(key)


def compare(writing: Writing) -> None:
    """Sorts the rows that stand into those that go and those that are written anew."""
    board = writing.board
    for key, rows in ((key, board.held[key]) for key in board.wishes if board.held[key]):
        standing = board.place(key).state == "stands"
        for (table, part), held in rows.items():
            if (key, table, part) in board.ids:
                writing.rewritten.append((key, held))
            elif table != "observation_period" or not standing:
                writing.lost.append((key, held))


def compose(writing: Writing) -> None:
    """Makes the new rows, with every id they point to."""
    board = writing.board
    for key, mapped in writing.standing:
        wish, person_id, visit = board.wishes[key], None, None
        if mapped.patient:
            person_id = board.id((key[0], "Patient", mapped.patient), "person")
        if mapped.encounter:
            visit = board.visit((key[0], "Encounter", mapped.encounter))
        whole = _Whole(key, mapped, board.held[key], wish.person, person_id, visit)
        for row in mapped.rows:
            _compose_row(writing, whole, row)
        if mapped.code:
            writing.codes.append((wish.person, *key, mapped.patient, mapped.code.system, mapped.code.code))


def _compose_row(writing: Writing, whole: _Whole, row: Row) -> None:
    table, omop_id = TABLES[row.table], writing.board.ids[whole.key, row.table, row.part]
    values = _values(writing, whole, row, omop_id)
    if table.of_person:
        values["person_id"] = whole.person_id
    values[table.key] = omop_id
    writing.rows[row.table].append(tuple(map(values.get, table.names)))
    _own(writing, whole, row, omop_id)
    if whole.person_id is not None and row.table in EVENTS:
        _widen(writing.added, whole.person_id, values, row.table)


def _own(writing: Writing, whole: _Whole, row: Row, omop_id: int) -> None:
    """Notes in the id map a new row, or one that now belongs to somebody else."""
    held, person, patient = whole.held.get((row.table, row.part)), whole.person, whole.mapped.patient
    if held is None:
        writing.id_map.append((person, omop_id, row.part, row.table, *whole.key, patient))
    elif (held.person, held.patient) != (person, patient):
        writing.reowned.append((row.table, omop_id, patient, person))


def _values(writing: Writing, whole: _Whole, row: Row, omop_id: int) -> dict[str, Any]:
    key, mapped, values = whole.key, whole.mapped, dict(row.values)
    if row.table == "visit_detail":
        _within(writing, whole, row, omop_id, values)
    elif mapped.encounter and TABLES[row.table].in_visit:
        if whole.visit:
            values["visit_occurrence_id"], values["visit_detail_id"] = whole.visit
        else:
            open_link = (omop_id, row.table, "encounter", key[0], "Encounter", mapped.encounter, mapped.patient)
            writing.links.append(open_link)
    for link in row.links:
        _link(writing, (key[0], link.type, link.id), row.table, link.column, values)
        if link.column not in LINKS or values[link.column] is None:
            writing.links.append((omop_id, row.table, link.column, key[0], link.type, link.id, mapped.patient))
    for own in row.own:
        values[own.column] = writing.board.ids.get((key, OWN[own.column], own.part))
    return values


def _within(writing: Writing, whole: _Whole, row: Row, omop_id: int, values: dict[str, Any]) -> None:
    """A visit_detail hangs on the Encounter that its Encounter is part of; a unit stay on its own Encounter."""
    key, mapped = whole.key, whole.mapped
    visit = writing.board.visit((key[0], "Encounter", mapped.encounter or key[2]) if row.part == 0 else key)
    if visit is None:
        return
    values["visit_occurrence_id"], values["parent_visit_detail_id"] = visit
    held = whole.held.get((row.table, row.part))
    if held and row.part == 0 and held.visit != visit.occurrence:
        writing.moved[omop_id] = visit.occurrence


def _link(writing: Writing, target: Key, table: str, column: str, values: dict[str, Any]) -> None:
    if column in LINKS:
        values[column] = writing.board.id(target, LINKS[column])
    else:
        code = writing.board.code(target)
        values[column] = code[: TABLES[table].limits[column]] if code else None


def _widen(spans: Spans, person_id: int, values: dict[str, Any], table: str) -> None:
    start, end = EVENTS[table]
    first = values[start]
    last = max(first, values.get(end) or first)
    known = spans.get(person_id)
    spans[person_id] = (min(first, known[0]), max(last, known[1])) if known else (first, last)
