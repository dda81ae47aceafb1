"""A completed board, written: a few statements a batch, one COPY a table.

Enters: a Board on which everything has its place. Leaves: the rows of omop and omop_map as the board wants them. The
order matters: what is rewritten goes first, then links are loosed and tied for the rows that stay, then the new rows
come, whose links were tied in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from consumers.warehouse import statements
from consumers.warehouse.board import SQL, TARGETS, Board, Held, Key, columns
from consumers.warehouse.compose import Spans, Writing, compare, compose, number
from consumers.warehouse.stored import frozen
from mappers.warehouse import concepts
from mappers.warehouse.record import Code
from mappers.warehouse.tables import LINKS, TABLES

ID_MAP = ("person", "omop_id", "part", "omop_table", "site", "resource_type", "resource_id", "patient")
LINK = ("omop_id", "omop_table", "link", "site", "target_type", "target_id", "patient")
WAITING = ("person", "site", "resource_type", "resource_id", "parent_type", "parent_id", "patient", "mapped")
CODE = ("person", "site", "resource_type", "resource_id", "patient", "system", "code")


async def store(conn: Any, board: Board) -> None:
    """Makes the tables what the board wants."""
    writing = Writing(board)
    await number(conn, writing)
    compare(writing)
    compose(writing)
    await _remove(conn, writing)
    await _loose(conn, writing)
    await _tie(conn, writing)
    await _recode(conn, writing)
    await _insert(conn, writing)
    await _follow(conn, writing)
    await _periods(conn, writing)


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
        await conn.execute(SQL["add_periods"], *_dates({**spans, **widened}), concepts.EHR)


def _dates(spans: Spans) -> tuple[list[int], list[date], list[date]]:
    return list(spans), [first for first, _ in spans.values()], [last for _, last in spans.values()]
