"""`_explain`: what a search was understood as, and how it was found.

Enters: a search. Leaves: Parameters: the conditions, and each statement with its plan, estimated and real rows and the
indexes that served it. The statements are those of the search itself, taken down while it runs, and are planned as it
plans them. Values are counted and not shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecluse.core.fhir import json
from ecluse.related import follower
from fhir_server.search import compile_explained
from fhir_server.search.readable import readable
from fhir_server.search.search import Search

PURPOSES = {sql: f"includes: {name}" for name, sql in follower.SQL.items()}
"""Of statements that are not built at run time."""
Part = dict[str, Any]


class Statement(NamedTuple):
    """conn: what it was asked of; purpose: what it was for; counted: what it answered, when that is a few numbers"""

    conn: Any
    purpose: str
    sql: str
    arguments: tuple[Any, ...]
    counted: tuple[int | None, ...] = ()


@dataclass(slots=True)
class Recorder:
    """A connection that takes down what it is asked. running: else pages are found empty, without being looked for"""

    conn: Any
    running: bool
    statements: list[Statement]

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """The rows of a page, or of what it includes."""
        self.statements.append(Statement(self.conn, PURPOSES.get(sql, "page"), sql, arguments))
        return await self.conn.fetch(sql, *arguments) if self.running else []

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """The counts that decide where to begin."""
        row = await self.conn.fetchrow(sql, *arguments)
        purpose = "counts of the conditions, up to a bound"
        self.statements.append(Statement(self.conn, purpose, sql, arguments, tuple(row)))
        return row

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """A total, or the planner's estimate of it."""
        if sql.startswith(compile_explained.PLANNED):
            return await self.conn.fetchval(sql, *arguments)
        self.statements.append(Statement(self.conn, "total", sql, arguments))
        return await self.conn.fetchval(sql, *arguments) if self.running else 0


async def explained(search: Search, statements: Sequence[Statement], *, analyze: bool) -> bytes:
    """The Parameters that tell of a search. analyze: by running each statement again"""
    parts = [_text("understood", line) for line in _understood(search)]
    if search.asked.explain == "analyze" and not analyze:
        parts.append(_text("stopped", "the search took longer than it may: these are its plans, not run to their end"))
    for statement in statements:
        plan = await _plan(statement, analyze=analyze)
        parts.append({"name": "statement", "part": _told(statement, plan)})
    return json.encode({"resourceType": "Parameters", "parameter": parts})


def _understood(search: Search) -> Iterator[str]:
    for leg in search.legs:
        for condition in leg.query.conditions:
            yield f"{leg.site.name} {leg.query.type}: {readable(condition, leg.registry)}"
    for key in search.asked.sort:
        yield f"sorted by {key.by}{', the last first' if key.descending else ''}"
    for one in search.asked.includes:
        way = "included: what refers to it by" if one.reverse else "included: what is referred to by"
        yield f"{way} {one.type}:{one.code}:{one.target}{', again and again' if one.iterate else ''}"


async def _plan(statement: Statement, *, analyze: bool) -> dict[str, Any]:
    """The plan of one statement, as its connection makes it."""
    conn = statement.conn
    prepared = await conn.prepare(statement.sql)
    types = [kind.name for kind in prepared.get_parameters()]
    literals = await conn.fetchrow(compile_explained.quoted(types), *statement.arguments) if types else ()
    await conn.execute(compile_explained.prepared(statement.sql, types))
    try:
        text = await conn.fetchval(compile_explained.executed(tuple(literals), analyze=analyze))
    finally:
        await conn.execute(compile_explained.FORGET)
    found: dict[str, Any] = json.decode(text)[0]
    return found


def _told(statement: Statement, plan: dict[str, Any]) -> list[Part]:
    root = plan["Plan"]
    parts = [
        _text("purpose", statement.purpose),
        _text("sql", statement.sql),
        {"name": "arguments", "valueInteger": len(statement.arguments)},
        *(_text("counted", "unknown" if number is None else str(number)) for number in statement.counted),
        {"name": "estimatedRows", "valueInteger": int(root["Plan Rows"])},
    ]
    if "Actual Rows" in root:
        parts.append({"name": "realRows", "valueInteger": round(float(json.plain(root["Actual Rows"])))})
        parts.append({"name": "milliseconds", "valueDecimal": plan["Execution Time"]})
    parts += [_text("index", name) for name in sorted(set(_indexes(root)))]
    return [*parts, _text("plan", json.encode(plan).decode())]


def _indexes(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for inner in node.get("Plans", ()):
        yield from _indexes(inner)


def _text(name: str, text: str) -> Part:
    return {"name": name, "valueString": text}
