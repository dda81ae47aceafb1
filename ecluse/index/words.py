"""French text to the words that are compared: the one normalise() of index, question and highlighting.

Enters: text as it was written. Leaves: the same text in small letters without accents (é → e, œ → oe), everything that
is no letter and no digit a space, elided words (l', d', qu') gone. Nothing is stemmed: what was written is what is
found. The index splits at these spaces and does nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable

LIGATURES = {"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d", "ƒ": "f", "μ": "u"}
"""Letters that Unicode does not take apart. μ is also what casefold makes of the micro sign: µg is found by ug."""

APOSTROPHES = "'’ʼ‘`´′"
MOST_CODES = 20_000
ELIDED = frozenset("c d j l m n s t qu jusqu lorsqu puisqu quoiqu".split())


def _folded(character: str) -> str:
    """The folding of one character, "" when it is not seen."""
    if character in APOSTROPHES:
        return "'"
    if unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return ""
    small = unicodedata.normalize("NFKD", character).casefold()
    plain = unicodedata.normalize("NFKD", "".join(LIGATURES.get(letter, letter) for letter in small))
    kept = "".join(letter if _counts(letter) else " " for letter in plain if not unicodedata.combining(letter))
    return kept if kept.strip() else " "


def _counts(letter: str) -> bool:
    return letter.isalnum() and unicodedata.category(letter) != "Lm"


class _Folding(dict[int, str]):
    """Character by character, learnt as characters appear. uneven: those that become more or less than one."""

    uneven: frozenset[str] = frozenset()

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if len(self) < MOST_CODES:
            self[code] = folded
        if len(folded) != 1:
            self.uneven |= {chr(code)}
        return folded


_folding = _Folding()


class _Table:
    """The folding of a charset of bytes. uneven: the bytes that become more or less than one."""

    def __init__(self, charset: str) -> None:
        self.charset = charset
        folded = {bytes([code]): _folding[ord(bytes([code]).decode(charset, "replace"))] for code in range(256)}
        self._uneven = {byte: text.encode() for byte, text in folded.items() if len(text) != 1}
        self._bytes = b"".join(text.encode() if len(text) == 1 else byte for byte, text in folded.items())
        self._letters = re.compile(f"[{b''.join(self._uneven).decode(charset)}]")

    def fold(self, text: bytes) -> str:
        """The folding of an encoded text."""
        for byte, folded in self._uneven.items():
            if byte in text:
                text = text.replace(byte, folded)
        return text.translate(self._bytes).decode("ascii")

    def uneven_places(self, text: str, encoded: bytes) -> Iterable[int]:
        """Where in a text stand characters that become more or less than one."""
        if not any(byte in encoded for byte in self._uneven):
            return ()
        return (found.start() for found in self._letters.finditer(text))


_TABLES = (_Table("latin-1"), _Table("cp1252"))
"""The charsets of nearly all French text; in them folding is a table of bytes."""


def _encoded(text: str) -> tuple[_Table, bytes] | None:
    """The text in the first of the charsets that has all its characters."""
    for table in _TABLES:
        try:
            return table, text.encode(table.charset)
        except UnicodeEncodeError:
            continue
    return None


def fold(text: str) -> str:
    """The words of a text, apart by spaces."""
    found = _encoded(text)
    return _without_elisions(found[0].fold(found[1]) if found else text.translate(_folding))


def _without_elisions(text: str) -> str:
    """Elided words and apostrophes become as many spaces, so that no character moves."""
    parts = text.split("'")
    for number, following in enumerate(parts[1:]):
        part = parts[number]
        word = part[part.rfind(" ") + 1 :]
        if word in ELIDED and following[:1].strip():
            parts[number] = part[: -len(word)] + " " * len(word)
    return " ".join(parts)


class Folded:
    """A folded text that knows where its characters come from."""

    def __init__(self, text: str) -> None:
        self.text = fold(text)
        self._length = len(text)
        self._uneven: list[tuple[int, int, int]] = []
        moved = 0
        for at in _uneven_places(text):
            width = len(_folding[ord(text[at])])
            self._uneven.append((at + moved, at, width))
            moved += width - 1
        self._unseen = {at for _, at, width in self._uneven if not width}

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the text as it was written of a place in the folded text; whole characters.

        start, end: [start, end), not empty
        """
        if not self._uneven:
            return start, end
        last = self._original(end - 1) + 1
        while last in self._unseen:
            last += 1
        return self._original(start), last

    def _original(self, at: int) -> int:
        number = bisect_right(self._uneven, (at, self._length, 0)) - 1  # the last that begins here or before
        if number < 0:
            return at
        begin, place, width = self._uneven[number]
        return place if at < begin + width else place + 1 + at - begin - width


def _uneven_places(text: str) -> Iterable[int]:
    """Where in a text that has been folded stand characters that became more or less than one."""
    found = _encoded(text)
    if found:
        return found[0].uneven_places(text, found[1])
    return [at for at, character in enumerate(text) if character in _folding.uneven]
