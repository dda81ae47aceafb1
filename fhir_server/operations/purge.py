"""$purge: erases a resource with its history; of a Patient, everything that is the patient's.

Enters: an address. Leaves: an OperationOutcome that counts what was erased and names what was kept, because it is of
other patients too. One transaction; the events take the same out of every sink.
Spec: https://build.fhir.org/patient-operation-purge.html
"""

from __future__ import annotations

from collections import Counter

from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue, NotFound
from ecluse.core.fhir import json, types
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http.request import Answer, Request
from fhir_server.once import once
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store import compartment, merges
from fhir_server.store.compartment import Reach
from fhir_server.store.erase import Address, Erasure, deleted_of

MOST_TOLD = 100


async def purge(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with what was erased.

    Raises: NotFound (404) when nothing was ever stored under this address
    """
    kind, own, _ = request.segments

    async def work(conn: Connection) -> Answer:
        erasure = Erasure(conn, server.keys, request.context)
        if not await _take(conn, erasure, request, (types.number_of[kind], own)):
            raise NotFound(f"There is no {kind}/{own} here.")
        await erasure.take_attachments(request.base)
        await erasure.take_answers()
        return Answer(200, json.encode(operation_outcome(_issues(erasure))), event=erasure.event)

    return await once(server, request, work)


async def _take(conn: Connection, erasure: Erasure, request: Request, address: Address) -> int:
    if request.segments[0] == "Patient":
        return await _take_patient(conn, erasure, request.site.number, address)
    return await erasure.take([address])


async def _take_patient(conn: Connection, erasure: Erasure, site: int, address: Address) -> int:
    """The Patient and all that is of this patient alone, those who were merged into it included; again, until nobody
    has added anything meanwhile."""
    patients = (address[1], *await merges.sources(conn, site, address[1]))
    reach = Reach(site, "Patient", patients, patients)
    known, seen = 0, set[Address]()
    wanted = {(address[0], own) for own in patients} | {
        *await deleted_of(conn, site, patients),
        *await _members(conn, reach),
    }
    while wanted:
        known += await erasure.take(wanted, patients)
        seen |= wanted
        wanted = await _members(conn, reach) - seen
    await conn.execute(merges.SQL["forget"], site, list(patients))
    return known


async def _members(conn: Connection, reach: Reach) -> set[Address]:
    return {(row.type, row.id) async for rows in compartment.all_members(conn, reach) for row in rows}


def _issues(erasure: Erasure) -> list[Issue]:
    counts = Counter(types.name_of[kind] for kind, _ in erasure.erased)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    text = f"Erased with all versions: {told}." if told else "Nothing was left to erase."
    issues = [Issue.information(text)]
    kept = sorted(f"{types.name_of[kind]}/{own}" for kind, own in erasure.kept)
    for name in kept[:MOST_TOLD]:
        advice = "is of others too and was kept; take the reference out of it, or purge it by itself."
        issues.append(Issue(f"{name} {advice}", diagnostics=name, code="business-rule", severity="warning"))
    if kept[MOST_TOLD:]:
        issues.append(Issue(f"{len(kept) - MOST_TOLD} more were kept.", code="business-rule", severity="warning"))
    return issues


_PATIENT = "http://hl7.org/fhir/OperationDefinition/Patient-purge"
_ANY = "urn:ecluse:OperationDefinition:Resource-purge"
OPERATIONS = (
    Operation("purge", purge, _PATIENT, ("instance",), ("Patient",), affects_state=True),
    Operation(
        "purge",
        purge,
        _ANY,
        ("instance",),
        tuple(name for name in types.number_of if name != "Patient"),
        affects_state=True,
    ),
)
