"""Content of an attachment or a Binary to text.

Enters: base64 and a media type. Leaves: text, or why it was not read. What is too long is cut before it costs time.
"""

from __future__ import annotations

import base64
import re
import unicodedata

from ecluse.core.errors import Unmappable
from mappers.document import charsets, html
from mappers.document.record import LONGEST_TEXT, NO_TEXT, Part, Text, Unread

MOST_BYTES = 8 * 1024 * 1024
PLAIN = frozenset(("text/plain", "text/markdown", "text/x-markdown"))
MARKUP = frozenset(("text/html", "application/xhtml+xml"))
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,40}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([a-z0-9_.:-]+)", re.IGNORECASE)
_IN_MARKUP = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)")
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ") | {0x09: "\t", 0x0A: "\n", 0x85: "\n"}
_EMPTY_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[ \t]+\n")


def read(data: str, content_type: str) -> Part:
    """The text of some content.

    data: base64; content_type: media type, perhaps with a charset
    Raises: Unmappable when data is not base64
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not kind:
        return Unread("format is not said")
    if kind not in PLAIN and kind not in MARKUP:
        return Unread(f"format not read yet: {kind if _MEDIA_TYPE.fullmatch(kind) else 'not a media type'}")
    content, whole = _bytes(data)
    declared = _CHARSET.search(content_type)
    charset = declared[1] if declared else _declared_inside(content) if kind in MARKUP else ""
    found = charsets.characters(content, charset, whole=whole)
    return shortened(html.text(found) if kind in MARKUP else found, whole)


def shortened(text: str, whole: bool = True) -> Part:
    """Text in the one form that is kept: no control characters, composed letters, a length that has an end."""
    tidy = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL))
    tidy = _EMPTY_LINES.sub("\n\n", _LINE_ENDS.sub("\n", tidy)).strip()
    if not tidy:
        return Unread(NO_TEXT)
    return Text(tidy[:LONGEST_TEXT], not whole or len(tidy) > LONGEST_TEXT)


def narrative(markup: str) -> str:
    """The words of a narrative's XHTML."""
    return html.text(markup[:MOST_BYTES])


def _bytes(data: str) -> tuple[bytes, bool]:
    """The content, at most MOST_BYTES of it, and whether that is all."""
    most = MOST_BYTES // 3 * 4
    packed = "".join(data[: most * 2].split())
    try:
        content = base64.b64decode(packed[:most], validate=True)
    except ValueError as error:
        raise Unmappable("the content is not base64") from error
    return content, len(data) <= most * 2 and len(packed) <= most


def _declared_inside(content: bytes) -> str:
    found = _IN_MARKUP.search(content[:1024])
    return found[1].decode("ascii") if found else ""
