"""A file as HTTP, read and sent piece by piece.

Enters: an `Answer` with the path of a file. Leaves: ASGI messages; compressed on the way when the client takes gzip. A
file that is taken away meanwhile is sent to its end.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from ecluse.core.errors import NotFound

PIECE_BYTES = 1 << 18


async def send_file(send: Any, path: str, headers: list[tuple[bytes, bytes]], *, gzip: bool, head: bool) -> None:
    """Sends it whole.

    Raises: NotFound (404) when it is gone
    """
    try:
        opened = await asyncio.to_thread(open, path, "rb")
    except FileNotFoundError:
        raise NotFound("This file is gone; start another job.") from None
    with opened as file:
        length = (b"content-length", str(os.fstat(file.fileno()).st_size).encode())
        coding = [(b"content-encoding", b"gzip")] if gzip else [length]
        headers = [*headers, *coding, (b"vary", b"accept-encoding")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        pieces = iter(()) if head else _compressed(file) if gzip else iter(lambda: file.read(PIECE_BYTES), b"")
        while piece := await asyncio.to_thread(next, pieces, b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _compressed(file: BinaryIO) -> Iterator[bytes]:
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    while piece := file.read(PIECE_BYTES):
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()
