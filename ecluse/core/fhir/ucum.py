"""Units of UCUM, and values in them brought to base units.

Enters: a unit as UCUM writes it: `mg/dL`, `10*3/uL`, `mm[Hg]`, `[degF]`. Leaves: what it measures, in base units, and
an exact conversion to them. The table of units is UCUM's own, version 2.2, read at first use from the copy that the
package ucumvert brings; nothing of that package runs (ADR 22).

Arbitrary units (`[iU]`) are base units of their own, as UCUM says. The logarithmic units and others without a linear
scale (`[pH]`, `B[SPL]`) have no conversion.
Spec: https://ucum.org/ucum
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

SYSTEM = "http://unitsofmeasure.org"
LONGEST = 100
"""Characters of a unit that is read."""
DIGITS = 34
"""Significant digits of a converted value: those of IEEE's decimal128."""

_EXACT = Context(prec=10_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
_ROUNDED = Context(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MOST_BITS = 8_000
_MOST_NESTED = 20
_HIGHEST = 300
"""Bounds of what a unit may make of a number: 10*300 and so on."""

_TOKEN = re.compile(r"([./()])|(\{[^{}]*\})|((?:10[*^]|(?:\[[^\[\]]*\]|[^\[\]{}()./\d+\- ])+)(?:[+-]?\d+)?|\d+)")
_EXPONENT = re.compile(r"(.*?[^\d+-]|10[*^])([+-]?\d+)?")
_SHIFTS = {"Cel": Fraction("273.15"), "degF": Fraction("459.67"), "degRe": Fraction("273.15") * 4 / 5}
"""Scales of temperature: what is added to a value before its factor counts, so that it begins at 0 K."""


class Unit(NamedTuple):
    """What a unit measures, in base units (`g.m-3`, `1`), and its conversion: (value * times + plus) / over."""

    base: str
    times: Decimal
    plus: Decimal
    over: Decimal


class _Term(NamedTuple):
    """A factor, and the powers of base units; shift: of a scale that does not begin at 0."""

    factor: Fraction
    powers: dict[str, int]
    shift: Fraction = Fraction(0)


class _Atom(NamedTuple):
    """A unit of the table: how many of which unit it is; scale: the function of a special one."""

    value: Fraction
    unit: str
    metric: bool
    scale: str


class _Unknown(ValueError):
    """Not a unit of UCUM, or none that can be converted."""


@lru_cache(maxsize=4096)
def unit(code: str) -> Unit | None:
    """The unit that a code names; None when it is none of UCUM, or has no linear scale."""
    try:
        term = _parsed(code)
    except _Unknown:
        return None
    base = ".".join(f"{name}{power if power != 1 else ''}" for name, power in sorted(term.powers.items()) if power)
    plus = term.shift * term.factor
    over = term.factor.denominator * plus.denominator
    numbers = (term.factor * over, plus * over, Fraction(over))
    return Unit(base or "1", *(Decimal(number.numerator) for number in numbers))


def converted(value: Decimal, to: Unit) -> Decimal:
    """The value in base units, exact to DIGITS digits. value: finite, or an infinity"""
    if not value.is_finite():
        return value
    exact = _EXACT.fma(value, to.times, to.plus)
    return _ROUNDED.plus(exact) if to.over == 1 else _ROUNDED.divide(exact, to.over)


def _parsed(code: str) -> _Term:
    if not 0 < len(code) <= LONGEST or not code.isascii():
        raise _Unknown(code)
    reader = _Reader(code)
    term = reader.term(0)
    if reader.present is not None or (term.shift and not reader.alone):
        raise _Unknown(code)
    return term


class _Reader:
    """Recursive descent over the tokens of one unit."""

    def __init__(self, code: str) -> None:
        found = list(_TOKEN.finditer(code))
        if sum(len(match.group()) for match in found) != len(code):
            raise _Unknown(code)
        self._tokens: Iterator[str] = (match.group() for match in found)
        self.alone = len([match for match in found if not match.group(2)]) == 1
        self.present: str | None = next(self._tokens)

    def take(self) -> str:
        """The present part; the next one becomes present."""
        if self.present is None:
            raise _Unknown("it ends too early")
        part, self.present = self.present, next(self._tokens, None)
        return part

    def term(self, depth: int) -> _Term:
        """Components, multiplied and divided from left to right."""
        if depth > _MOST_NESTED:
            raise _Unknown("too many parentheses")
        if self.present == "/":
            found = _Term(Fraction(1), {})
        else:
            found = self.component(depth)
        while self.present in (".", "/"):
            sign = 1 if self.take() == "." else -1
            found = _times(found, self.component(depth), sign)
        return found

    def component(self, depth: int) -> _Term:
        """A unit with its exponent, a number, or a term in parentheses; what braces annotate does not count."""
        part = self.take()
        if part == "(":
            found = self.term(depth + 1)
            if self.take() != ")":
                raise _Unknown("a parenthesis stays open")
        elif part[0] == "{":
            return _Term(Fraction(1), {})
        elif part.isdigit():
            found = _Term(Fraction(int(part)), {})
            if not found.factor:
                raise _Unknown("0")
        elif part in (".", "/", ")"):
            raise _Unknown(part)
        else:
            found = _simple(part)
        if self.present is not None and self.present[0] == "{":
            self.take()
        return found


def _times(left: _Term, right: _Term, power: int) -> _Term:
    """left · right^power"""
    if left.shift or right.shift:
        raise _Unknown("a scale that does not begin at 0 takes no part in products")
    if abs(power) > _HIGHEST:
        raise _Unknown("an exponent out of bounds")
    factor = left.factor * right.factor**power
    if max(factor.numerator.bit_length(), factor.denominator.bit_length()) > _MOST_BITS:
        raise _Unknown("a factor out of bounds")
    powers = dict(left.powers)
    for name, times in right.powers.items():
        powers[name] = powers.get(name, 0) + times * power
    return _Term(factor, powers)


def _simple(part: str) -> _Term:
    """A unit with an exponent or none."""
    match = _EXPONENT.fullmatch(part)
    if match is None:
        raise _Unknown(part)
    name, exponent = match.groups()
    found = _named(name)
    return found if exponent is None else _times(_Term(Fraction(1), {}), found, int(exponent[:5]))


@cache
def _named(name: str) -> _Term:
    """A unit of the table, with or without prefix."""
    atoms, prefixes = _table()
    if name in atoms:
        return _of_table(name, atoms[name])
    for prefix in (name[:1], name[:2]):
        atom = atoms.get(name[len(prefix) :])
        if prefix in prefixes and atom is not None and atom.metric:
            found = _of_table(name[len(prefix) :], atom)
            factor = found.factor * prefixes[prefix]
            return _Term(factor, found.powers, found.shift / prefixes[prefix])
    raise _Unknown(name)


def _of_table(name: str, atom: _Atom) -> _Term:
    if not atom.unit:
        return _Term(Fraction(1), {name: 1})
    if atom.scale and atom.scale not in _SHIFTS:
        raise _Unknown(name)
    found = _parsed(atom.unit)
    return _Term(found.factor * atom.value, found.powers, _SHIFTS.get(atom.scale, Fraction(0)))


@cache
def _table() -> tuple[dict[str, _Atom], dict[str, Fraction]]:
    """The units and the prefixes."""
    spec = find_spec("ucumvert")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "vendor" / "ucum-essence.xml"
    root = ElementTree.parse(file).getroot()  # noqa: S314 as it was installed
    atoms = {element.attrib["Code"]: _Atom(Fraction(1), "", True, "") for element in root.iterfind("{*}base-unit")}
    atoms |= {element.attrib["Code"]: _atom(element) for element in root.iterfind("{*}unit")}
    prefixes = {
        element.attrib["Code"]: Fraction(element.find("{*}value").attrib["value"])  # type: ignore[union-attr]
        for element in root.iterfind("{*}prefix")
    }
    return atoms, prefixes


def _atom(element: ElementTree.Element) -> _Atom:
    """A row of the table; an arbitrary unit that is defined by no other is a base unit."""
    value = element.find("{*}value")
    assert value is not None
    function = value.find("{*}function")
    told = (value if function is None else function).attrib
    base = element.get("isArbitrary") == "yes" and told["Unit"] == "1"
    scale = "" if function is None else function.attrib["name"]
    return _Atom(Fraction(told["value"]), "" if base else told["Unit"], element.get("isMetric") == "yes", scale)
