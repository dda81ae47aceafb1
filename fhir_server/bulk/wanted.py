"""What an export is asked for.

Enters: the parameters of a kick-off. Leaves: `Wanted`, all of it checked, as it is kept with the job; or every issue at
once. What this server does not do is refused, or, for a client that prefers so (`handling=lenient`), left out and told
in a file of the manifest's `error`. What would widen the export is never left out.
Spec: http://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from urllib.parse import parse_qsl

import msgspec

from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir import types
from ecluse.core.fhir.definitions.search_parameters import compartment
from ecluse.core.fhir.definitions.structures import structures
from fhir_server.bulk import kickoff
from fhir_server.http import negotiation
from fhir_server.http.request import Request
from fhir_server.operations.parameters import Parameters
from fhir_server.search.control import CONTROLS
from fhir_server.search.parse import parse
from fhir_server.search.query import SearchQuery
from mappers.search.registry import Registry

PARAMETERS = (
    "_outputFormat",
    "_since",
    "_until",
    "_type",
    "_typeFilter",
    "_elements",
    "patient",
    "includeAssociatedData",
    "organizeOutputBy",
    "allowPartialManifests",
)
NOT_SERVED = {
    "includeAssociatedData": "this export has every Provenance of what it holds, unless _type leaves it out",
    "organizeOutputBy": "each file has resources of one type",
    "allowPartialManifests": "the manifest comes when all files are there",
}
FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
RESULT_PARAMETERS = (*CONTROLS, "_include", "_revinclude", "_elements", "_contained", "_containedType", "_score")
_NEXT_FILTER = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
_PATIENT = re.compile(r"(?:Patient/)?([A-Za-z0-9.-]{1,64})")


class Wanted(msgspec.Struct, omit_defaults=True):
    """One export. level: system, patient or group; types: empty for all; filters: (type, query); patients: only these;
    remarks: what was left out, for a client that prefers lenient handling."""

    url: str
    base: str
    level: str
    group: str = ""
    since: datetime | None = None
    until: datetime | None = None
    types: list[str] = []
    filters: list[tuple[str, str]] = []
    elements: list[str] = []
    patients: list[str] = []
    remarks: list[str] = []

    def queries(self, resource_type: str, registry: Registry) -> list[SearchQuery]:
        """The searches of which a resource of this type has to match one; none when all are wanted."""
        own = [_literal(text) for name, text in self.filters if name == resource_type]
        return [parse(resource_type, text, base=self.base, registry=registry) for text in own]


def in_compartment(resource_type: str) -> bool:
    """Whether resources of this type can be in the compartment of a patient."""
    return resource_type in compartment("Patient")


def read(request: Request, given: Parameters, level: str, registry: Registry) -> Wanted:
    """The export that is asked for. registry: of the site

    Raises: BadRequest (400) with all that cannot be obeyed
    """
    group = request.segments[1] if level == "group" else ""
    url = f"{request.base}/{'/'.join(request.segments)}" + (f"?{request.query}" if request.query else "")
    begun = Wanted(url, request.base, level, group)
    reading = _Reading(begun, given, negotiation.is_lenient(request.headers), registry)
    reading.issues += given.refused
    reading.take(lambda _: kickoff.check_prefer(request))
    for step in (_format, _times, _types, _filters, _elements, _patients, _not_served):
        reading.take(step)
    if request.method != "POST" and given.all("patient"):
        reading.issues.append(Issue("patient: POST it in a Parameters resource.", code="not-supported"))
    if reading.issues:
        raise BadRequest(issues=reading.issues)
    return reading.wanted


@dataclass(slots=True)
class _Reading:
    wanted: Wanted
    given: Parameters
    lenient: bool
    registry: Registry
    issues: list[Issue] = field(default_factory=list)

    def take(self, step: Callable[[_Reading], None]) -> None:
        """Runs one step; what it refuses is kept beside what the others refuse."""
        try:
            step(self)
        except EcluseError as error:
            self.issues += error.issues

    def refuse(self, text: str, found: str = "", code: str = "not-supported") -> None:
        """Something that is not obeyed: an issue, or a remark for a lenient client."""
        if self.lenient:
            self.wanted.remarks.append(f"{text} (left out: {found})" if found else text)
        else:
            self.issues.append(Issue(text, diagnostics=f'found "{found[:200]}"' if found else "", code=code))

    def listed(self, name: str) -> list[str]:
        """The values of a parameter, repeated or by commas."""
        return [part.strip() for text in self.given.texts(name) for part in text.split(",") if part.strip()]


def _format(reading: _Reading) -> None:
    text = reading.given.text("_outputFormat")
    if text is not None and text.replace(" ", "+") not in FORMATS:
        reading.refuse(f"_outputFormat: this server writes {', '.join(FORMATS)}.", text)


def _times(reading: _Reading) -> None:
    for name in ("since", "until"):
        reading.take(partial(_time, name))


def _time(name: str, reading: _Reading) -> None:
    found = reading.given.interval(f"_{name}")
    setattr(reading.wanted, name, found[0] if found else None)


def _types(reading: _Reading) -> None:
    wanted = list(dict.fromkeys(reading.listed("_type")))
    for name in [name for name in wanted if name not in types.number_of]:
        near = ", ".join(get_close_matches(name, types.number_of, 3))
        hint = f"the nearest: {near}" if near else "see the CapabilityStatement"
        reading.refuse(f"_type: FHIR R4 has no such resource type; {hint}.", name, "value")
    known = [name for name in wanted if name in types.number_of]
    if reading.wanted.level != "system":
        known = _of_patients(reading, known)
    if wanted and not known and not reading.issues:
        reading.issues.append(Issue("_type: none of these types can be exported here.", code="not-supported"))
    reading.wanted.types = known


def _of_patients(reading: _Reading, known: list[str]) -> list[str]:
    """The types that have a patient; others among them are told of, others alone are refused."""
    inside = [name for name in known if in_compartment(name)]
    outside = ", ".join(name for name in known if name not in inside)
    if outside and not inside:
        reading.issues.append(
            Issue(f"_type: {outside} is in no patient's compartment; export it at system level.", code="not-supported")
        )
    elif outside:
        reading.wanted.remarks.append(f"{outside} is in no patient's compartment; export it at system level.")
    return inside


def _filters(reading: _Reading) -> None:
    for text in reading.given.texts("_typeFilter"):
        for one in _NEXT_FILTER.split(text):
            try:
                reading.wanted.filters.append(_filter(reading.wanted, reading.registry, one))
            except EcluseError as error:
                for issue in error.issues:
                    reading.refuse(f"_typeFilter: {issue.text}", one, issue.code or "invalid")


def _filter(wanted: Wanted, registry: Registry, text: str) -> tuple[str, str]:
    """Type and query of one filter. Raises: BadRequest"""
    name, mark, query = text.strip().partition("?")
    if name not in types.number_of or not mark:
        raise BadRequest("write a type and a search, like Observation?status=final.")
    if wanted.types and name not in wanted.types:
        raise BadRequest(f"{name} is not among the types of this export.")
    for parameter, _ in parse_qsl(query, keep_blank_values=True):
        if parameter.partition(":")[0] in RESULT_PARAMETERS:
            raise BadRequest(f"{parameter} is about pages of a search; leave it out.")
    if not parse(name, _literal(query), base=wanted.base, registry=registry).conditions:
        raise BadRequest(f"{name}? has no search parameter.")
    return name, query


def _literal(query: str) -> str:
    """The query, whose plus signs stand for themselves: the form they came in was decoded already."""
    return query.replace("+", "%2B")


def _elements(reading: _Reading) -> None:
    for text in dict.fromkeys(reading.listed("_elements")):
        name, dot, element = text.rpartition(".")
        among = [name] if dot else (reading.wanted.types or list(types.number_of))
        if element in _root_elements(kind for kind in among if kind in structures().types):
            reading.wanted.elements.append(text)
        else:
            reading.refuse("_elements: write root elements, like name or Patient.name.", text, "value")


def _root_elements(names: Iterable[str]) -> set[str]:
    return {"id", "meta"} | {element.name for name in names for element in structures().types[name]}


def _patients(reading: _Reading) -> None:
    given = reading.given.all("patient")
    if given and reading.wanted.level == "system":
        raise BadRequest("patient: it narrows exports of Patient and Group; this one is of the system.")
    for one in given:
        value = one.value.get("reference") if isinstance(one.value, dict) else one.value
        found = _PATIENT.fullmatch(str(value or "").removeprefix(f"{reading.wanted.base}/"))
        if found is None:
            text = "patient: write a reference like Patient/123."
            reading.issues.append(Issue(text, one.expression, f"found {value!r}"[:200], "value"))
        else:
            reading.wanted.patients.append(found[1])


def _not_served(reading: _Reading) -> None:
    for name, reason in NOT_SERVED.items():
        for text in reading.given.texts(name):
            reading.refuse(f"{name} is not served: {reason}.", text)
