"""A parameter of the resource itself as a clause on its rows.

Enters: a parameter, how its values are read, and their texts. Leaves: a clause.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter
from fhir_server.search.asked import Asked
from fhir_server.search.modifiers import Reading
from fhir_server.search.query import Clause
from fhir_server.search.values import is_one_row, kinds_of
from mappers.search.question import Question, Token, Value, parts

LONGEST_LIST = 1000


def kind_of(parameter: Parameter) -> str:
    """The search type, or the code of a column of the resource."""
    return parameter.code if parameter.code in ("_id", "_lastUpdated") else parameter.type


def clause(asked: Asked, parameter: Parameter, reading: Reading, texts: Sequence[str]) -> Clause:
    """The rows of a parameter that match one of these texts, as the reading makes values of them. Raises: BadRequest"""
    read = tuple(map(asked.registry.path, parameter.paths))
    question = Question(parameter, read, asked.base, asked.now)
    values = tuple(dict.fromkeys(value for text in texts for value in reading.read(text, question)))
    kind = reading.kind
    single = kind in ("date", "quantity") and is_one_row(read)
    selective = selective_of(kind_of(parameter), read, values)
    return Clause(parameter.code, kind, parameter.paths, values, selective, single)


def texts_of(asked: Asked, parameter: Parameter) -> list[str]:
    """The values of a list, still escaped. Raises: BadRequest (400) when there are too many"""
    found = list(dict.fromkeys(parts(asked.text, ",")))
    if len(found) > LONGEST_LIST:
        raise BadRequest(f"{parameter.code}: at most {LONGEST_LIST} values in one list.")
    return found


def selective_of(kind: str, read: tuple[IndexedPath, ...], values: Sequence[Value]) -> int:
    """How few resources one value is likely to leave, 0 the fewest."""
    if kind != "token":
        return SELECTIVE[kind]
    if any(isinstance(value, Token) and value.code is None for value in values):
        return 7
    if read[0].text.endswith((".meta.tag", ".meta.security")):
        return 7
    kinds = kinds_of(read)
    return 1 if kinds & {"Identifier", "ContactPoint"} else 4 if kinds & {"CodeableConcept", "Coding"} else 7


SELECTIVE = {
    "_id": 0,
    "reference": 2,
    "string": 3,
    **dict.fromkeys(("uri", "quantity", "number", "special"), 5),
    "date": 6,
    "_lastUpdated": 8,
}
