"""`ecluse export` and `ecluse import`: bulk jobs of a server, from their start to their last file.

Enters: addresses, paths, options. Leaves: NDJSON files, or what was stored and refused. What is read or sent is not
held in memory; an interrupted wait leaves the job to the server, its address is printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from ecluse.core.errors import EcluseError, Unavailable

TIMEOUT = httpx.Timeout(600, connect=10)
ASYNC = {"Prefer": "respond-async"}
NDJSON = {**ASYNC, "Content-Type": "application/fhir+ndjson", "X-Ecluse-Sender": "ecluse import"}
PIECE_BYTES = 1 << 20


async def export(base: str, level: str, query: Sequence[tuple[str, str]], out: Path) -> None:
    """Writes the files of an export into a folder. level: "", Patient or Group/ID, below the base

    Raises: EcluseError with what the server says; Unavailable when it does not answer
    """
    address = f"{base}/{level}/$export" if level else f"{base}/$export"
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        manifest = await _ended(client, await _asked(client.get(address, params=list(query), headers=ASYNC)))
        out.mkdir(parents=True, exist_ok=True)
        for part in ("output", "deleted", "error"):
            for item in manifest[part]:
                await _saved(client, item["url"], out / item["url"].rsplit("/", 1)[1])
                click.echo(f"{part:8} {item['type']:32} {item['count']:>10}")
    click.echo(f"complete up to {manifest['transactionTime']}: next time, --since {manifest['transactionTime']}")


async def bulk_import(base: str, paths: Sequence[Path]) -> bool:
    """Whether any line of these files was refused; each is told.

    Raises: EcluseError with what the server says; Unavailable when it does not answer
    """
    refused = False
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        for path in paths:
            sent = client.post(f"{base}/$import", content=_pieces(path), headers=NDJSON)
            manifest = await _ended(client, await _asked(sent))
            click.echo(f"{path}: {sum(item['count'] for item in manifest['output'])} resources stored")
            for item in manifest["error"]:
                refused = True
                click.echo(f"{path}: {item['count']} lines refused, see {item['url']}", err=True)
    return refused


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


async def _asked(sending: Any) -> httpx.Response:
    """The answer, when it is no refusal."""
    try:
        answer: httpx.Response = await sending
    except httpx.TransportError as error:
        raise Unavailable(f"The server does not answer: {error or type(error).__name__}") from error
    if answer.status_code >= 400:
        raise EcluseError(_reasons(answer))
    return answer


def _reasons(answer: httpx.Response) -> str:
    try:
        issues = msgspec.json.decode(answer.content)["issue"]
    except (msgspec.DecodeError, KeyError):
        return f"The server answers {answer.status_code}."
    return "\n".join(issue.get("details", {}).get("text", "") for issue in issues)


async def _ended(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """The manifest of a job, waited for."""
    address = answer.headers["content-location"]
    click.echo(address, err=True)
    while (answer := await _asked(client.get(address))).status_code == 202:
        await asyncio.sleep(int(answer.headers.get("retry-after", "1")))
    manifest: dict[str, Any] = answer.json()
    return manifest


async def _saved(client: httpx.AsyncClient, address: str, path: Path) -> None:
    async with client.stream("GET", address) as answer:
        if answer.status_code != 200:
            raise EcluseError(f"The server answers {answer.status_code} for {address}.")
        with path.open("wb") as file:
            async for piece in answer.aiter_bytes(PIECE_BYTES):
                await asyncio.to_thread(file.write, piece)
