"""`ecluse terminology load`: what each path or package holds, into the tables for all sites.

Enters: settings, paths and `npm:NAME@VERSION`. Leaves: a line a source with what was taken; nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ecluse.cli.ig import npm
from ecluse.cli.ig.npm import NPM
from ecluse.cli.terminal import terminal
from ecluse.cli.terminology import files
from ecluse.cli.terminology.recognise import Wish, recognised
from ecluse.core.db.databases import open_databases
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, EcluseError
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.packages import read_package
from ecluse.core.settings import Settings
from fhir_server.terminology import base, intake
from fhir_server.terminology.loading import Loaded
from mappers.terminology.concept import Json, Source

BLOCK_BYTES = 1 << 20
SHOWN = 5


async def run(settings: Settings, sources: Sequence[str], wish: Wish) -> None:
    """Takes in each source, all of it or nothing.

    Raises: BadRequest with the file, the line and the fix, NotFound for an unknown package"""
    console = terminal(soft_wrap=True, highlight=False)
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        await base.settle(conn)
        for source in sources:
            taken = await _take(conn, source, wish)
            for one in taken:
                console.print(f"{one.url}{f'|{one.version}' if one.version else ''}: {_told(one)}", markup=False)
            if not taken:
                console.print(f"{source}: nothing new; it is loaded already.", markup=False)


async def _take(conn: Connection, source: str, wish: Wish) -> list[Loaded]:
    path = Path(source)
    if source.startswith(NPM) or path.suffix == ".tgz":
        return await intake.take_package(conn, read_package(await _package(source)))
    if not path.exists():
        raise BadRequest(f"{source} is not there. Write npm:NAME@VERSION for a package of a registry.")
    if path.suffix in (".json", ".ndjson") or (path.is_dir() and any(path.glob("*.json"))):
        return await intake.take(conn, path.name, _resources(path))
    system = recognised(source, files.tables(path), wish)
    taken = await intake.take_system(conn, path.name, system, digest(path, system))
    return [taken] if taken else []


async def _package(source: str) -> bytes:
    if source.startswith(NPM):
        return await npm.fetch(source)
    try:
        return await asyncio.to_thread(Path(source).read_bytes)
    except OSError as error:
        raise BadRequest(f"{source} cannot be read: {error.strerror}.") from error


def _resources(path: Path) -> Iterator[Json]:
    """The definitions of FHIR files: resources, bundles, NDJSON."""
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        lines = file.read_bytes().splitlines() if file.suffix == ".ndjson" else [file.read_bytes()]
        for number, line in enumerate(lines, 1):
            if line.strip() and b'"resourceType"' in line:
                yield from _definitions(line, f"{file.name}, line {number}" if len(lines) > 1 else file.name)


def _definitions(text: bytes, place: str) -> Iterable[Json]:
    """Raises: BadRequest with the file and every problem in it"""
    try:
        resource = accept(None, text)
    except EcluseError as error:
        told = [f"{place}: {issue.line}" for issue in error.issues]
        raise BadRequest("\n".join(told[:SHOWN])) from error
    entries = resource.get("entry", ()) if resource["resourceType"] == "Bundle" else [{"resource": resource}]
    return [one["resource"] for one in entries if one.get("resource", {}).get("resourceType") in intake.KINDS]


def digest(path: Path, system: Source) -> bytes:
    """Of all bytes that were read and of the header they come under."""
    found = hashlib.sha256(json.encode(system.header))
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                while block := opened.read(BLOCK_BYTES):
                    found.update(block)
    return found.digest()


def _told(one: Loaded) -> str:
    told = [f"{one.concepts} concepts" if one.concepts else "loaded"]
    if one.cyclic:
        told.append(f"parents that led back to themselves were cut at {_some(one.cyclic)}")
    if one.unknown:
        told.append(f"parents that are no codes: {_some(one.unknown)}")
    return "; ".join(told)


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - SHOWN} more" if len(codes) > SHOWN else ""
    return ", ".join(codes[:SHOWN]) + more
