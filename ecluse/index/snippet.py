"""Where in a report stands what was searched, as HTML that is safe to show.

Enters: the text as it was written, and the terms of a search. Leaves: places, and a short excerpt around the best of
them. Words are compared as the index compares them, the original letters are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape

from ecluse.index.question import Term
from ecluse.index.words import Folded

CHUNK = 20_000
OVERLAP = 400
ENOUGH = 200
WIDTH = 150
PIECES = 2

Place = tuple[int, int]
_SPACE = re.compile(r"\s")
_LETTER = re.compile(r"\S")
_SPACES = re.compile(r"\s+")


def places(terms: Sequence[Term], text: str) -> Iterator[Place]:
    """Where terms stand in a text, in order, without overlap; [start, end) in characters."""
    done = 0
    for begin in range(0, len(text), CHUNK):
        chunk = Folded(text[begin : begin + CHUNK + OVERLAP])
        for found in sorted(span for term in terms for span in _spans(term, chunk.text)):
            start, end = (begin + at for at in chunk.original(*found))
            if done <= start < begin + CHUNK and not (start == begin and _inside(text, begin)):
                done = end
                yield start, end


def _spans(term: Term, folded: str) -> Iterator[Place]:
    """Where a term stands in folded text. The pattern begins with a letter, which is what makes looking for it fast."""
    for found in _pattern(term).finditer(folded):
        if found.start() == 0 or folded[found.start() - 1] == " ":
            yield found.span()


@lru_cache(maxsize=1024)
def _pattern(term: Term) -> re.Pattern[str]:
    return re.compile(" +".join(map(re.escape, term.words)) + ("[^ ]*" if term.prefix else "(?![^ ])"))


def _inside(text: str, at: int) -> bool:
    """Whether a word goes on over this place."""
    return at > 0 and text[at - 1].isalnum()


def excerpt(terms: Sequence[Term], text: str) -> str:
    """Up to two pieces of a text around what was searched, escaped, with <mark>; else its beginning."""
    found = []
    for place in places(terms, text):
        found.append(place)
        if len(found) == ENOUGH:
            break
    if not found:
        end = _word_end(text, 2 * WIDTH)
        return _html(text, 0, end, []) + (" …" if end < len(text) else "")
    windows = _windows(text, found)
    before, after = "… " if windows[0][0] else "", " …" if windows[-1][1] < len(text) else ""
    return before + " … ".join(_html(text, *window, found) for window in windows) + after


def _windows(text: str, found: list[Place]) -> list[Place]:
    """The pieces that hold most, in the order of the text."""
    groups: list[list[Place]] = []
    for place in found:
        if groups and place[1] - groups[-1][0][0] <= WIDTH:
            groups[-1].append(place)
        else:
            groups.append([place])
    best = sorted(groups, key=lambda group: _weight(text, group), reverse=True)[:PIECES]
    windows: list[Place] = []
    for group in sorted(best):
        start, end = max(group[0][0] - WIDTH // 2, 0), _word_end(text, group[-1][1] + WIDTH // 2)
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((_word_start(text, start), end))
    return windows


def _weight(text: str, group: list[Place]) -> tuple[int, int]:
    """Different words count more than the same one again."""
    return len({text[start:end].casefold() for start, end in group}), len(group)


def _word_start(text: str, at: int) -> int:
    """The first begin of a word from here on, when it is near."""
    space = _SPACE.search(text, at, at + 40) if _inside(text, at) else None
    begin = _LETTER.search(text, space.end() if space else at)
    return begin.start() if begin else at


def _word_end(text: str, at: int) -> int:
    """The last end of a word before here, when it is near."""
    if at >= len(text) or not text[at].isalnum():
        return min(at, len(text))
    space = max(text.rfind(" ", at - 40, at), text.rfind("\n", at - 40, at))
    return space if space > 0 else at


def _html(text: str, start: int, end: int, found: list[Place]) -> str:
    marks = [(low - start, high - start) for low, high in found if start <= low and high <= end]
    return marked(text[start:end].rstrip(), marks)


def marked(text: str, found: Sequence[Place], *, lines: bool = False) -> str:
    """A text as HTML: escaped, places in <mark>. lines: they stay, else the text becomes one line"""
    told, done = [], 0
    for start, end in found:
        told += [_escaped(text[done:start], lines), "<mark>", _escaped(text[start:end], lines), "</mark>"]
        done = end
    return "".join([*told, _escaped(text[done:], lines)])


def _escaped(text: str, lines: bool) -> str:
    return escape(text if lines else _SPACES.sub(" ", text), quote=False)
