"""The parameters about the answer, not about its resources: how many, in which order, from where, counted or not.

Enters: name and text of one parameter. Leaves: the settings with it.
Spec: http://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ecluse.core.errors import BadRequest
from fhir_server.http.subset import SUMMARIES
from fhir_server.search.query import BY_KEY, Sort, Total
from mappers.search.registry import BUILT_IN, Registry

LARGEST_PAGE = 1000
DEFAULT_PAGE = 50
_TOTALS: dict[str, Total] = {"none": "none", "estimate": "estimate", "accurate": "accurate"}


@dataclass(frozen=True, slots=True)
class Control:
    """type: of the resources; registry: of their site; count: resources on a page; cursor: text of the place to go on
    from; count_only: no resources at all."""

    type: str
    registry: Registry = BUILT_IN
    count: int = DEFAULT_PAGE
    sort: Sort = BY_KEY
    cursor: str = ""
    total: Total = "none"
    count_only: bool = False


def _count(control: Control, text: str) -> Control:
    if not (text.isascii() and text.isdigit()):
        raise _refused("_count", text, "write a number from 0 on")
    return replace(control, count=min(int(text[:9]), LARGEST_PAGE))


def _sort(control: Control, text: str) -> Control:
    orders = _orders(control)
    sort = orders.get(text.removeprefix("-"))
    if sort is None:
        raise _refused("_sort", text, f"write one of {', '.join(orders)}, after - for the last first")
    return replace(control, sort=sort._replace(descending=text.startswith("-")))


def _orders(control: Control) -> dict[str, Sort]:
    """What the results of a type can be sorted by."""
    dates = [one for one in control.registry.served(control.type).values() if one.type == "date" and one.paths]
    return {"_id": Sort("_id"), "_lastUpdated": Sort("_lastUpdated")} | {
        one.code: Sort("date", paths=one.paths) for one in dates
    }


def _total(control: Control, text: str) -> Control:
    if text not in _TOTALS:
        raise _refused("_total", text, f"write one of {', '.join(_TOTALS)}")
    return replace(control, total=_TOTALS[text])


def _summary(control: Control, text: str) -> Control:
    if text not in SUMMARIES:
        raise _refused("_summary", text, f"write one of {', '.join(SUMMARIES)}")
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
    "_elements": _unchanged,
    "_format": _unchanged,
    "_pretty": _unchanged,
    "_sort": _sort,
    "_summary": _summary,
    "_total": _total,
}
"""What each of these parameters does; `_format`, `_pretty`, `_elements` and summaries with resources are obeyed where
the answer is written.

Raises: BadRequest (400) when the text is none that the parameter takes"""
