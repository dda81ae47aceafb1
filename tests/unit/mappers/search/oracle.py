"""Index rows computed the slow way: official expressions, evaluated by fhirpathpy, each value read by its shape.

Nothing of the compiled walk is used, neither its paths nor the definitions of data types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

from ecluse.core.fhir import ucum
from ecluse.core.fhir.dates import EARLIEST, LATEST, bounds
from mappers.search import quantity
from mappers.search.number import NOT_AFTER, NOT_BEFORE, next_above, next_below
from mappers.search.reference import normalise as target
from mappers.search.string import normalise as folded
from mappers.search.token import of_type_key, system_key
from tests.official import official_files

CONTACT_SYSTEMS = {"phone", "fax", "email", "pager", "url", "sms", "other"}
NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")


@cache
def expressions() -> dict[str, str]:
    """Canonical address of a search parameter → its official expression."""
    items = [json.loads(file.read_bytes()) for file in official_files() if file.name.startswith("SearchParameter-")]
    return {item["url"]: item["expression"] for item in items if "expression" in item}


def rows(url: str, kind: str, resource: dict[str, Any]) -> set[tuple[Any, ...]]:
    """The rows, without path number, that a parameter takes from a resource."""
    found: set[tuple[Any, ...]] = set()
    for branch in _branches(expressions()[url], resource["resourceType"]):
        which, own = APART.get(kind, ("", READERS[kind]))
        apart = _compiled(f"({branch}).{which}")(resource) if which else []
        for value in _compiled(f"({branch}).where(($this is string).not())" if kind == "date" else branch)(resource):
            read = own if value in apart else READERS[kind]
            found.update(read(_without_extension(value)))
    return found


def _branches(expression: str, resource_type: str) -> list[str]:
    """The branches of a union that this type can answer, as fhirpathpy can evaluate them: `as` is meant for each value
    of a collection, FHIRPath has it for one only; Resource is the type itself; targets are a matter of the query."""
    text = re.sub(r"\.where\(resolve\(\) is \w+\)", "", expression)
    text = re.sub(r"\(([\w.]+) as (\w+)\)|([\w.]+)\.as\((\w+)\)", r"\1\3.ofType(\2\4)", text)
    text = re.sub(r"hasExtension\(('[^']+')\)", r"extension(\1).exists()", text)
    branches = [re.sub(r"^Resource\b", resource_type, branch.strip()) for branch in text.split("|")]
    return [branch for branch in branches if re.match(rf"\(?{resource_type}\b|[a-z]", branch)]


@cache
def _compiled(expression: str) -> Any:
    return fhirpathpy.compile(expression, models["r4"])


def _without_extension(value: Any) -> Any:
    if isinstance(value, dict) and "url" in value:
        return next((member for name, member in value.items() if name.startswith("value")), {})
    return value


def _caseless(value: str) -> Iterator[tuple[Any, ...]]:
    yield 0, value.casefold()


def _tokens(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, bool):
        yield 0, str(value).lower()
    elif isinstance(value, str):
        yield 0, value
    elif "coding" in value or "text" in value:
        for coding in value.get("coding", ()):
            yield from _tokens({"code": None, **coding})
        yield from [(folded(value["text"]), "")] if "text" in value else []
    elif "code" in value or "display" in value:
        if value.get("code") or value.get("system"):
            yield system_key(value["system"]) if "system" in value else 0, value.get("code") or ""
        yield from [(folded(value["display"]), "")] if "display" in value else []
    elif value.get("system") in CONTACT_SYSTEMS:
        yield from [(0, value["value"])] if "value" in value else []
    elif "value" in value or "system" in value:
        yield system_key(value["system"]) if "system" in value else 0, value.get("value", "")
    if isinstance(value, dict) and "type" in value and "coding" not in value:
        yield from _of_type(value)


def _of_type(identifier: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    kind = identifier["type"]
    yield from [(folded(kind["text"]), "")] if "text" in kind else []
    for coding in kind.get("coding", ()) if "value" in identifier else ():
        if "system" in coding and "code" in coding:
            yield of_type_key(coding["system"], coding["code"]), identifier["value"]


def _references(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield from {(0, value.partition("|")[0]), (0, value)} if not value.startswith("#") else ()
        return
    if "reference" in value and not value["reference"].startswith("#"):
        yield target(value["reference"])
    identifier = value.get("identifier", {})
    if "value" in identifier or "system" in identifier:
        yield system_key(identifier["system"]) if "system" in identifier else 0, identifier.get("value", "")


def _strings(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield folded(value), value
    elif isinstance(value, dict):
        for part in {*NAME_PARTS, *ADDRESS_PARTS} & set(value):
            for text in value[part] if isinstance(value[part], list) else [value[part]]:
                yield folded(text), text


def _dates(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield bounds(value)
    elif "event" in value or "repeat" in value:
        events = [bounds(event) for event in value.get("event", ())]
        events += _dates(value.get("repeat", {}).get("boundsPeriod", {}))
        if events:
            yield min(low for low, _ in events), max(high for _, high in events)
    elif "start" in value or "end" in value:
        yield (
            bounds(value["start"])[0] if "start" in value else EARLIEST,
            bounds(value["end"])[1] if "end" in value else LATEST,
        )


def _instants(value: str) -> Iterator[tuple[Any, ...]]:
    """A point in time, with no width but that of a microsecond."""
    low, _ = bounds(value)
    yield low, low + timedelta(microseconds=1)


def _uris(value: Any) -> Iterator[tuple[Any, ...]]:
    yield 0, value


def _numbers(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        ends = _ends(value)
        yield from [(0, 0, 0, *ends, *ends)] if ends else []
    elif not isinstance(value, bool):
        exact = Decimal(str(value))
        yield 0, 0, 0, exact, exact, exact, exact


def _quantities(value: Any) -> Iterator[tuple[Any, ...]]:
    if "origin" in value:
        numbers = [Decimal(one) for one in value.get("data", "").split() if one not in "EUL"]
        if numbers and "value" in value["origin"]:
            start, factor = (Decimal(str(number)) for number in (value["origin"]["value"], value.get("factor", 1)))
            values = [start + factor * one for one in numbers]
            yield _in_unit(value["origin"], min(values), max(values))
    elif "low" in value or "high" in value:
        if ends := _ends(value):
            yield _in_unit(value.get("low", {}) if "value" in value.get("low", {}) else value["high"], *ends)
    elif "currency" in value and "value" in value:
        exact = Decimal(str(value["value"]))
        yield (*quantity.normalise("urn:iso:std:iso:4217", value["currency"])[:3], exact, exact, exact, exact)
    elif "value" in value:
        exact = Decimal(str(value["value"]))
        low, high = _compared(exact, value.get("comparator"))
        yield _in_unit(value, low, high)


def _compared(exact: Decimal, comparator: str | None) -> tuple[Decimal, Decimal]:
    below = next_below(exact) if comparator == "<" else exact
    above = next_above(exact) if comparator == ">" else exact
    return NOT_AFTER if comparator in ("<", "<=") else above, NOT_BEFORE if comparator in (">", ">=") else below


def _ends(value: dict[str, Any]) -> tuple[Decimal, Decimal] | None:
    ends = [value.get(name, {}).get("value") for name in ("low", "high")]
    if ends == [None, None]:
        return None
    low, high = (None if end is None else Decimal(str(end)) for end in ends)
    return NOT_AFTER if low is None else low, NOT_BEFORE if high is None else high


def _in_unit(unit: dict[str, Any], low: Decimal, high: Decimal) -> tuple[Any, ...]:
    measure = quantity.normalise(unit.get("system", ""), unit.get("code", ""), unit.get("unit", ""))
    canonical = [ucum.converted(end, measure.to) if measure.to else end for end in (low, high)]
    return (*measure[:3], low, high, *canonical)


def _positions(value: Any) -> Iterator[tuple[Any, ...]]:
    if "latitude" in value and "longitude" in value:
        latitude, longitude = Decimal(value["latitude"]), Decimal(value["longitude"])
        yield 0, 0, 0, latitude, latitude, longitude, longitude


READERS = {
    "token": _tokens,
    "reference": _references,
    "string": _strings,
    "date": _dates,
    "uri": _uris,
    "number": _numbers,
    "quantity": _quantities,
    "special": _positions,
}

APART = {
    "date": ("ofType(instant)", _instants),
    "token": ("where($this is string and ($this is code).not() and ($this is id).not())", _caseless),
}
"""Values of a data type that cannot be told from its shape: how they are selected, and read."""
