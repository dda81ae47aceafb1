"""The parameters about the answer, not about its resources: how many, in which order, from where, counted or not.

Enters: name and text of one parameter. Leaves: the settings with it.
Spec: http://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ecluse.core.errors import BadRequest
from fhir_server.search.query import BY_KEY, Sort, Total
from mappers.search.registry import served

LARGEST_PAGE = 1000
DEFAULT_PAGE = 50
_TOTALS: dict[str, Total] = {"none": "none", "estimate": "estimate", "accurate": "accurate"}
_SORTS: dict[str, Sort] = {
    "_id": Sort("_id"),
    "-_id": Sort("_id", True),
    "_lastUpdated": Sort("_lastUpdated"),
    "-_lastUpdated": Sort("_lastUpdated", True),
}


@dataclass(frozen=True, slots=True)
class Control:
    """count: resources on a page; cursor: text of the place to go on from; count_only: no resources at all."""

    count: int = DEFAULT_PAGE
    sort: Sort = BY_KEY
    cursor: str = ""
    total: Total = "none"
    count_only: bool = False


def _count(control: Control, text: str) -> Control:
    if not (text.isascii() and text.isdigit()):
        raise _refused("_count", text, "write a number from 0 on")
    return replace(control, count=min(int(text[:9]), LARGEST_PAGE))


def order(resource_type: str, text: str) -> Sort:
    """What `_sort` asks for: _id, _lastUpdated or a date parameter of the type, with - for the latest first.

    Raises: BadRequest (400)"""
    if text in _SORTS:
        return _SORTS[text]
    dated = {code: parameter for code, parameter in served(resource_type).items() if parameter.type == "date"}
    parameter = dated.get(text.removeprefix("-"))
    if parameter is None or not parameter.paths:
        valid = [*_SORTS, *(sign + code for code in dated if code not in _SORTS for sign in ("", "-"))]
        raise _refused("_sort", text, f"write one of {', '.join(valid)}")
    return Sort("date", text.startswith("-"), parameter.paths)


def _total(control: Control, text: str) -> Control:
    if text not in _TOTALS:
        raise _refused("_total", text, f"write one of {', '.join(_TOTALS)}")
    return replace(control, total=_TOTALS[text])


def _summary(control: Control, text: str) -> Control:
    if text not in ("count", "false"):
        raise _refused("_summary", text, "write count or false; true, text and data are not served yet")
    return replace(control, count_only=text == "count")


def _cursor(control: Control, text: str) -> Control:
    return replace(control, cursor=text)


def _unchanged(control: Control, text: str) -> Control:
    return control


def _refused(name: str, text: str, advice: str) -> BadRequest:
    return BadRequest(f"{name}: {advice}.", diagnostics=f'found "{text[:80]}"')


CONTROLS: dict[str, Callable[[Control, str], Control]] = {
    "_count": _count,
    "_cursor": _cursor,
    "_format": _unchanged,
    "_pretty": _unchanged,
    "_sort": _unchanged,
    "_summary": _summary,
    "_total": _total,
}
"""What each of these parameters does; `_format` and `_pretty` are obeyed where the answer is written,
`_sort` where the type is known (`order`).

Raises: BadRequest (400) when the text is none that the parameter takes"""
