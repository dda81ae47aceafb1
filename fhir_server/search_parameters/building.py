"""Parameters made at run time, from asked for to served, and away again.

Enters: rows of fhir.parameter. Leaves: index rows of what is asked for, verified, and none of what is gone. Any server
process does the work, one parameter after the other, in batches that are committed with the place they reached; what is
cut off goes on there.

    requested     wait until no transaction is under way that may not know the parameter; from then on every writer
                  keeps its rows
    backfilling   walk over what stands, each batch locked as writers lock it
    verifying     walk again and compare all rows with the bodies; a unique one is enforced from here on, and what
                  stands is claimed
    active        served
    failed        not served, with the reason; its rows go as those of one that is taken away

Whoever takes a parameter out counts the generation on, waits for earlier transactions in the same way, and then removes
its rows: nobody adds any after that, and its path numbers are free again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection, Pool
from ecluse.core.db.upkeep import only_one, repeated, unhurried
from ecluse.core.fhir import json, types
from ecluse.core.log import Log
from ecluse.related.registries import Made, load
from fhir_server.search_parameters import claims
from fhir_server.search_parameters.parameters import SQL as PARAMETERS
from fhir_server.search_parameters.walking import Failed, Walk, walk
from fhir_server.store.search_rows import TABLES

SQL = queries.load(__package__, "building.sql")
LOCK = 0x5350_4152
EVERY_S = 0.5
LOOK_EVERY_S = 0.02
MOST_ROWS = 5000
MOST_NAMED = 10

log = Log("search_parameters")


class Task(NamedTuple):
    """The parameter that is worked on, and how far its walk is."""

    pk: int
    site: int
    state: str
    unique: bool
    dirty: bool
    kind: str
    readings: Any
    place_site: int
    place_type: int
    place_pk: int

    @property
    def types(self) -> list[int]:
        """The resource types that it reads, in the order of their numbers."""
        return sorted(types.number_of[name] for name in self.readings)


async def keep(pool: Pool) -> None:
    """Works until cancelled."""
    await repeated(partial(_look, pool), EVERY_S)


async def _look(pool: Pool) -> None:
    if await pool.fetchval(SQL["due"]):
        async with pool.acquire() as conn, only_one(conn, LOCK) as alone:
            if alone:
                await _work(conn)


async def _work(conn: Connection) -> None:
    """Every parameter there is to work on, to its end."""
    async with unhurried(conn):
        while (row := await conn.fetchrow(SQL["next"])) is not None:
            task = Task(*row)
            await _step(conn, task._replace(readings=json.decode(task.readings)))


async def _step(conn: Connection, task: Task) -> None:
    """Brings a parameter one state further, or its walk one batch."""
    if task.dirty:
        await _remove(conn, task)
    elif task.state == "requested":
        await _wait_for_earlier(conn)
        await conn.execute(SQL["begin"], task.pk, "requested", "backfilling", task.site, task.types)
    else:
        if task.place_site == 0:
            await _wait_for_earlier(conn)
        try:
            if not await _batch(conn, task):
                await (_verify if task.state == "backfilling" else _activate)(conn, task)
        except Failed as error:
            await _settle(conn, task, "failed", str(error))


async def _wait_for_earlier(conn: Connection) -> None:
    """Returns when the transactions have ended that may have read an earlier generation than the one that stands."""
    waited = {row[0] for row in await conn.fetch(SQL["readers"])}
    while waited:
        await asyncio.sleep(LOOK_EVERY_S)
        waited &= {row[0] for row in await conn.fetch(SQL["readers"])}


async def _batch(conn: Connection, task: Task) -> bool:
    """Whether there were resources left to walk over."""
    made = await _made(conn, task)
    if made is None:
        return True
    if not made.paths and task.state == "backfilling":
        return False
    for row in await conn.fetch(SQL["sites"], task.site):
        for kind in task.types:
            site = row["site"]
            if (site, kind) < (task.place_site, task.place_type):
                continue
            begun = (site, kind) == (task.place_site, task.place_type)
            found = await _take(conn, Walk(made, site, kind, task.place_pk if begun else -1, task.state == "verifying"))
            if found:
                return True
    return False


async def _take(conn: Connection, this: Walk) -> int:
    """How many resources were taken, in one transaction."""
    async with conn.transaction():
        keys = await walk(conn, this)
        if keys:
            await conn.execute(SQL["advance"], this.made.pk, this.site, this.type, keys[-1], len(keys))
    await asyncio.sleep(0)
    return len(keys)


async def _made(conn: Connection, task: Task) -> Made | None:
    return next((one for one in (await load(conn))[1] if one.pk == task.pk), None)


async def _verify(conn: Connection, task: Task) -> None:
    """Goes over to the comparison; a unique one is enforced first, unless it is broken already."""
    if task.unique and (told := await _shared(conn, task)):
        raise Failed(told)
    async with conn.transaction():
        await conn.execute(PARAMETERS["next_generation"])
        await conn.execute(SQL["begin"], task.pk, "backfilling", "verifying", task.site, task.types)


async def _shared(conn: Connection, task: Task) -> str:
    """The values that several resources have, as a sentence; empty when there are none."""
    told: list[str] = []
    for row in await conn.fetch(SQL["sites"], task.site):
        for name, reading in task.readings.items():
            place = (row["site"], types.number_of[name], reading["paths"])
            for shared in await conn.fetch(claims.SQL["shared"], *place, MOST_NAMED):
                told.append(f"{shared['code']}: {', '.join(f'{name}/{own}' for own in shared['ids'][:MOST_NAMED])}")
    return f"these values are not unique: {'; '.join(told[:MOST_NAMED])}" if told else ""


async def _activate(conn: Connection, task: Task) -> None:
    """Serves what was found right."""
    made = await _made(conn, task)
    for row in await conn.fetch(SQL["sites"], task.site):
        for kind in task.types:
            own = [path.number for path in made.paths if types.number_of[path.resource_type] == kind] if made else []
            for table in TABLES.values():
                if await conn.fetchval(SQL["astray"].format(table=table.name), row["site"], kind, own):
                    raise Failed("index rows stand for resources that do not; ask for it again")
    await _settle(conn, task, "active", "")


async def _settle(conn: Connection, task: Task, state: str, reason: str) -> None:
    async with conn.transaction():
        await conn.execute(PARAMETERS["next_generation"])
        await conn.execute(SQL["settle"], task.pk, task.state, state, reason)
    log.info("search parameter settled", status=state, count=len(task.readings))


async def _remove(conn: Connection, task: Task) -> None:
    """Removes all rows of a parameter that nobody keeps any more, then its path numbers."""
    await _wait_for_earlier(conn)
    paths = [row["number"] for row in await conn.fetch(SQL["own_paths"], task.pk)]
    sites = [row["site"] for row in await conn.fetch(SQL["sites"], task.site)]
    for table in TABLES.values():
        await _sweep(conn, SQL["sweep"].format(table=table.name), [(site, path) for site in sites for path in paths])
    while await conn.execute(claims.SQL["drop"], [task.pk], MOST_ROWS) != "DELETE 0":
        await asyncio.sleep(0)
    async with conn.transaction():
        await conn.execute(SQL["forget_paths"], task.pk)
        await conn.execute(SQL["forget"], task.pk)


async def _sweep(conn: Connection, sql: str, places: Sequence[tuple[int, int]]) -> None:
    for place in places:
        while await conn.execute(sql, *place, MOST_ROWS) != "DELETE 0":
            await asyncio.sleep(0)
