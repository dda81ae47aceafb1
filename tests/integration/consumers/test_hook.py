"""What a hook may answer: the status is the receipt, and its body costs nobody anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from consumers.subscriptions.hook import Notification, Undelivered, send

HOSTS = frozenset({"127.0.0.1"})
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """The endpoint of a hook that reads a request's head and answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except OSError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def sent(endpoint: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await send(client, HOSTS, Notification(1, endpoint, (), None, timeout_s=10))


async def test_an_answer_without_end_is_a_receipt_and_is_not_read() -> None:
    told = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal told
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()
            told += 100_000

    async with answering(endless) as endpoint:
        await sent(endpoint)
    assert told < 20_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nabc",
    ],
    ids=["no gzip", "cut off"],
)
async def test_a_status_of_2xx_is_a_receipt_whatever_follows(answer: bytes) -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with answering(broken) as endpoint:
        await sent(endpoint)


async def test_an_address_that_cannot_be_read_is_told() -> None:
    with pytest.raises(Undelivered, match="InvalidURL"):
        await sent("https://x:port/")
