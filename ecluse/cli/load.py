"""`ecluse load`: posts files to a FHIR server, safely more than once.

Enters: paths of bundles, resources and NDJSON. Leaves: what was taken, what was refused and why. Each request carries a
key made of its content, under which the server keeps its first answer: a request sent again after a lost answer, or a
whole load started again, writes nothing twice and goes quickly over what was taken before. History goes in beside the
live flow: in the lane that readers of events take last, and never over what came live."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, NotFound, Unavailable
from ecluse.core.log import Log
from ecluse.core.settings import ADDRESSES

log = Log("load")
FIRST = re.compile(r"(hospital|organi[sz]ation|practitioner|location|site)", re.IGNORECASE)
CONCURRENCY = {False: 4, True: 2}
"""Requests at once; fewer for history, which has time and leaves the processors to the live flow."""
NDJSON_LINES = 500
KEPT = ("information", "business-rule")
"""How an entry of a bundle is told that what came live was left as it is."""
PATIENCE_S = 300.0
FIRST_DELAY_S = 0.2
HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal", "X-Ecluse-Sender": "ecluse load"}
HISTORY = {"X-Ecluse-Lane": "bulk", "X-Ecluse-Keep": "live"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One request to be: where it is from, how to send it."""

    name: str
    method: str
    path: str
    body: bytes

    def key(self, lane: Mapping[str, str]) -> str:
        """The same for the same content at the same place in the same lane: what history left may be asked for live."""
        asked = f"{self.method} {self.path}" + "".join(f" {name}={value}" for name, value in lane.items())
        return hashlib.sha256(f"{asked}\n".encode() + self.body).hexdigest()


@dataclass(slots=True)
class Report:
    """What came of a load. repeated: requests that the server had answered before; kept: resources that came live and
    were left as they are; refused: reason → where it happened."""

    pieces: int = 0
    repeated: int = 0
    resources: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, reason: str, where: str) -> None:
        """Notes a refusal."""
        self.refused.setdefault(reason, []).append(where)


def files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """(reference files, all others): hospitals and practitioners come first, since the others refer to them.

    Raises: NotFound when a path does not exist or holds nothing to load
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NotFound(f"{path} does not exist.")
        found.extend(sorted(p for p in path.rglob("*") if _loadable(p)) if path.is_dir() else [path])
    if not found:
        raise NotFound("There is no .json or .ndjson file to load.")
    return [path for path in found if FIRST.search(path.name)], [path for path in found if not FIRST.search(path.name)]


def _loadable(path: Path) -> bool:
    return path.is_file() and path.name.endswith((".json", ".ndjson", ".json.gz", ".ndjson.gz"))


def pieces(path: Path) -> Iterator[Piece]:
    """The requests that a file becomes, made one by one.

    Raises: EcluseError when the file is no FHIR JSON
    """
    if ".ndjson" in path.name:
        yield from _lines(path)
        return
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EcluseError(f"not FHIR JSON: {error}") from error
    if head.resourceType == "Bundle" and head.type in ("transaction", "batch"):
        yield Piece(path.name, "POST", "", data)
    elif head.id:
        yield Piece(path.name, "PUT", f"/{head.resourceType}/{head.id}", data)
    else:
        yield Piece(path.name, "POST", f"/{head.resourceType}", data)


class _Head(msgspec.Struct):
    resourceType: str
    type: Any = None
    id: str = ""


def _lines(path: Path) -> Iterator[Piece]:
    """Batches of lines, so that one bad line refuses itself alone."""
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        entries: list[dict[str, Any]] = []
        start = 1
        for number, line in enumerate(stream, 1):
            if line.strip():
                entries.append(_line_entry(line, f"{path.name}:{number}"))
            if len(entries) == NDJSON_LINES:
                yield _batch(path, start, entries)
                entries, start = [], number + 1
        if entries:
            yield _batch(path, start, entries)


def _line_entry(line: bytes, where: str) -> dict[str, Any]:
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EcluseError(f"{where} is not FHIR JSON: {error}") from error
    asked = (
        {"method": "PUT", "url": f"{head.resourceType}/{head.id}"}
        if head.id
        else {"method": "POST", "url": head.resourceType}
    )
    return {"resource": msgspec.Raw(line.strip()), "request": asked}


def _batch(path: Path, start: int, entries: list[dict[str, Any]]) -> Piece:
    body = msgspec.json.encode({"resourceType": "Bundle", "type": "batch", "entry": entries})
    return Piece(f"{path.name}:{start}", "POST", "", body)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the files go. base: FHIR base of a site; lane: headers that say in which lane, none for the live one"""

    client: httpx.AsyncClient
    base: str
    lane: Mapping[str, str]


