"""The special parameter `near`: Locations within a distance of a point.

Enters: the position of a Location, or `latitude|longitude|distance|units` of a query, on WGS84. Leaves: a row among the
quantities, without unit, whose bounds are the latitude and whose canonical bounds are the longitude, or the circle to
compare with. Distances are those of great circles on a sphere of the Earth's mean radius, which differ from those of
the ellipsoid by half a percent at most.

R4 leaves open how near is near when no distance is given: here `USUAL_M`.
Spec: http://hl7.org/fhir/R4/location.html#positional
"""

from __future__ import annotations

from decimal import Decimal
from math import asin, cos, degrees, pi, radians, sin
from typing import Any

from ecluse.core.fhir import json, ucum
from mappers.search import number
from mappers.search.question import Circle, Question, Span, Value, parts, plain, refused
from mappers.search.rows import IndexRows, Reader, Visit

EARTH_M = 6_371_008.8
"""Mean radius. Source: IUGG"""
USUAL_M = 10_000.0
_POLE, _HALF_TURN = 90.0, 180.0
_SLACK = 1e-9
"""Degrees by which a box is larger than its circle, so that rounding leaves nothing out."""
_ADVICE = (
    "write latitude|longitude|distance|units in degrees and a UCUM unit of length, like 48.84|2.36|5|km; without units"
    f" kilometres, without distance {USUAL_M / 1000:.0f} km."
)


def _position(path: int) -> Visit:
    def visit(value: dict[str, Any], rows: IndexRows) -> None:
        if "latitude" in value and "longitude" in value:
            latitude, longitude = (number.normalise(value[name]) for name in ("latitude", "longitude"))
            rows[4].append((path, 0, 0, 0, 0, latitude, latitude, longitude, longitude))

    return visit


READERS: dict[str, Reader] = {"Location.position": _position}


def asked(text: str, question: Question) -> list[Value]:
    """The circle that is meant.

    Raises: BadRequest (400) when a number is none or no such place is on the Earth, or the unit is none of length"""
    given = [plain(part).strip() for part in parts(text, "|")]
    latitude, longitude, distance, units = [*given, "", "", ""][:4]
    place = _degrees(latitude, _POLE), _degrees(longitude, _HALF_TURN)
    metres = _metres(distance, units)
    if len(given) > 4 or place[0] is None or place[1] is None or metres is None:
        raise refused(question, text, _ADVICE)
    return [_circle(place[0], place[1], metres)]


def _degrees(text: str, most: float) -> float | None:
    found = _number(text)
    return None if found is None or abs(found) > most else float(found)


def _metres(distance: str, units: str) -> float | None:
    if not distance:
        return USUAL_M
    far, unit = _number(distance), ucum.unit(units or "km")
    if far is None or far < 0 or unit is None or unit.base != "m":
        return None
    return float(ucum.converted(far, unit))


def _number(text: str) -> Decimal | None:
    lexeme = text.removeprefix("+")
    return Decimal(lexeme) if json.is_bounded(lexeme) else None


def _circle(latitude: float, longitude: float, metres: float) -> Circle:
    """The circle, and a box around it. A circle that holds a pole reaches over all longitudes; one that crosses the
    180th meridian has two spans of them.

    Spec: http://janmatuschek.de/LatitudeLongitudeBoundingCoordinates"""
    angle = min(metres / EARTH_M, pi)
    high, low = latitude + degrees(angle) + _SLACK, latitude - degrees(angle) - _SLACK
    if high >= _POLE or low <= -_POLE:
        return Circle(latitude, longitude, metres, Span(low, high), (Span(-_HALF_TURN, _HALF_TURN),))
    width = degrees(asin(min(sin(angle) / cos(radians(latitude)), 1.0))) + _SLACK
    return Circle(latitude, longitude, metres, Span(low, high), _spans(longitude - width, longitude + width))


def _spans(west: float, east: float) -> tuple[Span, ...]:
    if west < -_HALF_TURN:
        return Span(-_HALF_TURN, east), Span(west + 2 * _HALF_TURN, _HALF_TURN)
    if east > _HALF_TURN:
        return Span(west, _HALF_TURN), Span(-_HALF_TURN, east - 2 * _HALF_TURN)
    return (Span(west, east),)
