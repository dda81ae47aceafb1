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
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
BOM = b"\xef\xbb\xbf"
UNREADABLE = (400, 413, 422)
"""How a batch is refused as a whole."""

KEPT = ("information", "business-rule")
"""How an entry of a bundle is told that what came live was left as it is."""
PATIENCE_S = 300.0
FIRST_DELAY_S = 0.2
HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal", "X-Ecluse-Sender": "ecluse load"}
HISTORY = {"X-Ecluse-Lane": "bulk", "X-Ecluse-Keep": "live"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One request to be: where it is from, how to send it. parts: of a batch, its lines as requests of their own"""

    name: str
    method: str
    path: str
    body: bytes
    parts: tuple[Piece, ...] = ()

    def key(self, lane: Mapping[str, str]) -> str:
        """The same for the same content at the same place in the same lane: what history left may be asked for live."""
        asked = f"{self.method} {self.path}" + "".join(f" {name}={value}" for name, value in lane.items())
        return hashlib.sha256(f"{asked}\n".encode() + self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Unread:
    """What becomes no request: where it is, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Report:
    """What came of a load. repeated: requests that the server had answered before; kept: resources that came live and
    were left as they are; refused: reason → where it happened; refusals: of files, lines and entries of bundles."""

    pieces: int = 0
    repeated: int = 0
    resources: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[str]] = field(default_factory=dict)
    refusals: int = 0

    def refuse(self, where: str, *reasons: str) -> None:
        """Notes a refusal."""
        self.refusals += 1
        for reason in reasons:
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


def pieces(path: Path) -> Iterator[Piece | Unread]:
    """The requests that a file becomes, made one by one, and the lines that become none.

    Raises: EcluseError when the file is no FHIR JSON
    """
    if ".ndjson" in path.name:
        yield from _lines(path)
        return
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise EcluseError(f"cannot be read: {error}") from error
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EcluseError(f"not FHIR JSON: {error}") from error
    if head.resourceType == "Bundle" and head.type in ("transaction", "batch"):
        yield Piece(path.name, "POST", "", data)
    else:
        yield _single(path.name, head, data)


class _Head(msgspec.Struct):
    resourceType: str
    type: Any = None
    id: str = ""


def _single(name: str, head: _Head, data: bytes) -> Piece:
    path = f"/{quote(head.resourceType, safe='')}"
    return Piece(name, "PUT", f"{path}/{quote(head.id, safe='')}", data) if head.id else Piece(name, "POST", path, data)


def _lines(path: Path) -> Iterator[Piece | Unread]:
    """Batches of lines, so that one bad line refuses itself alone."""
    parts: list[Piece] = []
    for name, line in _numbered(path):
        one = _line(name, line) if isinstance(line, bytes) else line
        if isinstance(one, Unread):
            yield one
            continue
        parts.append(one)
        if len(parts) == NDJSON_LINES:
            yield _batch(parts)
            parts = []
    if parts:
        yield _batch(parts)


def _numbered(path: Path) -> Iterator[tuple[str, bytes | Unread]]:
    """File and number of each line that is not blank, and the line; where a file breaks off, what is told of that."""
    number = 0
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        try:
            for number, line in enumerate(stream, 1):
                if text := line.removeprefix(BOM).strip():
                    yield f"{path.name}:{number}", text
        except (OSError, EOFError, zlib.error) as error:
            name = f"{path.name}:{number + 1}"
            yield name, Unread(name, f"cannot be read from this line on: {error}")


def _line(name: str, line: bytes) -> Piece | Unread:
    try:
        return _single(name, msgspec.json.decode(line, type=_Head), line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return Unread(name, f"not FHIR JSON: {error}")


def _batch(parts: Sequence[Piece]) -> Piece:
    entries = [
        {"resource": msgspec.Raw(part.body), "request": {"method": part.method, "url": part.path[1:]}} for part in parts
    ]
    body = msgspec.json.encode({"resourceType": "Bundle", "type": "batch", "entry": entries})
    return Piece(parts[0].name, "POST", "", body, tuple(parts))


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
            if isinstance(piece, Unread):
                report.refuse(piece.name, piece.reason)
            else:
                await _take(target, piece, report)
    except Unavailable:
        raise
    except EcluseError as error:
        report.refuse(path.name, str(error))


async def _take(target: Target, piece: Piece, report: Report) -> None:
    """Sends a piece; of a batch that is refused as a whole each line by itself, to know which one it is."""
    report.pieces += 1
    answer = await _send(target, piece)
    if answer.status_code in UNREADABLE and piece.parts:
        for part in piece.parts:
            await _take(target, part, report)
    else:
        _note(piece, answer, report)


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
        report.refuse(piece.name, *_reasons(answer.content))
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
            where = piece.parts[index].name if piece.parts else f"{piece.name} entry {index}"
            report.refuse(where, *_reasons(msgspec.json.encode(response.get("outcome", {}))))
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