async def load(base: str, paths: Iterable[Path], progress: Callable[[Path], None], *, history: bool = False) -> Report:
    """What came of posting these files to this FHIR base.

    history: in the lane of history, and never over what came live
    Raises: Unavailable when the server stays away for five minutes, BadRequest when the base is no address
    """
    report = Report()
    if not base.startswith(ADDRESSES):
        raise BadRequest(f"{base} is no address: write http://HOST:PORT or https://HOST.")
    first, rest = files(paths)
    async with httpx.AsyncClient(timeout=httpx.Timeout(600, connect=10)) as client:
        target = Target(client, base, HISTORY if history else {})
        for path in first:
            await _file(target, path, report)
            progress(path)
        waiting = iter(rest)

        async def worker() -> None:
            for path in waiting:
                await _file(target, path, report)
                progress(path)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY[history]):
                group.create_task(worker())
    return report


async def _file(target: Target, path: Path, report: Report) -> None:
    try:
        for piece in pieces(path):
            report.pieces += 1
            _note(piece, await _send(target, piece), report)
    except Unavailable:
        raise
    except EcluseError as error:
        report.refuse(str(error), path.name)


async def _send(target: Target, piece: Piece) -> httpx.Response:
    """The answer; while the server is away, the same request again and again, under the same key."""
    delay, started = FIRST_DELAY_S, clock.monotonic()
    headers = {**HEADERS, **target.lane, "Idempotency-Key": piece.key(target.lane)}
    while True:
        try:
            url = f"{target.base}{piece.path}"
            answer = await target.client.request(piece.method, url, content=piece.body, headers=headers)
            if answer.status_code not in (429, 502, 503, 504):
                return answer
            reason = f"{target.base} answers {answer.status_code}"
        except httpx.TransportError as error:
            reason = f"{target.base} does not answer: {error or type(error).__name__}"
        if clock.monotonic() - started > PATIENCE_S:
            raise Unavailable(f"{reason}; start the server and load again, what was taken is not sent twice.")
        if delay == FIRST_DELAY_S:
            log.warning("the server does not take it, it is sent again for five minutes", reason=reason)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 5.0)


def _note(piece: Piece, answer: httpx.Response, report: Report) -> None:
    if answer.status_code >= 400:
        for reason in _reasons(answer.content):
            report.refuse(reason, piece.name)
        return
    report.repeated += answer.headers.get("x-ecluse-repeated") == "true"
    if piece.path:
        counted = report.kept if answer.headers.get("x-ecluse-kept") else report.resources
        counted[piece.path.split("/")[1]] += 1
    else:
        _note_entries(piece, msgspec.json.decode(answer.content), report)


def _note_entries(piece: Piece, bundle: dict[str, Any], report: Report) -> None:
    for index, entry in enumerate(bundle.get("entry", ())):
        response = entry["response"]
        if response["status"][0] in "45":
            for reason in _reasons(msgspec.json.encode(response.get("outcome", {}))):
                report.refuse(reason, f"{piece.name} entry {index}")
        elif response.get("location"):
            counted = report.kept if _kept(response) else report.resources
            counted[response["location"].split("/_history")[0].split("/")[-2]] += 1


def _kept(response: dict[str, Any]) -> bool:
    issues = response.get("outcome", {}).get("issue", ())
    return any((issue["severity"], issue["code"]) == KEPT for issue in issues)


def _reasons(body: bytes) -> list[str]:
    """What the server said is wrong, one sentence an issue."""
    try:
        issues = msgspec.json.decode(body).get("issue", [])
    except msgspec.DecodeError:
        return [body[:200].decode("utf-8", "replace")]
    return [_sentence(issue) for issue in issues] or ["refused without a reason"]


def _sentence(issue: dict[str, Any]) -> str:
    text = issue.get("details", {}).get("text", "")
    place = ", ".join(issue.get("expression", ()))
    found = issue.get("diagnostics", "")
    return " · ".join(part for part in (place, text, found) if part)
