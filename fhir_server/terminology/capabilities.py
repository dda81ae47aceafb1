"""TerminologyCapabilities: which code systems can be asked here, and how `$expand` works.

Spec: http://hl7.org/fhir/R4/terminologycapabilities.html, http://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ecluse.core import clock
from ecluse.core.db import queries
from ecluse.core.fhir import json, types
from fhir_server.http.request import Answer, Request
from fhir_server.operations.registry import declared
from fhir_server.server import Server
from fhir_server.terminology import base, definitions
from fhir_server.terminology.composition import Json

SQL = queries.load(__package__, "definitions.sql")
TEXT_FILTER = (
    "Each word of the filter begins a word of the concept's code, display or designations; order, case, accents and "
    "punctuation do not count."
)


async def terminology_capabilities(server: Server, request: Request, software: Json) -> Answer:
    """200 with the TerminologyCapabilities."""
    async with server.connection() as conn:
        await base.settle(conn)
        await definitions.read_all(conn, request.site.number, "CodeSystem")
        rows = await conn.fetch(SQL["systems"], request.site.number, types.number_of["CodeSystem"])
    (expand,) = [one for one in declared("type", "ValueSet") if one.name == "expand"]
    told: dict[str, Any] = {
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": clock.instant_text(clock.now()),
        "kind": "instance",
        "software": software,
        "implementation": {"description": "Écluse", "url": request.base},
        "codeSystem": [
            _system(url, [row["version"] for row in same]) for url, same in groupby(rows, lambda row: row["url"])
        ],
        "expansion": {
            "hierarchical": False,
            "paging": True,
            "incomplete": False,
            "parameter": [{"name": name} for name in expand.parameters or ()],
            "textFilter": TEXT_FILTER,
        },
        "codeSearch": "all",
        "validateCode": {"translations": True},
        "translation": {"needsMap": False},
    }
    return Answer(200, json.encode(told))


def _system(url: str, versions: list[str]) -> Json:
    named = [{"code": version} for version in versions if version]
    return {"uri": url, **({"version": named} if named else {}), "subsumption": True}
