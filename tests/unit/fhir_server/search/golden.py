"""Golden files of SQL: query; expected SQL; arguments.

A case is `-- few Type?query`, the statement, a line with `;`, and a line of arguments as JSON; between two statements
is a line with `--`, and each has a line of arguments. `few` and `many` are the page when each group of conditions has
few or many rows, `gathered` when it has many and its chains lead to or come from few; `counts` is what is counted to
tell these apart, `count` and `matches` are the functions of `compile`.
After a change that is meant, `python -m tests.unit.fhir_server.search.golden` writes the files anew; read what changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from fhir_server.search import compile, plan
from fhir_server.search.cursor import Cursor, order_of
from fhir_server.search.parse import parse
from fhir_server.search.query import Condition, Joined, Linked, Linking, SearchQuery, Sort
from fhir_server.search.tree import groups

FOLDER = Path(__file__).parents[3] / "golden" / "search"
BASE = "http://here/fhir"
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
MANY, FEW = plan.MOST + 1, 3

_CASE = re.compile(
    r"^-- (few|many|gathered|counts|count|matches) (\w+)\?(.*)\n((?:.*\n)*?);\n((?:\[.*\n)+)", re.MULTILINE
)


class Case(NamedTuple):
    """One query and what becomes of it."""

    function: str
    type: str
    query: str
    sql: str
    arguments: str


def cases(text: str) -> Iterator[Case]:
    """The cases of a file."""
    for found in _CASE.finditer(text):
        function, name, query, sql, arguments = found.groups()
        yield Case(function, name, query, sql.rstrip("\n"), arguments.rstrip("\n"))


def compiled(case: Case) -> Case:
    """The same query with what becomes of it now. `_cursor=7` stands for a cursor after the resource with key 7."""
    query = parse(case.type, case.query.replace("_cursor=7", ""), base=BASE)
    if "_cursor=7" in case.query:
        place = Cursor(order_of(query.sort), tuple(map(_key, query.sort)), 7)
        query = parse(case.type, case.query.replace("_cursor=7", f"_cursor={place.text}"), base=BASE)
    statements = _FUNCTIONS[case.function](query)
    arguments = "\n".join(json.dumps(given, default=str, ensure_ascii=False) for _, given in statements)
    return case._replace(sql="\n--\n".join(sql for sql, _ in statements), arguments=arguments)


def _key(sort: Sort) -> str | datetime | Decimal:
    return {"_lastUpdated": WHEN, "date": WHEN, "quantity": Decimal(7)}.get(sort.by, "seven")


def _page(query: SearchQuery, rows: int, leads_to: int = MANY) -> list[compile.Compiled]:
    """The statements of a page when each group of conditions has so many rows. leads_to: resources, of a chain"""
    found = groups(query.conditions)
    chains = [group for group in found if isinstance(group[0], Linked) and not plan.is_along(query, group)]
    seconds = [group for group in found if isinstance(group[0], Joined)]
    counted = [_counted(query, group, rows, leads_to) for group in found]
    told = [*counted, *[leads_to] * len(chains), *[rows] * len(seconds)]
    return compile.legs(1, query, plan.settled(query) or plan.decided(query, told))


def _counted(query: SearchQuery, group: Sequence[Condition], rows: int, leads_to: int) -> int:
    if plan.is_along(query, group):
        return leads_to
    return plan.MOST_BACKWARDS + 1 if leads_to < rows and isinstance(group[0], Linking) else rows


_FUNCTIONS: dict[str, Callable[[SearchQuery], list[compile.Compiled]]] = {
    "few": lambda query: _page(query, FEW),
    "many": lambda query: _page(query, MANY),
    "gathered": lambda query: _page(query, MANY, FEW),
    "counts": lambda query: [plan.counts(1, query)],
    "count": lambda query: [compile.count(1, query)],
    "matches": lambda query: [compile.matches(1, query)],
}


def rendered(case: Case) -> str:
    """The case as it stands in a file."""
    return f"-- {case.function} {case.type}?{case.query}\n{case.sql}\n;\n{case.arguments}\n"


if __name__ == "__main__":
    for file in FOLDER.glob("*.txt"):
        file.write_text("\n".join(rendered(compiled(case)) for case in cases(file.read_text())))
