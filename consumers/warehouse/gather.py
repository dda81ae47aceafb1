"""From the events of a batch to all that the batch has to write: what stands, who arrives, who goes.

Enters: a Board with the wishes of the events. Leaves: the same Board, knowing what it refers to, and holding as well
the resources that waited for a parent of this batch and those that hang on a parent which moves or goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from consumers.warehouse import statements
from consumers.warehouse.board import SQL, Board, Held, Key, Wish, columns
from consumers.warehouse.stored import Ids, as_mapped, sources, thawed
from mappers.warehouse.record import Code


async def gather(conn: Any, board: Board) -> None:
    """Completes the board."""
    known = [key for key in board.wishes if key not in board.held]
    if known:
        await conn.execute(SQL["forget_waiting"], *columns(known))
    await _learn(conn, board)
    asked: set[Key] = set()
    while True:
        arrived, shaken = board.arrived() - asked, board.shaken() - asked
        if not arrived and not shaken:
            return
        asked |= arrived | shaken
        waited = await _waited(conn, board, arrived, shaken)
        board.waited |= waited.keys()
        board.add({**(await _hanging(conn, board, shaken) if shaken else {}), **waited})
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


async def _waited(conn: Any, board: Board, arrived: set[Key], shaken: set[Key]) -> dict[Key, Wish]:
    """What waited for those who arrive, and what waited for others beside Patients who go."""
    found = await conn.fetch(SQL["take_waiting"], *columns(arrived)) if arrived else []
    left = [key for key in shaken if key[1] == "Patient" and not board.stands(key)]
    if left:
        found += await conn.fetch(SQL["take_waiting_of"], [key[0] for key in left], [key[2] for key in left])
    return {(site, kind, key_id): Wish(thawed(mapped), person) for site, kind, key_id, person, mapped in found}


async def _hanging(conn: Any, board: Board, parents: Iterable[Key]) -> dict[Key, Wish]:
    """What hangs on Patients that go and on Encounters that go or move, as it was mapped, and is not in the batch."""
    held = [main for main in map(board.main, parents) if main]
    ids: Ids = {}
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
    keys = {source.key for source in await sources(conn, ids)} - board.wishes.keys()
    return await as_mapped(conn, keys) if keys else {}
