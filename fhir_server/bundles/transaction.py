"""transaction: many requests in one database transaction, all of it or nothing, not even an event.

Enters: the entries of a Bundle. Leaves: one answer an entry, in their order. What the entries do does not depend on
their order: deletes come first, then creates, then updates, then what only reads.

    1 plan      every entry accepted, in slices; what is wrong in all of them is told at once
    2 resolve   conditional creates under their locks, conditional references, references between the entries
    3 write     through the one door
    4 read      what the GET entries and the operations ask for

Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.core.errors import EcluseError, Unprocessable
from ecluse.core.fhir.bundle import BundleEntry
from fhir_server.bundles.entry import placed, request_of, response, status, told
from fhir_server.bundles.plan import Step, plan
from fhir_server.bundles.resolve import resolve
from fhir_server.http.request import Answer, Request
from fhir_server.http.routes import dispatch
from fhir_server.interactions.writing import standing, written_answer
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.slices import in_slices
from fhir_server.store.write import Intent, Written, intent, write

RANK = {"DELETE": 0, "POST": 1, "PUT": 2}
PLAN_FOR_VALUES = "SET LOCAL plan_cache_mode = auto"
"""Searches are planned for their values; the plans that writes use are not (fhir_server/server.py)."""


async def transaction(server: Server, request: Request, entries: Sequence[BundleEntry]) -> Answer:
    """200 with the answers of all entries.

    Raises: BadRequest (400) with all that is wrong in all entries, PreconditionFailed (412) for a condition that
    several match, and what an entry raises, with its place"""
    planned = [await plan(request, entries)]

    async def work(conn: Any) -> Answer:
        # Resolving rewrites the steps: whoever comes again starts from what was sent.
        steps = planned.pop() if planned else await plan(request, entries)
        written = await _written(conn, server, request, steps)
        return Answer(200, response("transaction", await _answers(conn, server, request, steps, written)))

    return await once(server, request, work)


async def _written(conn: Any, server: Server, request: Request, steps: Sequence[Step]) -> dict[int, Written]:
    """Index of entry → what came of it."""
    found = await resolve(conn, request, steps)
    wanted = sorted((s for s in steps if s.type and s.index not in found), key=lambda step: RANK[step.method])
    intents = [_intent(step) async for step in in_slices(wanted)]
    try:
        outcome = await write(conn, server.keys, intents, request.context)
    except EcluseError as error:
        if error.entry is not None:
            placed(error, wanted[error.entry].index)
        raise
    written = dict(zip((step.index for step in wanted), outcome, strict=True))
    for index, resource_id in found.items():
        written[index] = await standing(conn, request, steps[index].type, resource_id)
    return written


def _intent(step: Step) -> Intent:
    if step.resource is None:
        return Intent(step.type, step.id, None, if_match=step.if_match)
    return intent(step.resource, step.id, new=step.method == "POST", if_match=step.if_match)


async def _answers(
    conn: Any, server: Server, request: Request, steps: Sequence[Step], written: Mapping[int, Written]
) -> list[dict[str, Any]]:
    if any(not step.type for step in steps):
        await conn.execute(PLAN_FOR_VALUES)
    within = server.within(conn)
    answers: list[dict[str, Any]] = []
    async for step in in_slices(steps):
        step.resource = None  # freed here, not all at once at the end
        if step.type:
            answers.append(_written_entry(request, step, written[step.index]))
        else:
            answers.append(await _read_entry(within, request, step))
    return answers


def _written_entry(request: Request, step: Step, written: Written) -> dict[str, Any]:
    """The answer of an entry that writes."""
    answer = written_answer(request, written)
    if written.body is None:
        answer = answer._replace(status=204, body=b"", location=answer.location if written.version else "")
    if not written.version:
        answer = answer._replace(version=None, updated=None)
    own = request._replace(method=step.method, segments=(written.type, written.id))
    entry = told(own, answer)
    return {"fullUrl": f"{request.base}/{written.type}/{written.id}", **entry} if written.version else entry


async def _read_entry(server: Server, request: Request, step: Step) -> dict[str, Any]:
    """The answer of an entry that is a request of its own; one that fails fails the transaction."""
    try:
        own = request_of(request, step.entry, step.index)
        answer = await dispatch(server, own)
    except Exception as error:
        raise placed(error, step.index) from error
    if answer.status >= 400:
        text = f"This entry was answered with {status(answer.status)}, so the whole transaction was refused."
        raise Unprocessable(text, expression=f"Bundle.entry[{step.index}]")
    return told(own, answer)
