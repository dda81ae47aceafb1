"""$import: NDJSON files from addresses, or one in the body, through the same door as every other write.

R4 has no such operation; this is the SMART manifest, as JSON or as Parameters.
Spec: https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir import types
from fhir_server.bulk import fetch, folder, ingest, jobs, kickoff, spool
from fhir_server.bulk.resource_line import Import
from fhir_server.bulk.wanted import FORMATS
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Given, Parameters
from fhir_server.profiles.validation import HEADER
from fhir_server.server import Server

DEFINITION = "https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md"
PARAMETERS = ("inputFormat", "inputSource", "storageDetail", "input", "manifest")
MOST_INPUTS = 10_000


class Input(msgspec.Struct):
    """One file of a manifest."""

    url: str
    type: str = ""


class Storage(msgspec.Struct):
    """Where the files of a manifest are."""

    type: str = "https"


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be imported, as JSON."""

    input: list[Input]
    inputFormat: str = FORMATS[0]
    inputSource: str = ""
    storageDetail: Storage | None = None


async def bulk_import(server: Server, request: Request, given: Parameters) -> Answer:
    """202 with the address at which the job tells how it stands.

    Raises: BadRequest (400), Unprocessable (422) for a host that may not be asked, TooLarge (413), Busy (429)
    """
    kickoff.check_prefer(request)
    async with server.connection() as conn:
        await jobs.check_room(conn)
    if request.stream is not None:
        job = await _kept(server, request)
    else:
        manifest = _manifest(given)
        _check(server, manifest)
        inputs = [(each.type, each.url) for each in manifest.input]
        job = await _added(server, request, clock.new_id(), inputs, manifest.inputSource)
    server.kicked_off.set()
    return kickoff.accepted(request, job, "The import")


async def _kept(server: Server, request: Request) -> str:
    """The id of a job whose one file came in the body."""
    assert request.stream is not None
    job = clock.new_id()
    try:
        await spool.spool(request.stream, ingest.spooled(server, job, 0), server.settings.bulk_max_bytes)
        return await _added(server, request, job, [("", ingest.BODY)], "")
    except BaseException:
        await asyncio.to_thread(folder.remove, server.settings, job)
        raise


async def _added(server: Server, request: Request, job: str, inputs: Sequence[tuple[str, str]], source: str) -> str:
    wanted = Import(
        url=f"{request.base}/$import",
        base=request.base,
        site=request.site.name,
        sender=request.context.sender,
        request_id=request.request_id,
        source=source,
        validation=request.headers.get(HEADER),
    )
    async with server.transaction() as conn:
        return await jobs.add(conn, request.site.number, "import", msgspec.json.encode(wanted), job=job, inputs=inputs)


def _manifest(given: Parameters) -> Manifest:
    """The manifest, whichever way it came.

    Raises: BadRequest (400)
    """
    alone = given.one("manifest")
    try:
        if alone is not None and alone.resource is not None:
            return msgspec.json.decode(alone.resource, type=Manifest)
        return msgspec.convert(_as_json(given), type=Manifest)
    except msgspec.MsgspecError as error:
        text = "POST NDJSON, or a manifest with input: a list of url and, if all resources are of one, type."
        raise BadRequest(issues=[Issue(text, diagnostics=str(error), code="invalid")]) from error


def _as_json(given: Parameters) -> dict[str, Any]:
    found: dict[str, Any] = {"input": [_parts(one) for one in given.all("input")]}
    for name in ("inputFormat", "inputSource"):
        if text := given.text(name):
            found[name] = text
    if storage := given.one("storageDetail"):
        found["storageDetail"] = _parts(storage)
    return found


def _parts(one: Given) -> dict[str, Any]:
    return {part["name"]: value for part in one.part for name, value in part.items() if name.startswith("value")}


def _check(server: Server, manifest: Manifest) -> None:
    """Raises: BadRequest (400), Unprocessable (422) with all that cannot be done"""
    storage = manifest.storageDetail.type if manifest.storageDetail else "https"
    if manifest.inputFormat not in FORMATS:
        raise BadRequest(f"inputFormat: this server reads {FORMATS[0]}.", diagnostics=manifest.inputFormat[:80])
    if storage not in ("https", "http"):
        raise BadRequest("storageDetail: files are fetched by https or http.", diagnostics=storage[:80])
    if not 1 <= len(manifest.input) <= MOST_INPUTS:
        raise BadRequest(f"input: name 1 to {MOST_INPUTS} files.", diagnostics=f"found {len(manifest.input)}")
    issues: list[Issue] = []
    kind: type[EcluseError] = BadRequest
    for index, each in enumerate(manifest.input):
        if each.type and each.type not in types.number_of:
            issues.append(Issue(types.unknown(each.type), f"input[{index}].type", code="value"))
        try:
            fetch.check(server.settings, each.url)
        except EcluseError as error:
            kind = type(error)
            issues += [Issue(issue.text, f"input[{index}].url", issue.diagnostics) for issue in error.issues]
    if issues:
        raise kind(issues=issues)


OPERATIONS = (
    Operation(
        "import",
        bulk_import,
        DEFINITION,
        ("system",),
        parameters=PARAMETERS,
        affects_state=True,
        body="manifest",
    ),
)
