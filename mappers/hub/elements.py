"""What each action of the rules does with one value.

Enters: a value of an accepted resource and the context. Leaves: what may leave of it, None when nothing may.
Everything is built anew from the members named here: text, display, extensions and whatever else stands beside them
have no way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ecluse.core.fhir import json
from mappers.hub import dates, systems
from mappers.hub.context import Context

Action = Callable[[Any, Context], Any]

MASKED = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "masked"}
LONGEST_NUMBER = 10**8
"""A number with nine digits before the point is more often a telephone number or an identifier than a measure."""

_COMPARATORS = ("<", "<=", ">=", ">")
_FRANCE = ("", "FR", "FRA", "FRANCE")
_POSTCODE = re.compile(r"\d{5}", re.ASCII)
_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?", re.ASCII)


def code(values: str) -> Action:
    """Keeps a code of a required binding. values: the codes, with spaces between"""
    allowed = frozenset(values.split())
    return lambda value, _: value if value in allowed else None


def boolean(value: Any, _: Context) -> bool | None:
    """Keeps true and false."""
    return value if isinstance(value, bool) else None


def number(value: Any, _: Context) -> int | msgspec.Raw | None:
    """Keeps a number that is not as long as an identifier, digit by digit."""
    if isinstance(value, int | msgspec.Raw) and abs(json.number(value)) < LONGEST_NUMBER:
        return value
    return None


def quantity(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
    """Keeps value, comparator and UCUM code; nothing when there is a unit that cannot be told in UCUM."""
    told = number(value.get("value"), context)
    unit = systems.unit(value)
    if told is None or (unit is None and ("unit" in value or "code" in value)):
        return None
    made: dict[str, Any] = {"value": told}
    if "comparator" in value:
        if value["comparator"] not in _COMPARATORS:
            return None
        made["comparator"] = value["comparator"]
    return made | {"system": systems.UCUM, "code": unit} if unit else made


def quantities(names: tuple[str, ...], *, all_of_them: bool) -> Action:
    """Keeps quantities inside an element: both of a Ratio, any of a Range."""

    def keep(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
        made = {name: quantity(value[name], context) for name in names if name in value}
        found = {name: kept for name, kept in made.items() if kept}
        whole = len(found) == (len(names) if all_of_them else len(made))
        return found if found and whole else None

    return keep


def coding(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
    """Keeps system and code, when the code is one of a system that may leave."""
    system, told = value.get("system"), value.get("code")
    if system is None or told is None or not systems.known(system, told, context.systems):
        return None
    return {"system": system, "code": told}


def masked(value: dict[str, Any], context: Context) -> dict[str, Any]:
    """The same, or a code that says that there was one."""
    return coding(value, context) or MASKED


def concept(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
    """Keeps the codings of a CodeableConcept."""
    kept = [found for item in value.get("coding", ()) if (found := coding(item, context))]
    return {"coding": kept} if kept else None


def reference(types: str) -> Action:
    """Replaces the id in a reference to a resource of this site. types: what it may refer to, with spaces between"""
    allowed = frozenset(types.split())

    def pseudonym(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
        told = value.get("reference") or ""
        match = _REFERENCE.fullmatch(told) or _REFERENCE.fullmatch(_below(told, context.bases))
        if match is None or match.group(1) not in allowed:
            return None
        resource_type, resource_id = match.groups()
        found = context.pseudonym(resource_type, resource_id)
        return {"reference": f"{resource_type}/{found}"} if found else None

    return pseudonym


def _below(address: str, bases: tuple[str, ...]) -> str:
    """What follows the base that an address begins with."""
    return next((address.removeprefix(base) for base in bases if address.startswith(base)), address)


def shifted(value: Any, context: Context) -> str | None:
    """Moves a date."""
    return dates.shifted(value, context.days) if value else None


def period(value: dict[str, Any], context: Context) -> dict[str, Any] | None:
    """Moves start and end."""
    moved = {name: shifted(value.get(name), context) for name in ("start", "end")}
    return {name: text for name, text in moved.items() if text} or None


def birth(value: Any, context: Context) -> str | None:
    """Year, or month, of a birth date; nobody is older than 90."""
    return dates.birth(value, context.days, context.at, context.birth_date) if value else None


def departement(value: dict[str, Any], _: Context) -> dict[str, Any] | None:
    """The département of a French postcode: two digits, three overseas."""
    postcode = value.get("postalCode") or ""
    if (value.get("country") or "").upper() not in _FRANCE or not _POSTCODE.fullmatch(postcode):
        return None
    return {"district": postcode[: 3 if postcode.startswith(("97", "98")) else 2], "country": "FR"}
