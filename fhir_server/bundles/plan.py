"""A transaction's entries as steps: method, type, id and the resource accepted.

Enters: the split bundle. Leaves: one step an entry, or every issue of every entry at once.
Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.bundle import BundleEntry
from ecluse.core.fhir.patch.registry import Change
from ecluse.core.fhir.patch.registry import read as read_patch
from fhir_server.bundles.entry import READS, address, check_request, patch_of, placed, refuse
from fhir_server.http import negotiation
from fhir_server.http.request import Request
from fhir_server.http.routes import check_id, check_type
from fhir_server.interactions.conditional import Target
from fhir_server.interactions.update import check_same_id
from fhir_server.interactions.writing import accepted
from fhir_server.slices import in_slices
from fhir_server.store.write import Intent

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RESTFUL = re.compile(r"(https?://.+)/([A-Z][A-Za-z]+/([A-Za-z0-9.-]{1,64}))")


@dataclass(slots=True)
class Step:
    """What one entry wants. A step without a type is a request that runs after the writes: a read, a search, an
    operation.

    id: of the server's making for POST, "" while a condition has to find it; criteria: of a conditional interaction;
    change: of a patch; if_match: the version that must stand; target: where a condition leads; deletes: what a
    conditional delete takes; references: the Reference objects of the resource"""

    index: int
    entry: BundleEntry
    method: str
    type: str = ""
    id: str = ""
    resource: dict[str, Any] | None = None
    change: Change | None = None
    criteria: str = ""
    if_match: int | None = None
    target: Target | None = None
    deletes: list[Intent] | None = None
    references: Sequence[dict[str, Any]] = ()

    @property
    def full_url(self) -> str:
        """Under which name the other entries refer to this one."""
        return self.entry.full_url


async def plan(request: Request, entries: Sequence[BundleEntry]) -> list[Step]:
    """One step an entry, in their order.

    Raises: BadRequest (400) with the issues of all entries; Unprocessable (422) when all of them are FHIR, but break
    rules
    """
    steps: list[Step] = []
    issues: list[Issue] = []
    refusals: set[type[EcluseError]] = set()
    if request.validation is not None:
        request = request._replace(validation=request.validation.within(_addresses(entries), _questionnaires(entries)))
    async for index, entry in in_slices(enumerate(entries)):
        try:
            steps.append(_step(request, entry, index))
        except EcluseError as error:
            placed(error, index)
            issues.extend(error.coded)
            refusals.add(type(error))
    if request.validation is not None:
        request.validation.settle()
    clashes = _clashes(steps)
    if issues or clashes:
        broken_rules_only = refusals == {Unprocessable} and not clashes
        raise (Unprocessable if broken_rules_only else BadRequest)(issues=issues + clashes)
    return steps


def _addresses(entries: Sequence[BundleEntry]) -> dict[str, str]:
    """The types of the resources that entries write, by fullUrl."""
    return {entry.full_url: _kind(entry) for entry in entries if entry.full_url}


def _kind(entry: BundleEntry) -> str:
    """The resource type in the address of an entry."""
    return entry.url.partition("?")[0].partition("/")[0]


def _questionnaires(entries: Sequence[BundleEntry]) -> dict[str, dict[str, Any]]:
    """The Questionnaires that entries write, by url and by url|version, for the responses beside them."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.resource is None or _kind(entry) != "Questionnaire" or entry.method not in ("POST", "PUT"):
            continue
        with suppress(ValueError, RecursionError):  # the entry itself is refused then
            one = json.decode(entry.resource)
            if isinstance(one, dict) and one.get("resourceType") == "Questionnaire" and isinstance(one.get("url"), str):
                found[one["url"]] = found[f"{one['url']}|{one.get('version', '')}"] = one
    return found


