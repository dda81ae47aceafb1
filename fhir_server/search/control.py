"""The parameters about the answer, not about its resources: how many, in which order, from where, counted or not.

Enters: name and text of one parameter. Leaves: the settings with it.
Spec: http://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ecluse.core.errors import BadRequest
from fhir_server.http.query import CHOICES
from fhir_server.search.query import Explain, Order, Sort, Total
from fhir_server.search.rest import Rest, rest
from fhir_server.search.values import is_one_row, types_of
from mappers.search.registry import BUILT_IN, Registry
from mappers.search.words import TEXT_OF

LARGEST_PAGE = 1000
DEFAULT_PAGE = 50
MOST_KEYS = 8
_EXPLANATIONS: dict[str, Explain] = {"true": "analyze", "analyze": "analyze", "plan": "plan", "false": ""}
_TOTALS: dict[str, Total] = {"none": "none", "estimate": "estimate", "accurate": "accurate"}


_METHODS: dict[str, Total] = {"count": "accurate", "estimate": "estimate"}
"""Of `_totalMethod`, which fhirpy sends to be told how many there are."""


@dataclass(frozen=True, slots=True)
class Control:
    """type: of the resources; registry: of their site; count: resources on a page; cursor: text of the place to go on
    from; rest: the place among what was included; explain: tell how it is found instead; count_only: no resources at
    all; text_only: only narratives."""

    type: str
    registry: Registry = BUILT_IN
    count: int = DEFAULT_PAGE
    sort: tuple[Sort, ...] = ()
    cursor: str = ""
    rest: Rest | None = None
    explain: Explain = ""
    total: Total = "none"
    count_only: bool = False
    text_only: bool = False


def _count(control: Control, text: str) -> Control:
    if not (text.isascii() and text.isdigit()):
        raise _refused("_count", text, "write a number from 0 on")
    return replace(control, count=min(int(text[:9]), LARGEST_PAGE))


def _sort(control: Control, text: str) -> Control:
    keys = [*control.sort, *(_key(control, one) for one in text.split(","))]
    if len(keys) > MOST_KEYS:
        raise _refused("_sort", text, f"write at most {MOST_KEYS} keys")
    return replace(control, sort=tuple(keys))


def _key(control: Control, text: str) -> Sort:
    orders = _orders(control)
    sort = orders.get(text.removeprefix("-"))
    if sort is None:
        near = [*get_close_matches(text.removeprefix("-")[:80], orders, 5, 0), "_id", "_lastUpdated"]
        advice = f"write parameters of {control.type}, each after - for the last first, like"
        raise _refused("_sort", text, f"{advice} {', '.join(dict.fromkeys(near))}")
    return sort._replace(descending=text.startswith("-"))


def _orders(control: Control) -> dict[str, Sort]:
    """What the results of a type can be sorted by."""
    found = {"_id": Sort("_id"), "_lastUpdated": Sort("_lastUpdated")}
    for one in control.registry.served(control.type).values():
        if one.paths and one.type in _ORDERS and one.code not in TEXT_OF:
            read = list(map(control.registry.path, one.paths))
            order = Sort(_ORDERS[one.type], paths=one.paths, many=not is_one_row(read), types=types_of(one, read))
            found[one.code] = order
    return found


_ORDERS: dict[str, Order] = {
    "token": "token",
    "uri": "token",
    "reference": "reference",
    "string": "string",
    "date": "date",
    "quantity": "quantity",
    "number": "quantity",
}
"""Where the rows stand that results are sorted by, by search type."""


def _total(control: Control, text: str) -> Control:
    if text not in _TOTALS:
        raise _refused("_total", text, f"write one of {', '.join(_TOTALS)}")
    return replace(control, total=_TOTALS[text])


def _total_method(control: Control, text: str) -> Control:
    if text not in _METHODS:
        raise _refused("_totalMethod", text, f"write one of {', '.join(_METHODS)}, or _total instead")
    return replace(control, total=_METHODS[text])


def _summary(control: Control, text: str) -> Control:
    _check_choice("_summary", text)
    return replace(control, count_only=text == "count", text_only=text == "text")


def _pretty(control: Control, text: str) -> Control:
    _check_choice("_pretty", text)
    return control


def _check_choice(name: str, text: str) -> None:
    if text not in CHOICES[name]:
        raise _refused(name, text, f"write one of {', '.join(CHOICES[name])}")


def _cursor(control: Control, text: str) -> Control:
    return replace(control, cursor=text)


def _explain(control: Control, text: str) -> Control:
    if text not in _EXPLANATIONS:
        raise _refused("_explain", text, f"write one of {', '.join(_EXPLANATIONS)}")
    return replace(control, explain=_EXPLANATIONS[text])


def _included(control: Control, text: str) -> Control:
    return replace(control, rest=rest(text))


def _unchanged(control: Control, text: str) -> Control:
    return control


def _refused(name: str, text: str, advice: str) -> BadRequest:
    return BadRequest(f"{name}: {advice}.", diagnostics=f'found "{text[:80]}"')


UNSAID = ("_cursor", "_included", "_explain")
"""What stands in links only, or is for those who run the server: no refusal offers it."""

CONTROLS: dict[str, Callable[[Control, str], Control]] = {
    "_count": _count,
    "_cursor": _cursor,
    "_elements": _unchanged,
    "_explain": _explain,
    "_format": _unchanged,
    "_included": _included,
    "_pretty": _pretty,
    "_sort": _sort,
    "_summary": _summary,
    "_total": _total,
    "_totalMethod": _total_method,
}
"""What each of these parameters does; `_format`, `_pretty`, `_elements` and summaries with resources are obeyed where
the answer is written.

Raises: BadRequest (400) when the text is none that the parameter takes"""
