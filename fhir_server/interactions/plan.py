"""A transaction's entries as steps: method, type, id and the resource accepted.

Enters: the split bundle. Leaves: one step an entry, or every issue of every entry at once.
Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir.bundle import BundleEntry
from fhir_server.http import negotiation
from fhir_server.http.request import Request
from fhir_server.interactions.update import check_same_id
from fhir_server.interactions.writing import accepted
from fhir_server.slices import in_slices

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


@dataclass(slots=True)
class Step:
    """What one entry wants. id: of the server's making for POST; criteria: If-None-Exist of a conditional create."""

    index: int
    entry: BundleEntry
    method: str
    type: str = ""
    id: str = ""
    resource: dict[str, Any] | None = None
    criteria: str = ""
    if_match: int | None = None

    @property
    def full_url(self) -> str:
        """Under which name the other entries refer to this one."""
        return self.entry.full_url


async def plan(request: Request, entries: Sequence[BundleEntry]) -> list[Step]:
    """One step an entry, in their order.

    Raises: BadRequest (400) with the issues of all entries
    """
    steps: list[Step] = []
    issues: list[Issue] = []
    async for index, entry in in_slices(enumerate(entries)):
        try:
            steps.append(_step(request, entry, index))
        except EcluseError as error:
            issues.extend(_coded(error))
    issues.extend(_clashes(steps))
    if issues:
        raise BadRequest(issues=issues)
    return steps


def _step(request: Request, entry: BundleEntry, index: int) -> Step:
    place = f"Bundle.entry[{index}]"
    if not entry.method:
        raise _refused("Say in request what to do: method and url.", f"{place}.request", "required")
    if entry.method not in METHODS:
        raise _refused(
            f"A transaction takes {', '.join(METHODS)}.", f"{place}.request.method", "not-supported", entry.method
        )
    step = Step(index, entry, entry.method)
    if entry.method in ("GET", "HEAD"):
        return step
    step.type, step.id = _address(request, entry.url, entry.method, place)
    step.if_match = negotiation.if_match(entry.if_match or None)
    step.criteria = entry.if_none_exist
    if entry.method != "DELETE":
        step.resource = _resource(request, entry, step, place)
    return step


def _address(request: Request, url: str, method: str, place: str) -> tuple[str, str]:
    from fhir_server.http.routes import check_id, check_type

    path, _, query = url.removeprefix(f"{request.base}/").lstrip("/").partition("?")
    segments = path.split("/")
    if query or len(segments) != (1 if method == "POST" else 2):
        example = "Patient" if method == "POST" else "Patient/123"
        raise _refused(f"A {method} entry has a url like {example!r}.", f"{place}.request.url", "not-supported", url)
    check_type(segments[0])
    if method == "POST":
        return segments[0], clock.new_id()
    check_id(segments[1])
    return segments[0], segments[1]


def _resource(request: Request, entry: BundleEntry, step: Step, place: str) -> dict[str, Any]:
    if entry.resource is None:
        raise _refused(f"A {step.method} entry carries a resource.", f"{place}.resource", "required")
    resource = accepted(request, step.type, entry.resource, f"{place}.resource")
    if step.method == "PUT":
        check_same_id(resource.get("id"), step.type, step.id, f"{place}.resource")
    return resource


def _clashes(steps: Iterable[Step]) -> list[Issue]:
    """A transaction names each resource, and each fullUrl, once."""
    written = Counter((step.type, step.id) for step in steps if step.type)
    issues = [
        Issue(
            f"{step.type}/{step.id} stands twice in this transaction; keep one.",
            f"Bundle.entry[{step.index}]",
            code="invalid",
        )
        for step in steps
        if step.type and written[step.type, step.id] > 1
    ]
    urls = Counter(step.full_url for step in steps if step.full_url and step.resource)
    return issues + [
        Issue(
            "This fullUrl stands twice; give each entry its own.",
            f"Bundle.entry[{step.index}].fullUrl",
            step.full_url,
            "invalid",
        )
        for step in steps
        if step.resource and urls[step.full_url] > 1
    ]


def _refused(text: str, expression: str, code: str, diagnostics: str = "") -> BadRequest:
    return BadRequest(issues=[Issue(text, expression, diagnostics, code)])


def _coded(error: EcluseError) -> list[Issue]:
    return [Issue(i.text, i.expression, i.diagnostics, i.code or error.code, i.severity) for i in error.issues]