def _step(request: Request, entry: BundleEntry, index: int) -> Step:
    place = f"Bundle.entry[{index}]"
    check_request(entry, index)
    if entry.method not in METHODS:
        refuse(f"A transaction takes {', '.join(METHODS)}.", f"{place}.request.method", "not-supported", entry.method)
    step = Step(index, entry, entry.method)
    segments, query = address(request, entry.url, index)
    if entry.method in READS or (segments and segments[-1].startswith("$")):
        return step
    step.type, step.id = _written(segments, query, entry, place)
    if entry.if_match or entry.if_none_match:
        step.if_match = negotiation.version_condition(_conditions(entry))
    step.criteria = query or entry.if_none_exist
    if entry.method == "PATCH":
        step.change = read_patch(*patch_of(entry, index))
    elif entry.method != "DELETE":
        step.resource = _resource(request, entry, step, place)
        if entry.full_url:
            _check_full_url(entry.full_url, step.resource.get("id"), place)
    return step


def _conditions(entry: BundleEntry) -> dict[str, str]:
    """The version conditions of an entry as the headers they stand for."""
    said = {"if-match": entry.if_match, "if-none-match": entry.if_none_match}
    return {name: value for name, value in said.items() if value}


def _written(segments: Sequence[str], query: str, entry: BundleEntry, place: str) -> tuple[str, str]:
    """Type and id of what is written; the id is "" when a condition has to find it."""
    post = entry.method == "POST"
    if (post and query) or len(segments) != (1 if post or query else 2):
        example = "Patient" if post else "Patient/123 or Patient?identifier=system|value"
        refuse(f"A {entry.method} entry has a url like {example}.", f"{place}.request.url", "invalid", entry.url)
    check_type(segments[0])
    if post:
        return segments[0], clock.new_id()
    if query:
        return segments[0], ""
    check_id(segments[1])
    return segments[0], segments[1]


def _resource(request: Request, entry: BundleEntry, step: Step, place: str) -> dict[str, Any]:
    if entry.resource is None:
        refuse(f"A {step.method} entry carries a resource.", f"{place}.resource", "required")
    resource = accepted(request, step.type, entry.resource, f"{place}.resource")
    if step.method == "PUT" and step.id:
        check_same_id(resource.get("id"), step.type, step.id, f"{place}.resource")
    return resource


def _check_full_url(full_url: str, resource_id: object, place: str) -> None:
    """Spec: http://hl7.org/fhir/R4/bundle.html#bundle-unique"""
    if "/_history/" in full_url:
        refuse("A fullUrl names a resource, not one of its versions.", f"{place}.fullUrl", diagnostics=full_url)
    restful = RESTFUL.fullmatch(full_url)
    if restful and resource_id is not None and restful[3] != resource_id:
        text = "fullUrl and id name two resources; make them agree, or use a urn:uuid: as fullUrl."
        refuse(text, f"{place}.fullUrl", diagnostics=f"{full_url}, id {resource_id}")


def _clashes(steps: Sequence[Step]) -> list[Issue]:
    """A transaction names each resource, and each fullUrl, once."""
    issues = overlaps((step, step.type, step.id) for step in steps if step.id)
    urls = Counter(step.full_url for step in steps if step.full_url and step.resource)
    text = "This fullUrl stands twice; give each entry its own."
    return issues + [
        Issue(text, f"Bundle.entry[{step.index}].fullUrl", step.full_url, "invalid")
        for step in steps
        if step.resource and urls[step.full_url] > 1
    ]


def overlaps(written: Iterable[tuple[Step, str, str]]) -> list[Issue]:
    """An issue for each entry that writes a resource, (type, id), which another entry writes too."""
    by_identity: dict[tuple[str, str], list[Step]] = {}
    for step, *identity in written:
        by_identity.setdefault((identity[0], identity[1]), []).append(step)
    return [
        Issue(f"{name}/{id_} stands twice in this transaction; keep one.", f"Bundle.entry[{step.index}]", "", "invalid")
        for (name, id_), steps in by_identity.items()
        if len(steps) > 1
        for step in steps
    ]
