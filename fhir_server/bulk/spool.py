"""Keeps what is to be imported on disk before it is read, so that an import that was interrupted goes on where it was.

Enters: pieces of bytes, plain or gzip. Leaves: a file that stands under its name only when all of it is on disk.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ecluse.core.errors import BadRequest, TooLarge
from fhir_server.bulk import folder

GZIP = b"\x1f\x8b"
PIECE_BYTES = 1 << 20


async def spool(pieces: AsyncIterator[bytes], path: Path, limit_bytes: int) -> None:
    """Returns when the file is there, inflated.

    Raises: TooLarge (413) above the limit, BadRequest (400) when gzip ends early or is none, NotKept (507)
    """
    with folder.kept():
        await _spool(pieces, path, limit_bytes)


async def _spool(pieces: AsyncIterator[bytes], path: Path, limit_bytes: int) -> None:
    partial = path.with_suffix(".part")
    file = await asyncio.to_thread(folder.create, partial)
    try:
        inflate, size = _Inflate(), 0
        async for piece in pieces:
            for plain in inflate.take(piece):
                size += len(plain)
                if size > limit_bytes:
                    raise TooLarge(f"The file is larger than {limit_bytes} bytes; send it as several files.")
                await asyncio.to_thread(file.write, plain)
        inflate.end()
        await asyncio.to_thread(folder.close, file)
        os.replace(partial, path)
    except BaseException:
        file.close()
        partial.unlink(missing_ok=True)
        raise


class _Inflate:
    """Makes gzip plain, and leaves what is no gzip as it is; the first two bytes tell."""

    def __init__(self) -> None:
        self._inflater: zlib._Decompress | None = None
        self._first = b""
        self._known = False

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The plain bytes of a piece, in pieces.

        Raises: BadRequest (400)
        """
        if not self._known:
            self._first += piece
            if len(self._first) < len(GZIP):
                return
            piece, self._known = self._first, True
            if piece.startswith(GZIP):
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        yield from self._plain(piece) if self._inflater else (piece,)

    def _plain(self, piece: bytes) -> Iterator[bytes]:
        while piece and self._inflater:
            try:
                yield self._inflater.decompress(piece, PIECE_BYTES)
            except zlib.error as error:
                raise BadRequest("The gzip cannot be inflated.", diagnostics=str(error)) from error
            piece = self._inflater.unconsumed_tail or self._inflater.unused_data
            if self._inflater.eof and piece:
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def end(self) -> None:
        """Raises: BadRequest (400) when there should be more"""
        if self._inflater and not self._inflater.eof:
            raise BadRequest("The gzip ends too early.")
