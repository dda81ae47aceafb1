"""Which Patients a merge is about.

Enters: the parameters of $merge or $unmerge. Leaves: ids: of references, or of what identifiers find.
Spec: https://build.fhir.org/patient-operation-merge.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Issue, Unprocessable
from ecluse.core.fhir.acceptance import accept
from fhir_server.http.request import Request
from fhir_server.operations.parameters import Parameters
from fhir_server.store import conditions
from mappers.search.question import escaped

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two Patients, as ids."""

    source: str
    target: str


async def pair_of(conn: Connection, request: Request, parameters: Parameters) -> Pair:
    """Source and target.

    Raises: BadRequest (400) when one is not named, Unprocessable (422) when both are the same"""
    source = await patient_of(conn, request, parameters, "source-patient")
    target = await patient_of(conn, request, parameters, "target-patient")
    if source == target:
        raise Unprocessable(f"Source and target are both Patient/{source}; name two Patients.")
    return Pair(source, target)


async def patient_of(conn: Connection, request: Request, parameters: Parameters, name: str) -> str:
    """The id of a Patient that must be named.

    Raises: BadRequest (400) when it is not, Unprocessable (422) as `named`"""
    found = await named(conn, request, parameters, name)
    if found is None:
        text = f"Name the Patient in {name} (a Reference) or in {name}-identifier."
        raise BadRequest(issues=[Issue(text, "Parameters.parameter", code="required")])
    return found


async def named(conn: Connection, request: Request, parameters: Parameters, name: str) -> str | None:
    """The id that a reference names and identifiers find; None when there are neither.

    Raises: BadRequest (400) for another reference, Unprocessable (422) when nobody has an identifier or several do"""
    found: dict[str, str] = {}
    reference = parameters.structure(name)
    if reference is not None:
        text = str(reference.get("reference", "")).removeprefix(f"{request.base}/")
        kind, _, own = text.partition("/")
        if kind != "Patient" or not own or "/" in own:
            raise BadRequest(f"{name}: write a reference like Patient/123.", diagnostics=f"found {text[:80]!r}")
        found[f"Patient/{own}"] = own
    for one in parameters.all(f"{name}-identifier"):
        asked = one.value if isinstance(one.value, dict) else {}
        criteria = "|".join(escaped(str(asked.get(part, ""))) for part in ("system", "value"))
        own = await conditions.only_match(conn, request.site, "Patient", urlencode({"identifier": criteria})) or ""
        if not own:
            raise Unprocessable(f"{name}-identifier: no Patient has this identifier.", expression=one.expression)
        found[f"Patient/{own} by its identifier"] = own
    if len(set(found.values())) > 1:
        raise Unprocessable(f"{name}: reference and identifiers name different Patients: {', '.join(found)}.")
    return next(iter(found.values()), None)


def result_of(parameters: Parameters, pair: Pair) -> Resource | None:
    """The target as it is to be after the merge, None when it only gets the link.

    Raises: BadRequest (400) when it is no Patient, Unprocessable (422) when it is another one"""
    one = parameters.one("result-patient")
    if one is None or one.resource is None:
        return None
    place = f"{one.expression}.resource"
    resource = accept("Patient", one.resource, place)
    if resource.get("id") != pair.target:
        raise Unprocessable(f"result-patient is the target: give it the id {pair.target}.", expression=f"{place}.id")
    return resource
