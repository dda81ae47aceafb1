"""Golden files of SQL: query; expected SQL; arguments.

A case is `-- page Type?query`, the statement, a line with `;`, and a line of arguments as JSON. `page`, `count` and
`matches` are the functions of `compile`. After a change that is meant, `python -m tests.unit.fhir_server.search.golden`
writes the files anew; read the difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fhir_server.search import compile
from fhir_server.search.parse import parse
from fhir_server.search.query import Cursor

FOLDER = Path(__file__).parents[3] / "golden" / "search"
BASE = "http://here/fhir"
FUNCTIONS = {"page": compile.page, "count": compile.count, "matches": compile.matches}
PLACE = {"pk": 7, "id": "seven", "updated": datetime(2026, 1, 2, tzinfo=UTC)}

_CASE = re.compile(r"^-- (page|count|matches) (\w+)\?(.*)\n((?:.*\n)*?);\n(.*)\n", re.MULTILINE)


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
        yield Case(function, name, query, sql.rstrip("\n"), arguments)


def compiled(case: Case) -> Case:
    """The same query with what becomes of it now. `_cursor=7` stands for a cursor after the resource with key 7."""
    query = parse(case.type, case.query.replace("_cursor=7", ""), base=BASE if case.function == "page" else "")
    if "_cursor=7" in case.query:
        place = Cursor(*query.sort, **PLACE)  # type: ignore[arg-type]
        query = parse(case.type, case.query.replace("_cursor=7", f"_cursor={place.text}"), base=BASE)
    sql, arguments = FUNCTIONS[case.function](1, query)
    return case._replace(sql=sql, arguments=json.dumps(arguments, default=str, ensure_ascii=False))


def rendered(case: Case) -> str:
    """The case as it stands in a file."""
    return f"-- {case.function} {case.type}?{case.query}\n{case.sql}\n;\n{case.arguments}\n"


if __name__ == "__main__":
    for file in FOLDER.glob("*.txt"):
        file.write_text("\n".join(rendered(compiled(case)) for case in cases(file.read_text())))
