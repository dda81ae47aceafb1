"""Lines of an NDJSON file from a place on, some at a time.

Enters: a file. Leaves: lines with their number and where each ends. No more of a line is held than a resource may have.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST_LINES = 500
MOST_BYTES = 4 << 20
PIECE_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line. end: place in the file behind it; text: None when it is longer than a resource may be"""

    number: int
    end: int
    text: bytes | None


def batch(path: Path, start: int, number: int, longest: int) -> list[Line]:
    """The next lines, blank ones left out; none at the end of the file.

    start: place in the file; number: of the line before; longest: bytes of a line
    """
    found: list[Line] = []
    held = 0
    with path.open("rb") as file:
        file.seek(start)
        while len(found) < MOST_LINES and held < MOST_BYTES and (text := file.readline(longest + 1)):
            number += 1
            if len(text) > longest and not text.endswith(b"\n"):
                _skip(file)
                found.append(Line(number, file.tell(), None))
            elif text := text.removeprefix(BYTE_ORDER_MARK).strip():
                found.append(Line(number, file.tell(), text))
                held += len(text)
    return found


def _skip(file: BinaryIO) -> None:
    """Goes to the end of the line."""
    while (more := file.readline(PIECE_BYTES)) and not more.endswith(b"\n"):
        pass
