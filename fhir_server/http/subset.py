"""`_summary` and `_elements`: the answer with less of each resource.

Enters: a request and what its interaction answered. Leaves: the same answer, its resource, or the resources of its
searchset or history, cut to what was asked for.
Spec: http://hl7.org/fhir/R4/search.html#summary, http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json, subset
from ecluse.core.fhir.definitions.structures import members, structures
from ecluse.core.fhir.subset import Cut
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request

SUMMARIES: dict[str, Cut | None] = {
    "true": subset.summary,
    "text": subset.text,
    "data": subset.data,
    "count": None,
    "false": None,
}
"""What each `_summary` leaves of a resource; `false` leaves all, and `count` no resource at all."""

LISTS = ("searchset", "history")


def shortened(request: Request, answer: Answer) -> Answer:
    """The answer with what `_summary` and `_elements` leave of it.

    Raises: BadRequest (400) when they ask for what there is not"""
    if "_summary" not in request.query and "_elements" not in request.query:
        return answer
    if answer.status != 200 or not answer.body or answer.media:
        return answer
    asked = parse_qsl(request.query)
    summary = dict(asked).get("_summary", "false")
    names = [name.strip() for key, text in asked if key == "_elements" for name in text.split(",")]
    cut = _cut(request, summary, names)
    beside = partial(_named_by_type, names) if any(names) else cut
    resource = json.decode_exactly(answer.body)
    if "_explain" in dict(asked) and resource["resourceType"] == "Parameters":
        return answer
    if answer.version is None and resource.get("type") in LISTS:
        _shorten_entries(resource, cut, beside, counted=summary == "count")
    elif summary == "count":
        raise BadRequest("_summary: count is for searches and histories.", diagnostics="found count")
    elif cut is not None:
        resource = cut(resource)
    return answer._replace(body=json.encode(resource))


def _shorten_entries(bundle: dict[str, Any], cut: Cut | None, beside: Cut | None, *, counted: bool) -> None:
    """beside: the cut of what is included"""
    cuts = {"outcome": None, "include": beside}
    if counted:
        told = [entry for entry in bundle.pop("entry", ()) if entry.get("search", {}).get("mode") == "outcome"]
        bundle |= {"entry": told} if told else {}
        bundle["link"] = [link for link in bundle["link"] if link["relation"] == "self"]
    for entry in bundle.get("entry", ()):
        own = cuts.get(entry.get("search", {}).get("mode", ""), cut)
        if own and "resource" in entry:
            entry["resource"] = own(entry["resource"])


def _cut(request: Request, summary: str, elements: list[str]) -> Cut | None:
    if summary not in SUMMARIES:
        raise BadRequest(f"_summary: write one of {', '.join(SUMMARIES)}.", diagnostics=f'found "{summary[:80]}"')
    if not elements:
        return SUMMARIES[summary]
    if summary not in ("false", "count"):
        raise BadRequest("Write _summary or _elements, not both.")
    names = [name for name in elements if name]
    if not negotiation.is_lenient(request.headers):
        _check_names(request, names)
    return partial(_named, names)


def _named(names: list[str], resource: dict[str, Any]) -> dict[str, Any]:
    """The elements of these names; `Patient.name` is one of Patients only."""
    own = f"{resource['resourceType']}."
    return subset.named(resource, [name.removeprefix(own).partition(".")[0] for name in names])


def _named_by_type(names: list[str], resource: dict[str, Any]) -> dict[str, Any]:
    """Of what is included, the elements that are named with its type; all of them when there are none."""
    own = f"{resource['resourceType']}."
    return _named(names, resource) if any(name.startswith(own) for name in names) else resource


def _check_names(request: Request, names: list[str]) -> None:
    """Nothing, when the resources that are asked for have such elements.

    Raises: BadRequest (400)"""
    addressed = request.segments[0] if request.segments and "$" not in "".join(request.segments) else ""
    for name in names:
        kind, _, element = name.partition(".")
        if kind not in structures().resources:
            kind, element = addressed, name
        if kind in structures().resources:
            _check_name(kind, element)


def _check_name(kind: str, name: str) -> None:
    known = members(kind).keys() | {"resourceType"} | {element.name for element in structures().types[kind]}
    if name not in known:
        near = get_close_matches(name, known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise BadRequest(f"_elements: {kind} has no element {name[:80]} at its root{hint}")
