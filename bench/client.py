"""A small HTTP/1.1 client on asyncio streams: it must cost less than the server it measures.

Enters: method, path, body. Leaves: status and body. One connection a worker, kept open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be sent."""

    method: str
    path: str
    body: bytes = b""
    resources: int = 1


@dataclass(slots=True)
class Run:
    """What a load of calls gave: seconds each took, resources written, answers that were errors."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    resources: int = 0
    errors: int = 0

    def percentile_ms(self, share: float) -> float:
        """The latency that this share of the calls stayed below."""
        ordered = sorted(self.latencies)
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


class Connection:
    """One kept-open connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        head = "\r\n".join(
            (
                f"{call.method} {call.path} HTTP/1.1",
                f"Host: {self._host}:{self._port}",
                "Accept: application/fhir+json, application/json",
                "Content-Type: application/fhir+json",
                "Prefer: return=minimal",
                f"Content-Length: {len(call.body)}\r\n\r\n",
            )
        )
        self._writer.write(head.encode() + call.body)
        await self._writer.drain()
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(
            (int(line[15:]) for line in answer.split("\r\n") if line.lower().startswith("content-length:")), 0
        )
        return int(answer[9:12]), await self._reader.readexactly(length) if length else b""

    def close(self) -> None:
        """Ends the connection."""
        if self._writer is not None:
            self._writer.close()


async def drive(port: int, calls: Sequence[Call], concurrency: int, *, seconds: float | None = None) -> Run:
    """Sends the calls from so many connections; for so many seconds round and round, or each once."""
    run, position, started = Run(), iter(range(10**9)), time.monotonic()

    async def worker() -> None:
        connection = Connection("127.0.0.1", port)
        while True:
            place = next(position)
            if (place >= len(calls)) if seconds is None else (time.monotonic() - started > seconds):
                break
            call = calls[place % len(calls)]
            began = time.monotonic()
            status, _ = await connection.send(call)
            run.latencies.append(time.monotonic() - began)
            run.resources += call.resources
            run.errors += status >= 400
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    run.seconds = time.monotonic() - started
    return run
