"""A report → note: when, what kind, whose. Its text only where the operator keeps identified text in the warehouse.

Enters: the parts of a report. Leaves: a row; note_text is '' unless Context.note_text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from mappers.document import html
from mappers.warehouse import coding, concepts
from mappers.warehouse.dates import Moment
from mappers.warehouse.record import Link, Row, row

_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.I)


def note(moment: Moment, kind: dict[str, Any] | None, text: str, provider: Link | None) -> Row:
    """The note row; title and source value are the code of the kind of document."""
    code = coding.source(kind)
    values = {
        "note_date": moment.day,
        "note_datetime": moment.time,
        "note_type_concept_id": concepts.EHR,
        "note_class_concept_id": concepts.NONE,
        "note_title": code,
        "note_text": text.replace("\0", ""),
        "encoding_concept_id": concepts.NONE,
        "language_concept_id": concepts.NONE,
        "note_source_value": code,
    }
    return row("note", values, links=(provider,))


def attached(attachments: Iterable[dict[str, Any]]) -> str:
    """The text of those attachments that hold plain text or HTML inline."""
    return "\n\n".join(filter(None, map(_attached, attachments)))


def _attached(attachment: dict[str, Any]) -> str:
    kind = (attachment.get("contentType") or "").lower()
    if not kind.startswith(("text/plain", "text/html", "application/xhtml")):
        return ""
    try:
        content = base64.b64decode(attachment.get("data") or "")
    except binascii.Error:
        return ""
    charset = _CHARSET.search(kind)
    try:
        text = content.decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return text if kind.startswith("text/plain") else html.text(text)
