"""The rows that searches read: how each kind stands in its table, and what adds, drops and reads them.

Enters: a connection in the caller's transaction, keys of resources and their rows. Leaves: the same rows in the tables.
The statements are made once, when this module is loaded, of the table of columns below: nothing that a client wrote is
in their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from mappers.search.rows import IndexRows, no_rows

SQL = queries.load(__package__, "search_rows.sql")
NO_ROWS = no_rows()
"""Of what has none; nobody adds to it."""


class Table(NamedTuple):
    """Where one kind of rows stands. columns: name and SQL type of each part of a row, in its order."""

    name: str
    columns: Mapping[str, str]

    def statement(self, verb: str, site: str = "$1", first: int = 2) -> str:
        """What adds, drops or reads. site: the mark of the site's number; first: of the first array's"""
        names = ("pk", *self.columns)
        kinds = ("bigint", *self.columns.values())
        return SQL[verb].format(
            table=self.name,
            site=site,
            columns=", ".join(names),
            arrays=", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, first)),
            same=" AND ".join(f"t.{name} = gone.{name}" for name in names),
        )


TABLES: dict[str, Table] = {
    "tokens": Table("token", {"path": "smallint", "item": "smallint", "system": "bigint", "code": "text"}),
    "references": Table(
        "reference", {"path": "smallint", "item": "smallint", "target_type": "smallint", "target_id": "text"}
    ),
    "strings": Table("string", {"path": "smallint", "folded": "text", "exact": "text"}),
    "dates": Table("date", {"path": "smallint", "item": "smallint", "low": "timestamptz", "high": "timestamptz"}),
    "quantities": Table(
        "quantity",
        {
            "path": "smallint",
            "item": "smallint",
            **dict.fromkeys(("unit", "code", "text"), "bigint"),
            **dict.fromkeys(("low", "high", "canonical_low", "canonical_high"), "numeric"),
        },
    ),
}
"""The table of each kind, in the order of IndexRows."""


def alongside(
    statement: str, first: int, gone: Sequence[tuple[int, IndexRows]], added: Sequence[tuple[int, IndexRows]]
) -> tuple[str, list[list[Any]]]:
    """A statement that drops and adds rows beside what it does by itself, and the further arguments for that.

    statement: has `{search_rows}` where a WITH may hold more parts, and the site as $4; first: number of the first of
    the further arguments; gone, added: rows by key of their resource"""
    drops, adds = columns(gone), columns(added)
    kinds = tuple(bool(arrays[0]) for arrays in (*drops, *adds))
    return _alongside(statement, first, kinds), [column for arrays in (*drops, *adds) if arrays[0] for column in arrays]


@cache
def _alongside(statement: str, first: int, kinds: tuple[bool, ...]) -> str:
    """Only with the parts that have work to do: one that has none costs as much as a quarter of a round trip."""
    parts: list[str] = []
    for (verb, table), some in zip(product(("drop", "add"), TABLES.values()), kinds, strict=True):
        if some:
            parts.append(f"{verb}_{table.name} AS (\n{table.statement(verb, '$4', first)}\n), ")
            first += 1 + len(table.columns)
    return statement.format(search_rows="".join(parts))


ADD, DROP, HELD = ([table.statement(verb) for table in TABLES.values()] for verb in ("add", "drop", "held"))
_DROPPED = [f"{table.name} AS ({table.statement('drop_all')})" for table in TABLES.values()]
DROP_ALL = f"WITH {', '.join(_DROPPED)} SELECT"


async def add(conn: Connection, site: int, rows: Sequence[tuple[int, IndexRows]]) -> None:
    """Adds rows of resources, by key; most updates touch one kind or none."""
    await _each_kind(conn, ADD, site, rows)


async def copy(conn: Connection, site: int, rows: Sequence[tuple[int, IndexRows]]) -> None:
    """Adds rows of many resources: cheaper than arrays on both sides, at the price of a round trip for each kind."""
    for kind, table in enumerate(TABLES.values()):
        records = [(site, pk, *row) for pk, own in rows for row in own[kind]]
        if records:
            names = ("site", "pk", *table.columns)
            await conn.copy_records_to_table(table.name, schema_name="fhir", columns=names, records=records)


async def drop(conn: Connection, site: int, rows: Sequence[tuple[int, IndexRows]]) -> None:
    """Drops these rows of resources, by key."""
    await _each_kind(conn, DROP, site, rows)


async def drop_all(conn: Connection, pks: Sequence[int]) -> None:
    """Drops whatever rows stand for these resources, also those that another release made."""
    await conn.execute(DROP_ALL, pks)


async def held(conn: Connection, pks: Sequence[int]) -> dict[int, IndexRows]:
    """The rows that stand for each of these resources."""
    found = {pk: no_rows() for pk in pks}
    for place, sql in enumerate(HELD):
        for pk, *row in await conn.fetch(sql, pks):
            found[pk][place].append(tuple(map(_aware, row)))
    return found


async def _each_kind(
    conn: Connection, statements: Sequence[str], site: int, rows: Sequence[tuple[int, IndexRows]]
) -> None:
    for sql, arrays in zip(statements, columns(rows), strict=True):
        if arrays[0]:
            await conn.execute(sql, site, *arrays)


def columns(rows: Sequence[tuple[int, IndexRows]]) -> list[list[list[Any]]]:
    """For each kind its columns as arrays, the resource's key first."""
    found: list[list[list[Any]]] = []
    for kind, table in enumerate(TABLES.values()):
        keys = [pk for pk, own in rows for _ in own[kind]]
        values = zip(*(row for _, own in rows for row in own[kind]), strict=True)
        found.append([keys, *map(list, values)] if keys else [[] for _ in range(1 + len(table.columns))])
    return found


def without(rows: IndexRows, other: IndexRows) -> IndexRows:
    """The rows that the other has not."""
    pairs: Iterable[tuple[list[Any], list[Any]]] = zip(rows, other, strict=True)
    return IndexRows(*([row for row in own if row not in others] for own, others in pairs))


def together(rows: IndexRows, other: IndexRows) -> IndexRows:
    """The rows of both."""
    pairs: Iterable[tuple[list[Any], list[Any]]] = zip(rows, other, strict=True)
    return IndexRows(*(own + others for own, others in pairs))


def of_paths(rows: IndexRows, numbers: frozenset[int]) -> IndexRows:
    """Those taken from some paths."""
    kinds: Iterable[list[Any]] = rows
    return IndexRows(*([row for row in kind if row[0] in numbers] for kind in kinds))


def _aware(value: Any) -> Any:
    """asyncpg's infinities have no zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
