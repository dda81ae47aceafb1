"""$export: all that is stored, or what belongs to all patients or to those of a group, as NDJSON files.

Spec: http://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import msgspec

from ecluse.core import clock
from ecluse.core.errors import MethodNotAllowed
from fhir_server.bulk import jobs, kickoff, members, wanted
from fhir_server.bulk.wanted import PARAMETERS
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server

DEFINITIONS = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
LEVELS = ("system", "patient", "group")


async def export(server: Server, request: Request, given: Parameters) -> Answer:
    """202 with the address at which the job tells how it stands.

    Raises: BadRequest (400) with all that cannot be obeyed, NotFound (404) or Gone (410) for the group, Busy (429)
    """
    if request.method == "HEAD":
        raise MethodNotAllowed("HEAD starts no export; use GET or POST.", ("GET", "POST"))
    async with server.connection() as conn:
        registry = await server.registries.current(conn, request.site.number)
        asked = wanted.read(request, given, LEVELS[len(request.segments) - 1], registry)
        await jobs.check_room(conn)
        await members.patients(conn, request.site.number, asked, clock.now())
        job = await jobs.add(conn, request.site.number, "export", msgspec.json.encode(asked))
    server.kicked_off.set()
    return kickoff.accepted(request, job, "The export")


OPERATIONS = (
    Operation("export", export, f"{DEFINITIONS}/export", ("system",), parameters=PARAMETERS, judged=True),
    Operation("export", export, f"{DEFINITIONS}/patient-export", ("type",), ("Patient",), PARAMETERS, judged=True),
    Operation("export", export, f"{DEFINITIONS}/group-export", ("instance",), ("Group",), PARAMETERS, judged=True),
)
