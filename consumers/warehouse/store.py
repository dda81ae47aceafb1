"""A completed board, written: a few statements a batch, one COPY a table.

Enters: a Board on which everything has its place. Leaves: the rows of omop and omop_map as the board wants them. The
order matters: what is rewritten goes first, then links are loosed and tied for the rows that stay, then the new rows
come,
whose links were tied in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from consumers.warehouse import statements
from consumers.warehouse.board import TARGETS, Board, Held, Key, columns
from consumers.warehouse.gather import SQL, frozen
from mappers.warehouse.record import Code, Mapped, Row
from mappers.warehouse.tables import EVENTS, LINKS, NUMBERED, OWN, TABLES

ID_MAP = ("person", "omop_id", "part", "omop_table", "site", "resource_type", "resource_id", "patient")
LINK = ("omop_id", "omop_table", "link", "site", "target_type", "target_id", "patient")
WAITING = ("person", "site", "resource_type", "resource_id", "parent_type", "parent_id", "patient", "mapped")
CODE = ("person", "site", "resource_type", "resource_id", "patient", "system", "code")

Spans = dict[int, tuple[date, date]]


class Writing:
    """What one batch writes, gathered table by table."""

    def __init__(self, board: Board) -> None:
        self.board = board
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


async def store(conn: Any, board: Board) -> None:
    """Makes the tables what the board wants."""
    writing = Writing(board)
    await _number(conn, writing)
    _compare(writing)
    _compose(writing)
    await _remove(conn, writing)
    await _loose(conn, writing)
    await _tie(conn, writing)
    await _recode(conn, writing)
    await _insert(conn, writing)
    await _follow(conn, writing)
    await _periods(conn, writing)


async def _number(conn: Any, writing: Writing) -> None:
    """Gives each row its id: the one it has, else a new one."""
    board = writing.board
    fresh: dict[str, list[tuple[Key, int]]] = defaultdict(list)
    for key, mapped in board.standing():
        held = board.held[key]
        for row in mapped.rows:
            old = held.get((row.table, row.part))
            if old:
                board.ids[key, row.table, row.part] = old.omop_id
            elif row.table != "death":
                fresh[row.table].append((key, row.part))
    if fresh:
        tables = [table for table in NUMBERED if table in fresh]
        for table, last in await conn.fetch(SQL["draw"], tables, [len(fresh[table]) for table in tables]):
            for omop_id, (key, part) in enumerate(fresh[table], last - len(fresh[table]) + 1):
                board.ids[key, table, part] = omop_id
                if part == 0 and table in TARGETS:
                    writing.gained.add(key)
    for key, mapped in board.standing():
        for row in mapped.rows:
            if row.table == "death":
                board.ids[key, "death", row.part] = board.ids[key, "person", 0]


def _compare(writing: Writing) -> None:
    """Sorts the rows that stand into those that go and those that are written anew."""
    board = writing.board
    for key in board.wishes:
        standing = board.place(key).state == "stands"
        for (table, part), held in board.held[key].items():
            if (key, table, part) in board.ids:
                writing.rewritten.append((key, held))
            elif table != "observation_period" or not standing:
                writing.lost.append((key, held))


def _compose(writing: Writing) -> None:
    """Makes the new rows, with every id they point to."""
    board = writing.board
    for key, mapped in board.standing():
        person_id = board.id((key[0], "Patient", mapped.patient), "person") if mapped.patient else None
        about = board.wishes[key].person, mapped.patient
        for row in mapped.rows:
            omop_id = board.ids[key, row.table, row.part]
            values = _values(writing, key, mapped, row, omop_id)
            table = TABLES[row.table]
            if table.of_person:
                values["person_id"] = person_id
            values[table.key] = omop_id
            writing.rows[row.table].append(tuple(map(values.get, table.names)))
            held = board.held[key].get((row.table, row.part))
            if held is None:
                writing.id_map.append((about[0], omop_id, row.part, row.table, *key, about[1]))
            elif (held.person, held.patient) != about:
                writing.reowned.append((row.table, omop_id, about[1], about[0]))
            if person_id is not None and row.table in EVENTS:
                _widen(writing.added, person_id, values, row.table)
        if mapped.code:
            writing.codes.append((about[0], *key, about[1], mapped.code.system, mapped.code.code))


def _values(writing: Writing, key: Key, mapped: Mapped, row: Row, omop_id: int) -> dict[str, Any]:
    board, values = writing.board, dict(row.values)
    if row.table == "visit_detail":
        whole = (key[0], "Encounter", mapped.encounter or key[2]) if row.part == 0 else key
        visit = board.visit(whole)
        if visit:
            values["visit_occurrence_id"], values["parent_visit_detail_id"] = visit
            _move(writing, key, row, omop_id, visit.occurrence)
    elif mapped.encounter and TABLES[row.table].in_visit:
        visit = board.visit((key[0], "Encounter", mapped.encounter))
        if visit:
            values["visit_occurrence_id"], values["visit_detail_id"] = visit
        else:
            writing.links.append(
                (omop_id, row.table, "encounter", key[0], "Encounter", mapped.encounter, mapped.patient)
            )
    for link in row.links:
        target = (key[0], link.type, link.id)
        coded = link.column not in LINKS
        limit = TABLES[row.table].limits.get(link.column, 0)
        value = values[link.column] = _code(board, target, limit) if coded else board.id(target, LINKS[link.column])
        if coded or value is None:
            writing.links.append((omop_id, row.table, link.column, *target, mapped.patient))
    for own in row.own:
        values[own.column] = board.ids.get((key, OWN[own.column], own.part))
    return values


def _code(board: Board, target: Key, limit: int) -> str | None:
    code = board.code(target)
    return code[:limit] if code else None


def _move(writing: Writing, key: Key, row: Row, omop_id: int, occurrence: int) -> None:
    held = writing.board.held[key].get((row.table, row.part))
    if held and row.part == 0 and held.visit != occurrence:
        writing.moved[omop_id] = occurrence


def _widen(spans: Spans, person_id: int, values: dict[str, Any], table: str) -> None:
    start, end = EVENTS[table]
    first = values[start]
    last = max(first, values.get(end) or first)
    known = spans.get(person_id)
    spans[person_id] = (min(first, known[0]), max(last, known[1])) if known else (first, last)


async def _remove(conn: Any, writing: Writing) -> None:
    by_table: dict[str, list[int]] = defaultdict(list)
    for _, held in (*writing.lost, *writing.rewritten):
        by_table[held.table].append(held.omop_id)
    for table, ids in by_table.items():
        for (person_id,) in await conn.fetch(statements.delete(table), ids):
            if person_id is not None:
                writing.emptied.add(person_id)
    if by_table:
        await conn.execute(SQL["forget_links"], *_pairs(held for _, held in (*writing.lost, *writing.rewritten)))
    if writing.lost:
        await conn.execute(SQL["forget_ids"], *_pairs(held for _, held in writing.lost))


def _pairs(rows: Iterable[Held]) -> tuple[list[str], list[int]]:
    listed = list(rows)
    return [held.table for held in listed], [held.omop_id for held in listed]


async def _loose(conn: Any, writing: Writing) -> None:
    """Rows that pointed to what is gone point to nothing, and remember to what."""
    gone: dict[str, list[tuple[Key, int]]] = defaultdict(list)
    for key, held in writing.lost:
        if held.part == 0 and held.table in TARGETS:
            gone[held.table].append((key, held.omop_id))
    # Details first: a row that happened in a part of a visit refers to the part, not to the visit.
    for table in ("visit_detail", "visit_occurrence", *LINKS.values()):
        for pointing in statements.pointing(f"{table}_id") if table in gone else ():
            if TABLES[pointing].in_visit or table in LINKS.values():
                ids = [omop_id for _, omop_id in gone[table]]
                await conn.execute(
                    statements.detach(pointing, f"{table}_id"), ids, *columns(key for key, _ in gone[table])
                )


async def _tie(conn: Any, writing: Writing) -> None:
    """Rows that stand and wait for what has arrived point to it."""
    if not writing.gained:
        return
    board = writing.board
    tied: dict[tuple[str, str], list[tuple[int, Key]]] = defaultdict(list)
    for table, omop_id, link, *target in await conn.fetch(SQL["take_links"], *columns(writing.gained)):
        tied[table, link].append((omop_id, (target[0], target[1], target[2])))
    for (table, link), found in tied.items():
        ids = [omop_id for omop_id, _ in found]
        if link == "encounter":
            visits = [board.visit(target) or (None, None) for _, target in found]
            await conn.execute(
                statements.fill_visit(table), ids, [each[0] for each in visits], [each[1] for each in visits]
            )
        else:
            await conn.execute(
                statements.fill(table, link), ids, [board.id(target, LINKS[link]) for _, target in found]
            )


async def _recode(conn: Any, writing: Writing) -> None:
    """Rows that take the code of a Medication or Device take the new one."""
    board = writing.board
    new = {(row[1], row[2], row[3]): Code(row[5], row[6]) for row in writing.codes}
    told = [key for key in board.wishes if key[1] in ("Medication", "Device") and board.codes.get(key) != new.get(key)]
    if not told:
        return
    await conn.execute(SQL["forget_codes"], *columns(told))
    changed: dict[tuple[str, str], list[tuple[int, str | None]]] = defaultdict(list)
    for table, omop_id, link, *target in await conn.fetch(SQL["code_links"], *columns(told)):
        changed[table, link].append((omop_id, board.code((target[0], target[1], target[2]))))
    for (table, link), found in changed.items():
        limit = TABLES[table].limits[link]
        values = [code[:limit] if code else None for _, code in found]
        await conn.execute(statements.fill(table, link, "text"), [omop_id for omop_id, _ in found], values)
    await _copy(conn, "omop_map", "code", CODE, [row for row in writing.codes if (row[1], row[2], row[3]) in set(told)])


async def _insert(conn: Any, writing: Writing) -> None:
    for table, rows in writing.rows.items():
        await _copy(conn, "omop", table, TABLES[table].names, rows)
    await _copy(conn, "omop_map", "id_map", ID_MAP, writing.id_map)
    if writing.reowned:
        await conn.execute(SQL["own_ids"], *map(list, zip(*writing.reowned, strict=True)))
    await _copy(conn, "omop_map", "link", LINK, writing.links)
    waiting = [
        (wish.person, *key, parent[1], parent[2], wish.mapped.patient, frozen(wish.mapped))
        for key, wish, parent in writing.board.waiting()
        if wish.mapped
    ]
    await _copy(conn, "omop_map", "waiting", WAITING, waiting)


async def _copy(conn: Any, schema: str, table: str, names: Iterable[str], rows: list[tuple[Any, ...]]) -> None:
    if rows:
        await conn.copy_records_to_table(table, schema_name=schema, columns=list(names), records=rows)


async def _follow(conn: Any, writing: Writing) -> None:
    if writing.moved:
        for table in statements.IN_VISIT:
            await conn.execute(statements.follow(table), list(writing.moved), list(writing.moved.values()))


async def _periods(conn: Any, writing: Writing) -> None:
    """Keeps observation_period the first and last day of all events: widened by what is added, taken anew when rows
    go.
    """
    spans: Spans = {}
    if writing.emptied:
        spans = {row[0]: (row[1], row[2]) for row in await conn.fetch(SQL["spans"], list(writing.emptied))}
        await conn.execute(SQL["set_periods"], *_dates(spans))
        bare = writing.emptied - spans.keys()
        if bare:
            await conn.execute(SQL["drop_periods"], list(bare))
    widened = {person_id: span for person_id, span in writing.added.items() if person_id not in spans}
    if widened:
        await conn.execute(SQL["widen_periods"], *_dates(widened))
    if widened or spans:
        await conn.execute(SQL["add_periods"], *_dates({**spans, **widened}), PERIOD_TYPE)


def _dates(spans: Spans) -> tuple[list[int], list[date], list[date]]:
    return list(spans), [first for first, _ in spans.values()], [last for _, last in spans.values()]


PERIOD_TYPE = 32817
