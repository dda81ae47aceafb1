"""Notes of refused requests, stored after they were answered.

Enters: a refusal. Leaves: a row of the intake, within a second. The answer waits for nothing here and never fails by
it; when the database is away the notes wait for it. There is room for a bounded number of them; how many found none is
noted as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from ecluse.core import clock
from ecluse.core.db.upkeep import repeated
from ecluse.core.errors import EcluseError, Unavailable
from ecluse.core.fhir import types
from ecluse.core.log import Log
from fhir_server.http.request import target_of
from fhir_server.intake.issues import kept
from fhir_server.operations.registry import operations
from fhir_server.server import Server
from fhir_server.store import intake
from fhir_server.store.intake import Note

log = Log("intake")
MOST_WAITING = 10_000
MOST_AT_ONCE = 500
EVERY_S = 0.2
LOST = "not-noted"


class Refusals:
    """The notes of one process that wait to be stored."""

    def __init__(self) -> None:
        self._waiting: deque[Note] = deque()
        self._lost = 0

    def add(self, note: Note | None, received_at: datetime) -> None:
        """Takes a note, if there is one; costs next to nothing."""
        if note is None:
            return
        note.received_at, note.took_ms = received_at, intake.took_ms(received_at)
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(note)
        else:
            self._lost += 1

    async def keep(self, server: Server) -> None:
        """Stores what waits, until cancelled."""
        await repeated(partial(self.flush, server), EVERY_S)

    async def flush(self, server: Server) -> None:
        """Stores what waits, unless the database is away."""
        while self._waiting or self._lost:
            taken = [self._waiting[place] for place in range(min(MOST_AT_ONCE, len(self._waiting)))]
            lost = self._lost
            try:
                async with server.connection() as conn:
                    await intake.note(conn, server.keys, [*taken, *_told(lost)])
            except Unavailable:
                return
            for _ in taken:
                self._waiting.popleft()
            self._lost -= lost


def _told(lost: int) -> list[Note]:
    """How many refusals could not be noted, as a row of its own."""
    if not lost:
        return []
    log.error("refusals were not noted", count=lost)
    return [Note(clock.now(), None, "", "", "", "", 0, entries=lost, refused=lost, reason=LOST)]


def wants_to_write(method: str, segments: Sequence[str]) -> bool:
    """Whether a request to this address leaves a row."""
    last = segments[-1] if segments else ""
    if method == "POST" and last.startswith("$"):
        return any(operation.affects_state and f"${operation.name}" == last for operation in operations())
    return (method == "POST" and last != "_search") or method in ("PUT", "PATCH", "DELETE")


def refusal(server: Server, scope: Any, headers: Mapping[str, str], request_id: str, error: Exception) -> Note | None:
    """The note of a request that ended in an error; None when it did not want to write.

    scope: the request as ASGI brought it, since many are refused before anything else is known of them"""
    site, segments = _address(scope["path"])
    if not wants_to_write(scope["method"], segments):
        return None
    ours = error if isinstance(error, EcluseError) else EcluseError("The server failed; its log has the reason.")
    words = [part for part in segments if part not in types.number_of and len(part) > 2 and part[0] not in "_$"]
    known = server.known_site(site)
    return Note(
        received_at=clock.now(),
        site=known.number if known else None,
        sender=headers.get("x-ecluse-sender", ""),
        request_id=request_id,
        method=scope["method"],
        target=target_of(segments),
        status=ours.status,
        bytes=_length(headers),
        refused=1,
        reason=ours.issues[0].code or ours.code,
        issues=kept(ours.issues, ours.code, words),
    )


def _address(path: str) -> tuple[str, list[str]]:
    """Site and segments, of any path that comes here."""
    before, _, below = path.strip("/").partition("fhir")
    return before.strip("/").removeprefix("sites/") or "default", [part for part in below.split("/") if part]


def _length(headers: Mapping[str, str]) -> int:
    """What the client said of the body's length."""
    said = headers.get("content-length", "")
    return min(int(said), intake.LARGEST) if said.isascii() and said.isdigit() and len(said) < 12 else 0
