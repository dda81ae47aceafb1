"""Quantities: a number with a unit.

Enters: numbers and units of UCUM or of the calendar. Leaves: the same in base units, so that `1 'g'` and `1000 'mg'`
are equal. Of UCUM it reads metric prefixes, products, quotients and exponents of the units below; others compare only
with themselves.
Spec: http://hl7.org/fhirpath/N1/#quantity, https://ucum.org/ucum
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

UCUM = "http://unitsofmeasure.org"

CALENDAR = {
    "year": "a",
    "month": "mo",
    "week": "wk",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "millisecond": "ms",
}
"""Units of the calendar, and the UCUM unit that is equivalent."""
_PLURALS = {f"{unit}s": unit for unit in CALENDAR}
_DEFINITE = {code: unit for unit, code in CALENDAR.items() if unit not in ("year", "month")}
"""Units of UCUM that are as long as those of the calendar; its year and month are not."""

_PREFIXES = {
    "da": 1,
    **{"h": 2, "k": 3, "M": 6, "G": 9, "T": 12},
    **{"d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15},
}
_METRIC: dict[str, tuple[str, str]] = {
    "m": ("1", "m"),
    "g": ("1", "g"),
    "s": ("1", "s"),
    "mol": ("1", "mol"),
    "K": ("1", "K"),
    "A": ("1", "A"),
    "cd": ("1", "cd"),
    "L": ("0.001", "m3"),
    "l": ("0.001", "m3"),
    "Hz": ("1", "s-1"),
    "N": ("1000", "g.m.s-2"),
    "Pa": ("1000", "g.m-1.s-2"),
    "bar": ("100000000", "g.m-1.s-2"),
    "J": ("1000", "g.m2.s-2"),
    "W": ("1000", "g.m2.s-3"),
    "V": ("1000", "g.m2.s-3.A-1"),
    "cal": ("4184", "g.m2.s-2"),
    "eq": ("1", "eq"),
    "osm": ("1", "osm"),
    "U": ("1", "U"),
    "[iU]": ("1", "iU"),
    "[IU]": ("1", "iU"),
    "kat": ("1", "mol.s-1"),
    "m[Hg]": ("133322000", "g.m-1.s-2"),
    "Bq": ("1", "s-1"),
    "Gy": ("1", "m2.s-2"),
    "Sv": ("1", "m2.s-2"),
}
"""Units that take a prefix: how many of which base units they are."""
_OTHER: dict[str, tuple[str, str]] = {
    "min": ("60", "s"),
    "h": ("3600", "s"),
    "d": ("86400", "s"),
    "wk": ("604800", "s"),
    "mo": ("2629800", "s"),
    "a": ("31557600", "s"),
    "%": ("0.01", ""),
    "1": ("1", ""),
    "[in_i]": ("0.0254", "m"),
    "[ft_i]": ("0.3048", "m"),
    "[lb_av]": ("453.59237", "g"),
    "[oz_av]": ("28.349523125", "g"),
    "t": ("1000000", "g"),
}
_FACTOR = re.compile(
    r"([./]?)(?:\(([^()]*)\)|(10\*|10\^|(?:[^./0-9(){}\[\]+-]|\[[^\]]*\])*|1)([+-]?[0-9]+)?)(?:\{[^}]*\})?"
)


class Quantity(NamedTuple):
    """A number with a unit: of the calendar in the singular, or of UCUM; "1" is no unit."""

    value: Decimal
    unit: str


def calendar_unit(word: str) -> str | None:
    """`day` of `day`, `days` and `d`; None when it is no unit of time that dates are counted in."""
    return word if word in CALENDAR else _PLURALS.get(word) or _DEFINITE.get(word)


def compared(left: Quantity, right: Quantity) -> int | None:
    """-1, 0 or 1; None when their units cannot be compared."""
    one, other = left.value, right.value
    if left.unit != right.unit:
        here, there = _base(left.unit), _base(right.unit)
        if here is None or there is None or here[1] != there[1]:
            return None
        one, other = one * here[0], other * there[0]
    return (one > other) - (one < other)


def key(value: Quantity) -> tuple[Decimal, object]:
    """What is equal for equal quantities."""
    base = _base(value.unit)
    return (value.value * base[0], base[1]) if base else (value.value, value.unit)


def times(left: Quantity, right: Quantity, operator: str) -> Quantity | None:
    """The product or quotient ("*" or "/"); None for a division by zero."""
    if operator == "*":
        return Quantity(left.value * right.value, _joined(left.unit, ".", right.unit))
    if right.value == 0:
        return None
    if compared(left, right) is not None:
        here, there = _base(left.unit), _base(right.unit)
        scale = here[0] / there[0] if here and there and left.unit != right.unit else Decimal(1)
        return Quantity(left.value * scale / right.value, "1")
    return Quantity(left.value / right.value, _joined(left.unit, "/", right.unit))


def in_unit(value: Quantity, unit: str) -> Quantity | None:
    """The quantity in another unit, None when they do not measure the same."""
    here, there = _base(value.unit), _base(unit)
    if value.unit == unit:
        return value
    if here is None or there is None or here[1] != there[1]:
        return None
    return Quantity(value.value * here[0] / there[0], unit)


def _joined(left: str, mark: str, right: str) -> str:
    if right == "1":
        return left
    return right if left == "1" and mark == "." else f"{left}{mark}{right}"


@lru_cache(maxsize=4096)
def _base(unit: str) -> tuple[Decimal, frozenset[tuple[str, int]]] | None:
    """Factor and base units of a unit, None when it holds one that is not known here.

    Years and months of the calendar have no fixed length: they are units of their own."""
    if unit in ("year", "month"):
        return Decimal(12 if unit == "year" else 1), frozenset({("month", 1)})
    found = _product(CALENDAR.get(unit, unit))
    return found and (found[0], frozenset((name, power) for name, power in found[1].items() if power))


def _product(unit: str) -> tuple[Decimal, dict[str, int]] | None:
    factor, powers, at = Decimal(1), dict[str, int](), 0
    while at < len(unit):
        match = _FACTOR.match(unit, at)
        if match is None or match.end() == at:
            return None
        mark, inner, name, exponent = match.groups()
        power = int(exponent or 1) * (-1 if mark == "/" else 1)
        part = _product(inner) if inner is not None else _atom(name)
        if part is None or abs(power) > 30:
            return None
        factor *= part[0] ** power
        for base, times in part[1].items():
            powers[base] = powers.get(base, 0) + times * power
        at = match.end()
    return factor, powers


def _atom(name: str) -> tuple[Decimal, dict[str, int]] | None:
    if name in ("", "10*", "10^"):
        return Decimal(10 if name else 1), {}
    if name in _OTHER:
        return _known(*_OTHER[name])
    if name in _METRIC:
        return _known(*_METRIC[name])
    for prefix, power in _PREFIXES.items():
        if name.startswith(prefix) and name[len(prefix) :] in _METRIC:
            factor, powers = _known(*_METRIC[name[len(prefix) :]])
            return factor * Decimal(10) ** power, powers
    return None


def _known(factor: str, base: str) -> tuple[Decimal, dict[str, int]]:
    powers = {}
    for part in filter(None, base.split(".")):
        name = part.rstrip("-0123456789")
        powers[name] = int(part[len(name) :] or 1)
    return Decimal(factor), powers
