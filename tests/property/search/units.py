"""A few units of UCUM with their exact factors, as the tests use them.

Enters: system and code of a unit. Leaves: what it measures, and how many of the base unit it is.
Spec: https://ucum.org/ucum, tables 2 to 8
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

UCUM = "http://unitsofmeasure.org"


class Unit(NamedTuple):
    """dimension: the base unit it is counted in."""

    dimension: str
    factor: Fraction


UNITS: dict[str, Unit] = {
    "g": Unit("g", Fraction(1)),
    "mg": Unit("g", Fraction(1, 1000)),
    "kg": Unit("g", Fraction(1000)),
    "[lb_av]": Unit("g", Fraction("453.59237")),
    "mm[Hg]": Unit("g.m-1.s-2", Fraction("133322")),
    "kPa": Unit("g.m-1.s-2", Fraction(1000000)),
    "cm": Unit("m", Fraction(1, 100)),
    "m": Unit("m", Fraction(1)),
    "[in_i]": Unit("m", Fraction("0.0254")),
    "min": Unit("s", Fraction(60)),
    "h": Unit("s", Fraction(3600)),
    "d": Unit("s", Fraction(86400)),
    "mo": Unit("s", Fraction(2629800)),
    "a": Unit("s", Fraction(31557600)),
    "g/L": Unit("g.m-3", Fraction(1000)),
    "mg/dL": Unit("g.m-3", Fraction(10)),
    "%": Unit("1", Fraction(1, 100)),
    "/min": Unit("s-1", Fraction(1, 60)),
    "Hz": Unit("s-1", Fraction(1)),
}


def canonical(system: str, code: str) -> Unit | None:
    """The unit, when it is one of UCUM; an annotation alone is the unit 1."""
    if system != UCUM:
        return None
    return Unit("1", Fraction(1)) if code[:1] == "{" and code.find("}") == len(code) - 1 else UNITS.get(code)
