"""Texts: how a query writes them, and when two of them are the same.

Enters: texts. Leaves: parts without their escapes, and folded texts, without case, accents and punctuation.
Spec: http://hl7.org/fhir/R4/search.html#escaping, #string
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from tests.property.search.definitions import Value

LONGEST = 250
"""Folded characters of a text that are searched; docs/search.md says so."""
SPECIAL = ",|$\\"
LIGATURES = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
NAME = ("text", "family", "given", "prefix", "suffix")
ADDRESS = ("text", "line", "city", "district", "state", "postalCode", "country")


def parts(text: str, separator: str) -> list[str]:
    """The text cut at each separator that has no `\\` before it; escapes stay."""
    found, escaped = [""], False
    for sign in text:
        if sign == separator and not escaped:
            found.append("")
        else:
            found[-1] += sign
        escaped = sign == "\\" and not escaped
    return found


def plain(text: str) -> str:
    """The text without its escapes."""
    found, escaped = "", False
    for sign in text:
        if escaped and sign not in SPECIAL:
            found += "\\"
        escaped = sign == "\\" and not escaped
        found += "" if escaped else sign
    return found + "\\" * escaped


def escaped(text: str) -> str:
    """The text as a query writes it."""
    return "".join(f"\\{sign}" if sign in SPECIAL else sign for sign in text)


def folded(text: str) -> str:
    """Letters and digits alone, without case and accents; what parts words is one space."""
    letters = "".join(LIGATURES.get(letter, letter) for letter in text.casefold())
    found = ""
    for sign in unicodedata.normalize("NFKD", letters):
        if sign.isalnum():
            found += sign
        elif sign.isspace() or sign in "/_" or unicodedata.category(sign) == "Pd":
            found += " "
    return " ".join(found.split())


def strings(value: Value) -> Iterator[str]:
    """The texts of a string, of a name or of an address: use and period are none."""
    if value.type in ("HumanName", "Address"):
        for name in NAME if value.type == "HumanName" else ADDRESS:
            member: Any = value.data.get(name, [])
            yield from [member] if isinstance(member, str) else member
    else:
        yield value.data


def string_matches(value: Value, asked: str, modifier: str) -> bool:
    """Whether one of the texts begins with, contains or is what is asked for."""
    wanted = plain(asked)
    match modifier:
        case "exact":
            return wanted in list(strings(value))
        case "contains":
            return any(folded(wanted) in folded(text)[:LONGEST] for text in strings(value))
    return any(folded(text)[:LONGEST].startswith(folded(wanted)) for text in strings(value))


def uri_matches(value: Value, asked: str, modifier: str) -> bool:
    """Whether the address is the one asked for, goes on after it (below), or is what it goes on after (above). A
    version is below its address, and below a part of itself that ends before a `.` or `-`."""
    wanted, found = plain(asked), str(value.data)
    match modifier:
        case "below" if "|" in wanted:
            return found == wanted or found.startswith((f"{wanted}.", f"{wanted}-"))
        case "below":
            return f"{found}/".startswith(f"{wanted.rstrip('/')}/") or found.startswith(f"{wanted.rstrip('/')}|")
        case "above":
            return f"{wanted}/".startswith(f"{found.rstrip('/')}/")
    return found == wanted
