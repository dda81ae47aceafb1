"""`_text` and `_content` as conditions on the rows of words.

Enters: the parameter and its text. Leaves: a condition.
Spec: http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

from ecluse.core.fhir.definitions.search_parameters import Parameter
from fhir_server.search.asked import Asked
from fhir_server.search.clause import SELECTIVE, texts_of
from fhir_server.search.query import AllOf, AnyOf, Clause, Condition, Not, any_of
from mappers.search import words
from mappers.search.question import plain
from mappers.search.words import Both, Either, Without


def of_words(asked: Asked, parameter: Parameter, modifier: str) -> Condition:
    """All the words that a text asks for; of a list, one of the texts. Raises: BadRequest (400)"""
    if modifier:
        raise asked.wrong(f"{parameter.code} takes no modifier but :missing; write NOT, OR and * among the words.")
    try:
        found = [_condition(parameter, words.asked(plain(text))) for text in texts_of(asked, parameter)]
    except words.Unreadable as error:
        raise asked.wrong(f"{parameter.code}: {error}.") from None
    return any_of(parameter.code, found)


def _condition(parameter: Parameter, asked: words.Asked) -> Condition:
    code = parameter.code
    match asked:
        case Both(parts):
            return AllOf(code, tuple(_condition(parameter, part) for part in parts))
        case Either(parts):
            return AnyOf(code, tuple(_condition(parameter, part) for part in parts))
        case Without(part):
            return Not(code, _condition(parameter, part))
    return Clause(code, "string", parameter.paths, (asked,), SELECTIVE["string"])
