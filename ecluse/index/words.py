"""French text to the words that are compared: the one normalise() of index, question and highlighting.

Enters: text as it was written. Leaves: the same text in small letters without accents (é → e, œ → oe), everything that
is no letter and no digit a space, elided words (l', d', qu') gone. Nothing is stemmed: what was written is what is
found. The index splits at these spaces and does nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

LIGATURES = {"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d", "ƒ": "f", "μ": "u"}
"""Letters that Unicode does not take apart. μ is also what casefold makes of the micro sign: µg is found by ug."""

APOSTROPHES = "'’ʼ‘`´′"
MOST_CODES = 20_000
FAST = "cp1252"
"""The charset of nearly all French text; in it folding is a table of bytes."""

_ELISION = re.compile(r"(?<![^\W_])(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)'(?=[^\W_])")


def _folded(character: str) -> str:
    """The folding of one character, "" when it is not seen."""
    if character in APOSTROPHES:
        return "'"
    if unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return ""
    plain = unicodedata.normalize("NFKD", "".join(LIGATURES.get(letter, letter) for letter in character.casefold()))
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
_FAST = {bytes([code]): _folding[ord(bytes([code]).decode(FAST, "replace"))] for code in range(256)}
_FAST_UNEVEN = {byte: folded.encode("ascii") for byte, folded in _FAST.items() if len(folded) != 1}
_FAST_TABLE = b"".join(folded.encode("ascii") if len(folded) == 1 else byte for byte, folded in _FAST.items())


def fold(text: str) -> str:
    """The words of a text, apart by spaces."""
    try:
        fast = text.encode(FAST)
    except UnicodeEncodeError:
        return _without_elisions(text.translate(_folding))
    for byte, folded in _FAST_UNEVEN.items():
        if byte in fast:
            fast = fast.replace(byte, folded)
    return _without_elisions(fast.translate(_FAST_TABLE).decode("ascii"))


def _without_elisions(text: str) -> str:
    """Elided words and apostrophes become as many spaces, so that no character moves."""
    if "'" not in text:
        return text
    return _ELISION.sub(lambda found: " " * len(found[0]), text).replace("'", " ")


class Folded:
    """A folded text that knows where its characters come from."""

    def __init__(self, text: str) -> None:
        self.text = fold(text)
        self._length = len(text)
        self._uneven: list[tuple[int, int, int]] = []
        moved = 0
        for at in () if _folding.uneven.isdisjoint(text) else _uneven_places(text):
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


def _uneven_places(text: str) -> list[int]:
    return [at for at, character in enumerate(text) if character in _folding.uneven]
