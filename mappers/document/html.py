"""HTML and XHTML to plain text.

Enters: markup as text. Leaves: its words, one line a block; scripts, styles and comments are not there. The parser
tells events and builds no tree, so that neither depth nor brokenness of the markup costs more than its length.
Spec: http://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

from typing import Any

from lxml import etree

DROPPED = frozenset("script style title template iframe object noframes noembed".split())
BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol optgroup option p pre section "
    "summary table tbody tfoot thead tr ul".split()
)
CELLS = frozenset(("td", "th"))
BREAK = "\v"
"""Stands for the end of a block until the end; it is no character of HTML."""


def text(markup: str) -> str:
    """The words of a document or fragment; lines stand for blocks, cells are apart by a space."""
    parser = etree.HTMLParser(target=_Words(), huge_tree=True, encoding="utf-8")
    parser.feed(b"<body>" + markup.encode("utf-8", "replace"))
    broken: str = parser.close()
    lines = (" ".join(line.split()) for line in broken.split(BREAK))
    return "\n".join(line for line in lines if line)


class _Words:
    """Gathers what the parser tells."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._dropped = 0
        self._kept_lines = 0

    def start(self, tag: str, attributes: Any) -> None:
        if tag in DROPPED:
            self._dropped += 1
        elif tag in BLOCKS:
            self._parts.append(BREAK)
            self._kept_lines += tag == "pre"
        elif tag in CELLS:
            self._parts.append(" ")

    def end(self, tag: str) -> None:
        if tag in DROPPED:
            self._dropped -= 1
        elif tag in BLOCKS:
            self._parts.append(BREAK)
            self._kept_lines -= tag == "pre"

    def data(self, data: str) -> None:
        if not self._dropped:
            self._parts.append(data.replace("\n", BREAK) if self._kept_lines else data)

    def comment(self, text: str) -> None:
        return

    def pi(self, target: str, data: str | None = None) -> None:
        return

    def close(self) -> str:
        return "".join(self._parts)
