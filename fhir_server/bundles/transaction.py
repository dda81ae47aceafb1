"""transaction: many requests in one database transaction, all of it or nothing, not even an event.

Enters: the entries of a Bundle. Leaves: one answer an entry, in their order. What the entries do does not depend on
their order: deletes come first, then creates, then updates, then what only reads.

    1 plan      every entry accepted, in slices; what is wrong in all of them is told at once
    2 resolve   conditions under their locks, conditional references, references between the entries
    3 write     through the one door
    4 read      what the GET entries and the operations ask for

Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Unprocessable
from ecluse.core.fhir.bundle import BundleEntry
from fhir_server.bundles.conditions import settle
from fhir_server.bundles.entry import placed, request_of, response, status, told
from fhir_server.bundles.plan import Step, plan
from fhir_server.bundles.resolve import resolve
from fhir_server.http.request import Answer, Request
from fhir_server.http.routes import dispatch
from fhir_server.interactions.conditional import update_intent
from fhir_server.interactions.delete import conditional_answer, delete_answer
from fhir_server.interactions.patch import patch_intent
from fhir_server.interactions.writing import standing, written_answer
from fhir_server.once import once
from fhir_server.server import Server
from fhir_server.slices import in_slices
from fhir_server.store.write import Intent, Written, intent, write
from fhir_server.store.written import last_event

RANK = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2}
PLAN_FOR_VALUES = "SET LOCAL plan_cache_mode = auto"
"""Searches are planned for their values; the plans that writes use are not (fhir_server/server.py)."""


async def transaction(server: Server, request: Request, entries: Sequence[BundleEntry]) -> Answer:
    """200 with the answers of all entries.

    Raises: BadRequest (400) with all that is wrong in all entries, PreconditionFailed (412) for a condition that
    several match, and what an entry raises, with its place"""
    planned = [await plan(request, entries)]

    async def work(conn: Connection) -> Answer:
        # Resolving rewrites the steps: whoever comes again starts from what was sent.
        steps = planned.pop() if planned else await plan(request, entries)
        written = await _written(conn, server, request, steps)
        answers = await _answers(conn, server, request, steps, written)
        return Answer(200, response("transaction", answers), event=last_event(chain(*written.values())))

    return await once(server, request, work)


async def _written(
    conn: Connection, server: Server, request: Request, steps: Sequence[Step]
) -> dict[int, list[Written]]:
    """Index of entry → what came of it."""
    found = await settle(conn, server, request, steps)
    wanted = sorted((s for s in steps if s.type and s.index not in found), key=lambda step: RANK[step.method])
    written: dict[int, list[Written]] = {}

    async def write_all() -> None:
        written.update(await _write(conn, server, request, wanted))

    await resolve(conn, request, steps, found, write_all)
    await write_all()
    for index, resource_id in found.items():
        written[index] = [await standing(conn, request, steps[index].type, resource_id)]
    return written


async def _write(conn: Connection, server: Server, request: Request, steps: Sequence[Step]) -> dict[int, list[Written]]:
    """Through the one door, all at once."""
    intents: list[Intent] = []
    indices: list[int] = []
    async for step in in_slices(steps):
        try:
            intents += _intents(request, step)
        except EcluseError as error:
            placed(error, step.index)
            raise
        indices += [step.index] * (len(intents) - len(indices))
    try:
        outcome = await write(conn, server.keys, intents, request.context)
    except EcluseError as error:
        if error.entry is not None:
            placed(error, indices[error.entry])
        raise
    written: dict[int, list[Written]] = {step.index: [] for step in steps}
    for index, one in zip(indices, outcome, strict=True):
        written[index].append(one)
    return written


def _intents(request: Request, step: Step) -> list[Intent]:
    """One for an entry, any number for a conditional delete."""
    if step.deletes is not None:
        return [wish._replace(if_match=step.if_match) for wish in step.deletes]
    if step.change is not None:
        wish = patch_intent(request, step.type, step.id, step.change)
        return [wish._replace(if_match=step.if_match, seen=step.target and step.target.seen)]
    if step.resource is None:
        return [Intent(step.type, step.id, None, if_match=step.if_match)]
    if step.target is not None:
        return [update_intent(step.resource, step.target, step.if_match)]
    return [intent(step.resource, step.id, new=step.method == "POST", if_match=step.if_match)]


async def _answers(
    conn: Connection, server: Server, request: Request, steps: Sequence[Step], written: Mapping[int, list[Written]]
) -> list[dict[str, Any]]:
    if any(not step.type for step in steps):
        await conn.execute(PLAN_FOR_VALUES)
    within, own = server.within(conn), {step.method: request._replace(method=step.method) for step in steps}
    answers: list[dict[str, Any]] = []
    async for step in in_slices(steps):
        step.resource = None  # freed here, not all at once at the end
        if step.type:
            answers.append(_written_entry(own[step.method], step, written[step.index]))
        else:
            answers.append(await _read_entry(within, request, step))
    return answers


def _written_entry(own: Request, step: Step, written: Sequence[Written]) -> dict[str, Any]:
    """The answer of an entry that writes. own: the bundle's request by the method of the entry"""
    if step.deletes is not None:
        return told(own, conditional_answer(own, step.type, written))
    (one,) = written
    if step.method == "DELETE":
        return told(own, delete_answer(own, one))
    entry = told(own, written_answer(own, one))
    return {"fullUrl": f"{own.base}/{one.type}/{one.id}", **entry}


async def _read_entry(server: Server, request: Request, step: Step) -> dict[str, Any]:
    """The answer of an entry that is a request of its own; one that fails fails the transaction."""
    try:
        own = request_of(request, step.entry, step.index)
        answer = await dispatch(server, own)
    except Exception as error:
        placed(error, step.index)
        raise
    if answer.status >= 400:
        text = f"This entry was answered with {status(answer.status)}, so the whole transaction was refused."
        raise Unprocessable(text, expression=f"Bundle.entry[{step.index}]")
    return told(own, answer)
