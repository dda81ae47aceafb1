"""Patient $merge and $unmerge: two records of one person become one by links, and two again.

Enters: which Patient is to be merged into which. Leaves: the source with active=false and a link `replaced-by`, the
target with a link `replaces`, and the record of it, in one transaction; then what moved is sent again on the bus. No
reference is rewritten: searches, compartments and events read the record. An unmerge gives both Patients back what
the merge took, and keeps what was changed since.
Spec: http://hl7.org/fhir/R4/patient.html#links, https://build.fhir.org/patient-operation-merge.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ecluse.bus.position import Position, latest
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Gone, Issue, NotFound, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http.request import Answer, Request
from fhir_server.once import once
from fhir_server.operations.merging import Pair, Resource, named, pair_of, patient_of, result_of
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store import merges, resources
from fhir_server.store.merges import Merged
from fhir_server.store.write import Intent, Written, intent, write
from fhir_server.store.written import last_event

Change = Callable[[Resource], Resource]


async def merge(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the outcome and the target; `preview` writes nothing.

    Raises: BadRequest (400) when a Patient is not named, NotFound (404), Gone (410), Unprocessable (422) when these two
    cannot be merged
    """

    async def work(conn: Connection) -> Answer:
        await merges.lock(conn, request.site.number)
        pair = await pair_of(conn, request, parameters)
        result = result_of(parameters, pair)
        known = await merges.merged(conn, request.site.number, pair.source)
        await _check(conn, request, pair, known)
        if known and known.target == pair.target:
            target = await _body(conn, request, pair.target)
            return _answer(request, f"Patient/{pair.source} is merged into Patient/{pair.target} already.", target)
        if parameters.boolean("preview"):
            text = f"Patient/{pair.source} can be merged into Patient/{pair.target}; nothing was written."
            return _answer(request, text, await _preview(conn, request, pair, result))
        made = await _merge(conn, server, request, pair, result)
        text = f"Patient/{pair.source} is merged into Patient/{pair.target}."
        return _answer(request, text, made.body or b"", made.event)

    return await _told(server, request, await once(server, request, work))


