"""Functions that make one System type of another: toX and convertsToX.

Spec: http://hl7.org/fhirpath/N1/#conversion
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ecluse.core.fhir.fhirpath import quantity, temporal
from ecluse.core.fhir.fhirpath.functions.registry import FUNCTIONS, Evaluate, Function, Items, Step, single
from ecluse.core.fhir.fhirpath.nodes import Node
from ecluse.core.fhir.fhirpath.quantity import Quantity
from ecluse.core.fhir.fhirpath.scope import Scope
from ecluse.core.fhir.fhirpath.temporal import Temporal

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,60}(?:\.[0-9]{1,60})?", re.ASCII)
_QUANTITY = re.compile(r"([+-]?[0-9]{1,60}(?:\.[0-9]{1,60})?)\s*(?:'([^']+)'|([a-z]+))?", re.ASCII)
_TRUE, _FALSE = {"true", "t", "yes", "y", "1", "1.0"}, {"false", "f", "no", "n", "0", "0.0"}


def to_boolean(value: Any) -> bool | None:
    """True or False of their usual spellings, 1 and 0."""
    if type(value) is bool:
        return value
    if type(value) in (int, Decimal):
        return {1: True, 0: False}.get(value)
    word = value.lower() if type(value) is str else ""
    return True if word in _TRUE else False if word in _FALSE else None


def to_integer(value: Any) -> int | None:
    """A whole number of 32 bits."""
    if type(value) is str and _INTEGER.fullmatch(value):
        value = int(value)
    if type(value) is bool:
        return int(value)
    return value if type(value) is int and -(2**31) <= value < 2**31 else None


def to_decimal(value: Any) -> Decimal | None:
    """A decimal number."""
    if type(value) is str:
        return Decimal(value) if _DECIMAL.fullmatch(value) else None
    return Decimal(value) if type(value) in (int, Decimal, bool) else None


def to_string(value: Any) -> str | None:
    """The text that FHIRPath writes for a value; None of a complex element."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is Temporal:
        return temporal.text(value)
    if type(value) is Quantity:
        unit = value.unit if value.unit in quantity.CALENDAR else f"'{value.unit}'"
        return f"{value.value:f} {unit}"
    if type(value) is Decimal:
        return f"{value:f}"
    return str(value) if type(value) is int else None


def to_date(value: Any) -> Temporal | None:
    """The date, of a date-time its day."""
    if type(value) is str:
        value = temporal.read(value, "DateTime") if "T" in value else temporal.read(value, "Date")
    if type(value) is not Temporal or value.kind == "Time":
        return None
    return Temporal("Date", value.fields[:3])


def to_date_time(value: Any) -> Temporal | None:
    """The date-time; a date becomes one of its precision."""
    if type(value) is str:
        return temporal.read(value, "DateTime")
    return value._replace(kind="DateTime") if type(value) is Temporal and value.kind != "Time" else None


def to_time(value: Any) -> Temporal | None:
    """The time of day."""
    if type(value) is str:
        return temporal.read(value.removeprefix("T"), "Time")
    return value if type(value) is Temporal and value.kind == "Time" else None


def to_quantity(value: Any) -> Quantity | None:
    """The quantity; a number has the unit 1."""
    if type(value) is Quantity:
        return value
    if type(value) in (int, Decimal):
        return Quantity(Decimal(value), "1")
    if type(value) is bool:
        return Quantity(Decimal(int(value)), "1")
    found = _QUANTITY.fullmatch(value) if type(value) is str else None
    if found is None:
        return None
    number, code, word = found.groups()
    unit = quantity.calendar_unit(word) if word in _words() else None
    return None if word and not unit else Quantity(Decimal(number), code or unit or "1")


def _words() -> set[str]:
    return {*quantity.CALENDAR, *(f"{unit}s" for unit in quantity.CALENDAR)}


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Decimal": to_decimal,
    "String": to_string,
    "Date": to_date,
    "DateTime": to_date_time,
    "Time": to_time,
    "Quantity": to_quantity,
}


def _converted(name: str, convert: Callable[[Any], Any], items: Items, unit: Items | None) -> Any:
    value = single(items, name)
    if value is None or (type(value) is Node and value.member.primitive):
        return None
    made = convert(value)
    wanted = single(unit, name) if unit is not None else None
    return quantity.in_unit(made, wanted) if made is not None and isinstance(wanted, str) else made


def _register(kind: str, convert: Callable[[Any], Any]) -> None:
    def to(unit: Evaluate | None = None) -> Step:
        def step(items: Items, scope: Scope) -> Items:
            value = _converted(f"to{kind}", convert, items, unit(scope) if unit else None)
            return [] if value is None else [value]

        return step

    def converts_to(unit: Evaluate | None = None) -> Step:
        def step(items: Items, scope: Scope) -> Items:
            value = _converted(f"convertsTo{kind}", convert, items, unit(scope) if unit else None)
            return [value is not None] if items else []

        return step

    most = 1 if kind == "Quantity" else 0
    FUNCTIONS[f"to{kind}"] = Function(0, most, to)
    FUNCTIONS[f"convertsTo{kind}"] = Function(0, most, converts_to)


for _kind, _convert in _CONVERSIONS.items():
    _register(_kind, _convert)
