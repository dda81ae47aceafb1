"""A store ten times as large, made inside of the database: copies of all resources beside them.

Enters: the address of a store, and how many copies. Leaves: each copy has keys, ids, patients and references of its
own, in its bodies as in its search rows. Its search rows differ from those of the original: names go on with another
letter, dates are some weeks earlier, quantities some hundredths larger; the bodies keep theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import asyncpg

from ecluse.core.db import queries
from fhir_server.store.keys import BLOCK

SQL = queries.load(__package__, "copies.sql")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""All ids that the server gave are UUIDs; those of a copy end in its number."""
RECENT = "BETWEEN '1850-01-01' AND '2150-01-01'"

_TEXT = "regexp_replace({name}, '^" + UUID + "$', '\\&-{copy}')"
CHANGED = {
    ("pk", "bigint"): "{name} + {copy} * {shift}",
    ("id", "text"): "{name} || '-{copy}'",
    ("patient", "text"): "{name} || '-{copy}'",
    ("body", "bytea"): "convert_to(regexp_replace(convert_from({name}, 'UTF8'), '"
    + UUID
    + "', '\\&-{copy}', 'g'), 'UTF8')",
    ("target_id", "text"): _TEXT,
    ("code", "text"): _TEXT,
    ("folded", "text"): "{name} || chr(96 + {copy})",
    ("low", "numeric"): "{name} * (100 + {copy}) / 100",
    ("high", "numeric"): "{name} * (100 + {copy}) / 100",
    ("canonical_low", "numeric"): "{name} * (100 + {copy}) / 100",
    ("canonical_high", "numeric"): "{name} * (100 + {copy}) / 100",
} | {
    (name, "timestamp with time zone"): "CASE WHEN {name} " + RECENT + " THEN {name} - {copy} * interval '23 days'"
    " ELSE {name} END"
    for name in ("low", "high")
}
"""What a column of a copy has, by name and type; the others have what the original has."""


async def make(store: str, copies: int) -> None:
    """So many copies, of all tables whose rows belong to a resource; two tables at a time."""
    conn = await asyncpg.connect(store)
    shift = (await conn.fetchval(SQL["last_key"]) // BLOCK + 1) * BLOCK
    tables = [tuple(row) for row in await conn.fetch(SQL["keyed"])]
    await conn.execute(SQL["skip_keys"], (copies + 1) * shift // BLOCK + 1)
    await conn.close()
    waiting = iter(tables)
    await asyncio.gather(*(_copy_tables(store, waiting, copies, shift) for _ in range(2)))
    await settle(store)


async def _copy_tables(store: str, tables: Iterable[tuple[str, list[str], list[str]]], copies: int, shift: int) -> None:
    conn = await asyncpg.connect(store, command_timeout=None)
    await conn.execute("SET synchronous_commit = off; SET statement_timeout = 0; SET maintenance_work_mem = '512MB'")
    for name, columns, types in tables:
        indexes = await conn.fetch(SQL["plain_indexes"], name)
        for index in indexes:
            await conn.execute(f"DROP INDEX {index['name']}")
        old = f"SELECT * FROM {name} WHERE pk < {shift}"
        for copy in range(1, copies + 1):
            values = [_value(*column, copy, shift) for column in zip(columns, types, strict=True)]
            await conn.execute(f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM ({old}) o")
        for index in indexes:
            await conn.execute(index["definition"])
    await conn.close()


def _value(name: str, kind: str, copy: int, shift: int) -> str:
    value = CHANGED.get((name, kind), "{name}")
    for mark, number in (("{name}", name), ("{copy}", str(copy)), ("{shift}", str(shift))):
        value = value.replace(mark, number)
    return value


async def settle(store: str) -> None:
    """As a store is that has been there for a while: vacuumed, analysed, its log written out."""
    conn = await asyncpg.connect(store, command_timeout=None)
    await conn.execute("SET statement_timeout = 0")
    for statement in ("VACUUM (ANALYZE)", "CHECKPOINT"):
        await conn.execute(statement)
    await conn.close()
