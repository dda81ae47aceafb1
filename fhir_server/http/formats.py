"""Which format the client wants its answer in: Accept with its weights, `_format`, `_pretty`, the version of FHIR.

Enters: headers and the query. Leaves: a `Format`, which says too whether the client named a format of FHIR at all.
`_format` wins over Accept; of several formats the heaviest wins, then the one that is named rather than meant by `*/*`,
then the first.
Spec: http://hl7.org/fhir/R4/http.html#mime-type, https://www.rfc-editor.org/rfc/rfc9110#name-accept
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from ecluse.core.errors import NotAcceptable
from fhir_server.http.request import FHIR_JSON

FHIR_XML = "application/fhir+xml"
JSON_TYPES = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
XML_TYPES = frozenset({FHIR_XML, "application/xml", "text/xml", "xml"})
VERSIONS = frozenset({"4.0", "4.0.0", "4.0.1"})
"""What `fhirVersion` may say."""

_WILDCARDS = {"*/*": 0, "*": 0, "application/*": 1, "text/*": 1}


class Format(NamedTuple):
    """xml: else JSON; version: the `fhirVersion` that was asked for, "" when none was; named: the client named a format
    of FHIR, not only `*/*`; served: the server can write what was asked for; asked: the text that asked."""

    xml: bool = False
    pretty: bool = False
    version: str = ""
    named: bool = False
    served: bool = True
    asked: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is JSON as it is stored, under its plain name."""
        return not (self.xml or self.pretty or self.version)

    @property
    def media_type(self) -> str:
        """The Content-Type of an answer, without its charset."""
        media = FHIR_XML if self.xml else FHIR_JSON
        return f"{media}; fhirVersion={self.version}" if self.version else media


class _Range(NamedTuple):
    """One offer of an Accept header."""

    media: str
    weight: float
    version: str
    position: int


class _Match(NamedTuple):
    """How well a range fits a format; the greater, the better."""

    weight: float
    specific: int
    earlier: int
    version: str


def check_served(wanted: Format) -> None:
    """Nothing, when the server can write what is asked for.

    Raises: NotAcceptable (406), which names what can be written"""
    if not wanted.served:
        text = f"This server writes {FHIR_JSON} and {FHIR_XML} of FHIR 4.0; name one in Accept, or with _format=json."
        raise NotAcceptable(text, diagnostics=f"found {wanted.asked[:200]}")


def wanted(headers: Mapping[str, str], query: str) -> Format:
    """The format of the answer to a request. query: percent-encoded"""
    if "_format" not in query and "_pretty" not in query:
        return _format(headers.get("accept", "*/*"))
    asked = dict(parse_qsl(query))
    text = asked.get("_format", "").replace(" ", "+")
    found = _format(text or headers.get("accept", "*/*"))
    return found._replace(pretty=asked.get("_pretty") == "true")


def accepts(headers: Mapping[str, str], media: str) -> bool:
    """Whether Accept names this media type itself."""
    ranges = (_range(part, 0) for part in headers.get("accept", "").split(","))
    return any(each.media == media and each.weight > 0 for each in ranges)


@lru_cache(maxsize=512)
def _format(text: str) -> Format:
    ranges = [_range(part, position) for position, part in enumerate(text.split(","))]
    json, xml = _match(ranges, JSON_TYPES), _match(ranges, XML_TYPES)
    best = max(json, xml)
    if best.weight <= 0:
        return Format(named=_names(ranges), served=False, asked=text)
    return Format(xml > json, False, best.version, best.specific > 1, True, text)


def _range(part: str, position: int) -> _Range:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    told = dict(piece.replace(" ", "").partition("=")[::2] for piece in parameters)
    try:
        weight = float(told.get("q", "1"))
    except ValueError:
        weight = 1.0
    return _Range(media or "*/*", weight, told.get("fhirversion", "").strip('"'), position)


def _match(ranges: list[_Range], types: frozenset[str]) -> _Match:
    """What the most specific range that means one of these types says of it; weight 0 when none does."""
    found = [
        _Match(each.weight, specific, -each.position, each.version)
        for each in ranges
        if (specific := 2 if each.media in types else _WILDCARDS.get(each.media, -1)) >= 0
        and (not each.version or each.version in VERSIONS)
    ]
    return max(found, key=lambda match: (match.specific, match.weight, match.earlier), default=_Match(0, 0, 0, ""))


def _names(ranges: list[_Range]) -> bool:
    return any(each.media in JSON_TYPES | XML_TYPES for each in ranges)
