"""$reindex: compares search rows with the stored bodies and puts them right.

Enters: an address. Leaves: for one resource the outcome; for a type, or all types, 202 with the address that tells how
far it is. Writing and searching go on meanwhile.
"""

from __future__ import annotations

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Conflict, NotFound
from ecluse.core.fhir import types
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store import reindex as store
from fhir_server.store.reindex import Job


async def reindex(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 for one resource; 202 for more, with the address of the progress in Content-Location.

    Raises: NotFound (404) when there is no such resource
    """
    match request.segments:
        case (kind, own, _):
            return await _one(server, request, kind, own)
        case (kind, _):
            kinds = [types.number_of[kind]]
        case _:
            kinds = list(types.number_of.values())
    name = clock.new_id()
    async with server.transaction() as conn:
        await store.begin(conn, name, request.received_at, request.site.number, kinds)
    address = f"{request.base}/$reindex-status?job={name}"
    return _told(202, f"The work begins within seconds; {address} tells how far it is.", ("Content-Location", address))


async def status(server: Server, request: Request, parameters: Parameters) -> Answer:
    """202 with X-Progress while the work goes on, 200 when it has ended.

    Raises: NotFound (404) when there is no such request
    """
    async with server.connection() as conn:
        job = await _job(conn, request, parameters)
    share = f"{job.done} of {job.total} resources, {job.changed} put right"
    if job.finished_at is None:
        return _told(202, f"At work: {share}.", ("X-Progress", share), ("Retry-After", "1"))
    return _told(200, f"Cancelled: {share}." if job.cancelled else f"Done: {share}.")


async def cancel(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200, the work ended where it was.

    Raises: NotFound (404) when there is no such request, Conflict (409) when it is one that the release needs
    """
    async with server.transaction() as conn:
        job = await _job(conn, request, parameters)
        if job.id.startswith(store.OF_RELEASE):
            raise Conflict(
                "This request brings the search rows to those of the release; it goes on by itself to its end."
            )
        await conn.execute(store.SQL["cancel"], request.site.number, job.id, request.received_at)
    return await status(server, request, parameters)


async def _one(server: Server, request: Request, kind: str, own: str) -> Answer:
    async with server.transaction() as conn:
        changed = await store.compare_one(conn, server.registries, request.site.number, types.number_of[kind], own)
    if changed is None:
        raise NotFound(f"There is no {kind}/{own} here.")
    return _told(200, f"The search rows of {kind}/{own} were put right." if changed else "The search rows were right.")


async def _job(conn: Connection, request: Request, parameters: Parameters) -> Job:
    name = parameters.text("job")
    if name is None:
        raise BadRequest("job: give the one of the Content-Location that $reindex answered.")
    job = await store.job(conn, request.site.number, name)
    if job is None:
        raise NotFound(f"There is no $reindex {name[:80]!r} here.")
    return job


def _told(code: int, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer.information(code, text)._replace(headers=headers)


_BASE = "urn:ecluse:OperationDefinition:"
OPERATIONS = (
    Operation("reindex", reindex, f"{_BASE}reindex", ("system", "type", "instance"), affects_state=True),
    Operation("reindex-status", status, f"{_BASE}reindex-status", ("system",), parameters=("job",)),
    Operation("reindex-cancel", cancel, f"{_BASE}reindex-cancel", ("system",), parameters=("job",), affects_state=True),
)
