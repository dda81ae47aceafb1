"""Parts of texts, looked for by the three letters that stand side by side in them.

Enters: clauses on rows of texts. Leaves: conditions that the index `string_grams` answers, so that only texts which
have all these letters are read and compared. A part of one or two letters has none: all texts are read then.
"""

from __future__ import annotations

from collections.abc import Iterable

from fhir_server.search.conditions import Arguments, any_of
from fhir_server.search.query import Clause
from mappers.search.question import Containing, Ending

LETTERS = 3
GRAMS = (
    'fhir.grams({alias}.site, {alias}.path, {alias}.folded) COLLATE "C"'
    " @> fhir.grams({site}::smallint, {path}::smallint, {text})"
)


def of_rows(clauses: Iterable[Clause], alias: str, arguments: Arguments, site: int) -> list[str]:
    """What holds for every row that one of these clauses matches, its site and path included: asked for beside it, they
    would be read from another index. Nothing of a clause with too few letters."""
    return [one for clause in clauses for one in _of_clause(clause, alias, arguments, site)]


def _of_clause(clause: Clause, alias: str, arguments: Arguments, site: int) -> list[str]:
    texts = [value.folded for value in clause.values if isinstance(value, Containing | Ending)]
    if len(texts) < len(clause.values) or any(len(text) < LETTERS for text in texts):
        return []
    each = [
        GRAMS.format(alias=alias, site=site, path=path, text=mark)
        for mark in map(arguments.add, texts)
        for path in clause.paths
    ]
    named = f"length({alias}.exact) > 0"  # as the index has it: rows of `:text` have no exact text
    return [named, any_of(each)]