async def unmerge(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the outcome and the Patient that stands alone again.

    Raises: BadRequest (400) when the Patient is not named, Unprocessable (422) when it is not merged, NotFound (404)
    """

    async def work(conn: Connection) -> Answer:
        await merges.lock(conn, request.site.number)
        source = await patient_of(conn, request, parameters, "source-patient")
        known = await merges.merged(conn, request.site.number, source)
        target = await named(conn, request, parameters, "target-patient")
        if known is None or known.target is None or target not in (None, known.target):
            into = f"into Patient/{target}" if target else "into any other"
            raise Unprocessable(f"Patient/{source} is not merged {into}; there is nothing to undo.")
        restored = await _unmerge(conn, server, request, Pair(source, known.target), known)
        text = f"Patient/{source} is no longer merged into Patient/{known.target}."
        return _answer(request, text, restored.body or b"", restored.event)

    return await _told(server, request, await once(server, request, work))


async def _merge(conn: Connection, server: Server, request: Request, pair: Pair, result: Resource | None) -> Written:
    """The target, with the last event of both."""
    source, target = await _write(conn, server, request, pair, _replaced(pair), _replacing(pair, result))
    versions = (source.version, target.version)
    now = request.received_at
    await conn.execute(merges.SQL["merge"], request.site.number, pair.source, pair.target, *versions, now)
    return target._replace(event=last_event((source, target)))


async def _unmerge(conn: Connection, server: Server, request: Request, pair: Pair, known: Merged) -> Written:
    """The source, with the last event of both."""
    before = [
        await _version(conn, request, own, version - 1)
        for own, version in ((pair.source, known.source_version), (pair.target, known.target_version))
    ]
    source = _restored(before[0], known.source_version, pair.target, "replaced-by")
    target = _restored(before[1], known.target_version, pair.source, "replaces")
    first, second = await _write(conn, server, request, pair, source, target)
    await conn.execute(merges.SQL["unmerge"], request.site.number, pair.source)
    return first._replace(event=last_event((first, second)))


async def _write(
    conn: Connection, server: Server, request: Request, pair: Pair, source: Change, target: Change
) -> tuple[Written, Written]:
    """Both Patients changed, each under its lock."""
    wishes = [_wish(pair.source, source), _wish(pair.target, target)]
    first, second = await write(conn, server.keys, wishes, request.context)
    return first, second


def _wish(own: str, change: Change) -> Intent:
    def made(resource: Resource) -> Intent:
        return intent(change(resource), own)

    return Intent("Patient", own, None, change=made)


def _replaced(pair: Pair) -> Change:
    def change(resource: Resource) -> Resource:
        return _linked({**resource, "active": False}, pair.target, "replaced-by")

    return change


def _replacing(pair: Pair, result: Resource | None) -> Change:
    def change(resource: Resource) -> Resource:
        return _linked(resource if result is None else result, pair.source, "replaces")

    return change


def _linked(resource: Resource, other: str, kind: str) -> Resource:
    link = {"other": {"reference": f"Patient/{other}"}, "type": kind}
    kept = [one for one in resource.get("link", []) if not _is_link(one, other, kind)]
    return {**resource, "link": [*kept, link]}


def _is_link(link: Resource, other: str, kind: str) -> bool:
    return link.get("type") == kind and link.get("other", {}).get("reference") == f"Patient/{other}"


def _restored(before: Resource | None, version: int, other: str, kind: str) -> Change:
    """What stood before the merge; when the Patient was changed since, or its history erased, only the merge is
    undone."""

    def change(resource: Resource) -> Resource:
        if before is not None and resource["meta"]["versionId"] == str(version):
            return before
        made = {**resource, "link": [one for one in resource.get("link", []) if not _is_link(one, other, kind)]}
        if kind == "replaced-by":
            made["active"] = (before or {}).get("active")
        return {name: value for name, value in made.items() if value not in (None, [])}

    return change


async def _told(server: Server, request: Request, answer: Answer) -> Answer:
    """The same answer, after what moved was sent again. In a transaction of its own: what others store from the first
    one on brings the merge with it. When this process ends in between, another one does it (`merges.keep`)."""
    async with server.transaction() as conn:
        told = await merges.tell(conn, request.site.number, request.context.lane)
    return answer._replace(event=latest((answer.event, told)))


async def _check(conn: Connection, request: Request, pair: Pair, known: Merged | None) -> None:
    if known and known.target not in (None, pair.target):
        raise Unprocessable(f"Patient/{pair.source} is merged into Patient/{known.target} already; $unmerge it first.")
    other = await merges.merged(conn, request.site.number, pair.target)
    if other and other.target:
        raise Unprocessable(f"Patient/{pair.target} is itself merged into Patient/{other.target}; merge into that one.")
    for own in (pair.source, pair.target):
        await resources.current(conn, request.site.number, "Patient", own)


async def _preview(conn: Connection, request: Request, pair: Pair, result: Resource | None) -> bytes:
    return json.encode(_replacing(pair, result)(json.decode_exactly(await _body(conn, request, pair.target))))


async def _body(conn: Connection, request: Request, own: str) -> bytes:
    stored = await resources.current(conn, request.site.number, "Patient", own)
    return stored.body or b""


async def _version(conn: Connection, request: Request, own: str, version: int) -> Resource | None:
    """A Patient as it was, None when that is erased."""
    try:
        stored = await resources.version(conn, request.site.number, "Patient", own, version)
    except (NotFound, Gone):
        return None
    resource: Resource = json.decode_exactly(stored.body or b"")
    return resource


def _answer(request: Request, text: str, result: bytes, event: Position | None = None) -> Answer:
    told: list[dict[str, Any]] = [
        {"name": "outcome", "resource": operation_outcome([Issue.information(text)])},
        {"name": "result", "resource": msgspec.Raw(result)},
    ]
    if request.body:
        told.insert(0, {"name": "input", "resource": msgspec.Raw(request.body)})
    return Answer(200, json.encode({"resourceType": "Parameters", "parameter": told}), event=event)


_SOURCE = ("source-patient", "source-patient-identifier")
_TARGET = ("target-patient", "target-patient-identifier")
OPERATIONS = (
    Operation(
        "merge",
        merge,
        "http://hl7.org/fhir/OperationDefinition/Patient-merge",
        ("type",),
        ("Patient",),
        (*_SOURCE, *_TARGET, "result-patient", "preview"),
        affects_state=True,
    ),
    Operation(
        "unmerge",
        unmerge,
        "urn:ecluse:OperationDefinition:Patient-unmerge",
        ("type",),
        ("Patient",),
        (*_SOURCE, *_TARGET),
        affects_state=True,
    ),
)
