"""The primitive types of FHIR: what a value may be, for the compiled structs and for the explaining walk.

Enters: a decoded JSON value and the name of its type. Leaves: "" or what is expected instead; annotations for msgspec.
The walk uses the regular expressions of the specification and the calendar; the structs use expressions of their own,
quicker and never wider (a test holds them together).
Spec: http://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import binascii
import re
from datetime import date
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ecluse.core.fhir.definitions.structures import structures

LONGEST_STRING = 1024 * 1024
INTEGERS = {"integer": (-(2**31), 2**31 - 1), "unsignedInt": (0, 2**31 - 1), "positiveInt": (1, 2**31 - 1)}
STRINGS = {"string", "markdown"}
DATES = {"date", "dateTime", "instant"}
EXPECTED = {
    "base64Binary": "base64 text, as RFC 4648 writes it: letters, digits, + and /, padded with = to a multiple of 4",
    "boolean": "true or false, without quotes",
    "canonical": "a URL without spaces, such as http://hospital.example/fhir/ValueSet/wards|1.0",
    "code": "a code: no space at either end, single spaces inside",
    "date": "a date of the calendar: YYYY, YYYY-MM or YYYY-MM-DD",
    "dateTime": "a date or date and time: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz",
    "decimal": "a number without quotes, such as 1.50",
    "id": "1 to 64 letters (A-Z, a-z), digits, - and .",
    "instant": "a date and time with zone: YYYY-MM-DDThh:mm:ss.sss+zz:zz",
    "integer": "a whole number without quotes from -2147483648 to 2147483647",
    "markdown": "text that is not empty, at most 1,048,576 characters",
    "oid": "an OID such as urn:oid:1.2.250.1.213",
    "positiveInt": "a whole number without quotes from 1 to 2147483647",
    "string": "text that is not empty, at most 1,048,576 characters",
    "time": "a time of day: hh:mm:ss",
    "unsignedInt": "a whole number without quotes from 0 to 2147483647",
    "uri": "a URI without spaces",
    "url": "a URL without spaces",
    "uuid": "a UUID in lower case such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "xhtml": "XHTML in one <div> element",
}
"""What each primitive type expects, in words that say the fix."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SPACES = str.maketrans("", "", " \t\r\n")
_DIV = re.compile(r"\s*<div[\s/>]")

_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_DAY = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_YEAR = "(?!0000)[0-9]{4}"
_DATE = f"(?:{_YEAR}-{_DAY}|(?!0000){_LEAP})"
_FAST = {
    "canonical": r"(?a)\A\S+\Z",
    "uri": r"(?a)\A\S+\Z",
    "url": r"(?a)\A\S+\Z",
    "code": r"(?a)\A\S+(?:\s\S+)*\Z",
    "id": r"\A[A-Za-z0-9\-.]{1,64}\Z",
    "oid": r"\Aurn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+\Z",
    "uuid": r"\Aurn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z",
    "date": rf"\A(?:{_DATE}|{_YEAR}(?:-(?:0[1-9]|1[0-2]))?)\Z",
    "dateTime": rf"\A(?:{_DATE}(?:T{_TIME}{_ZONE})?|{_YEAR}(?:-(?:0[1-9]|1[0-2]))?)\Z",
    "instant": rf"\A{_DATE}T{_TIME}{_ZONE}\Z",
    "time": rf"\A{_TIME}\Z",
    "xhtml": r"\A\s*<div[\s/>]",
}


def annotation(name: str) -> Any:
    """The type that msgspec checks for a primitive; control characters apart, it is never wider than `expected`."""
    if name == "boolean":
        return bool
    if name == "decimal":
        return float
    if name in INTEGERS:
        least, most = INTEGERS[name]
        return Annotated[int, Meta(ge=least, le=most)]
    if name == "base64Binary":
        return Annotated[bytes, Meta(min_length=1)]
    if name in STRINGS:
        return Annotated[str, Meta(min_length=1, max_length=LONGEST_STRING)]
    return Annotated[str, Meta(pattern=_FAST[name])]


def expected(name: str, value: Any) -> str:
    """What a primitive type expects instead of this value, "" when the value is one of its type.

    name: "date"; value: decoded JSON, not null
    Spec: http://hl7.org/fhir/R4/datatypes.html#primitive"""
    if name == "boolean":
        right = isinstance(value, bool)
    elif name == "decimal":
        right = isinstance(value, (int, msgspec.Raw)) and not isinstance(value, bool)
    elif name in INTEGERS:
        least, most = INTEGERS[name]
        value = 0 if isinstance(value, msgspec.Raw) and bytes(value) == b"-0" else value
        right = type(value) is int and least <= value <= most
    else:
        if isinstance(value, str) and _CONTROL.search(value):
            return "text without control characters other than tab, line feed and carriage return"
        right = isinstance(value, str) and value != "" and _is_text(name, value)
    return "" if right else EXPECTED[name]


def _is_text(name: str, value: str) -> bool:
    if name in STRINGS:
        return len(value) <= LONGEST_STRING
    if name == "base64Binary":
        return _is_base64(value)
    if name == "xhtml":
        return _DIV.match(value) is not None
    return _regex(name).fullmatch(value) is not None and (name not in DATES or _is_of_calendar(value))


@cache
def _regex(name: str) -> re.Pattern[str]:
    return re.compile(structures().primitives[name], re.ASCII)


def _is_of_calendar(value: str) -> bool:
    if len(value) < len("YYYY-MM-DD"):
        return True
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        binascii.a2b_base64(value.translate(_SPACES), strict_mode=True)
    except ValueError:
        return False
    return True
