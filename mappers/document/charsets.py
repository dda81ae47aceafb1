"""Bytes of a text to characters.

Enters: bytes and the charset that the sender declared, which may be missing, unknown or wrong. Leaves: characters.
Only the charsets below are decoded: a codec's name comes from outside, and Python's registry also holds codecs that
are no charsets. What is declared as ISO-8859-1 is windows-1252, as browsers read it.
Spec: https://encoding.spec.whatwg.org/#names-and-labels
"""

from __future__ import annotations

import codecs

CODECS = {
    label: codec
    for codec, labels in {
        "utf-8": "utf-8 utf8 unicode-1-1-utf-8",
        "cp1252": "windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 l1",
        "iso8859-15": "iso-8859-15 iso8859-15 iso_8859-15 latin9 latin-9 l9",
        "utf-16-le": "utf-16le utf-16",
        "utf-16-be": "utf-16be",
        "mac_roman": "macintosh mac x-mac-roman",
        "cp850": "ibm850 cp850",
    }.items()
    for label in labels.split()
}
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def characters(data: bytes, charset: str, *, whole: bool = True) -> str:
    """The text of some bytes: by its byte order mark, else as declared, else as UTF-8, else as windows-1252.

    charset: as declared, "" when it was not
    whole: False when bytes were cut off, so that the last character may be incomplete
    """
    for mark, codec in MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], codec, whole, "replace")
    try:
        return _decoded(data, CODECS.get(charset.lower(), "utf-8"), whole, "strict")
    except UnicodeDecodeError:
        return _decoded(data, "cp1252", whole, "replace")


def _decoded(data: bytes, codec: str, whole: bool, errors: str) -> str:
    return codecs.getincrementaldecoder(codec)(errors).decode(data, whole)
