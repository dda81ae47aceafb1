"""The text of one value of a query, made of what a resource has.

Enters: a parameter, a modifier or prefix, and a resource to take the value from. Leaves: name and text, or nothing when
that resource has no value that can be asked for in this way.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import NamedTuple

from tests.property.search import pools
from tests.property.search.awaited import is_awaited
from tests.property.search.definitions import Component, Parameter, Resource, Value, wanted_target
from tests.property.search.evaluator import PART_OF
from tests.property.search.near import KM, distance_km
from tests.property.search.ranges import EPOCH, MICROSECOND, PREFIXES, dates
from tests.property.search.texts import escaped, folded, strings
from tests.property.search.tokens import Code, Target, codes, labels, target
from tests.property.search.units import UCUM, UNITS
from tests.property.search.world import World

_ALL: dict[str, tuple[str, ...]] = {
    "string": ("", "exact", "contains", "missing"),
    "token": ("", "text", "not", "in", "not-in", "above", "below", "of-type", "missing"),
    "reference": ("", "type", "identifier", "above", "below", "missing"),
    "uri": ("", "above", "below", "missing"),
    "date": ("", *PREFIXES, "missing"),
    "number": ("", *PREFIXES, "missing"),
    "quantity": ("", *PREFIXES, "missing"),
    "composite": ("",),
    "special": ("", "missing"),
}
MODIFIED = {
    kind: tuple(one for one in features if not is_awaited(kind, one))
    for kind, features in _ALL.items()
    if not is_awaited(kind)
}
"""Modifiers and prefixes by search type."""
PRECISIONS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ")


class Wanted(NamedTuple):
    """What is to be asked of which parameter, and of whose value."""

    world: World
    random: Random
    parameter: Parameter
    feature: str
    resource: Resource

    def choice(self, *items: str) -> str:
        return self.random.choice(items)


class Named(NamedTuple):
    """A parameter with its modifier, and one value as a query writes it."""

    name: str
    text: str


def written(wanted: Wanted) -> Named | None:
    """One value, if the resource has one that can be asked for so."""
    parameter, feature = wanted.parameter, wanted.feature
    if feature == "missing":
        return Named(f"{parameter.code}:missing", wanted.choice("true", "false"))
    if parameter.type == "composite":
        return _composite(wanted)
    found = wanted.world.values(wanted.resource, parameter)
    if not found:
        return None
    value = wanted.random.choice(found)
    text = WRITERS[parameter.type](wanted, value)
    if text is None:
        return None
    if feature == "type":
        end = target(value)
        return Named(f"{parameter.code}:{end.type}", text) if end else None
    modifier = f":{feature}" if feature and feature not in PREFIXES else ""
    return Named(f"{parameter.code}{modifier}", text)


def _string(wanted: Wanted, value: Value) -> str | None:
    texts = [text for text in strings(value) if folded(text)]
    if not texts:
        return None
    text = wanted.random.choice(texts)
    if wanted.feature == "exact":
        return escaped(wanted.choice(text, text, text, text.upper(), text[:-1] or text, folded(text)))
    start = wanted.random.randrange(len(text)) if wanted.feature == "contains" else 0
    found = text[start : start + wanted.random.randint(1, 8)]
    found = wanted.choice(found, found.upper(), found.lower(), folded(found), f"{found}q")
    return escaped(found) if folded(found) else escaped(text)


def _token(wanted: Wanted, value: Value) -> str | None:
    match wanted.feature:
        case "text":
            return _string(wanted, Value("string", wanted.random.choice(list(labels(value)) or [""])))
        case "of-type":
            return _of_type(wanted, value)
        case "in" | "not-in":
            sets = wanted.world.by_type["ValueSet"]
            chosen = wanted.random.choice(sets)
            coded = value.type in ("Coding", "CodeableConcept")
            return escaped(wanted.choice(chosen["url"], f"ValueSet/{chosen['id']}")) if coded else None
        case "above" | "below":
            known = [code for code in codes(value) if code.system == pools.TREE and code.code]
            return f"{pools.TREE}|{wanted.choice(*pools.CONCEPTS)}" if known else None
    found = [code for code in codes(value, _implied(wanted, value)) if code.code or code.system]
    return _code(wanted, wanted.random.choice(found)) if found else None


def _implied(wanted: Wanted, value: Value) -> str:
    kind = wanted.resource["resourceType"]
    return wanted.world.implied_system(kind, wanted.parameter) if value.type == "code" else ""


def _code(wanted: Wanted, code: Code) -> str:
    if wanted.parameter.code == "_id":
        return wanted.choice(code.code, code.code, "nobody", f"gone-{code.code}")
    system, text = escaped(code.system or code.implied), escaped(code.code)
    forms = [f"{system}|"] if system and code.system else []
    if text:
        other = escaped(wanted.choice(*pools.SYSTEMS))
        forms += [text, text, escaped(code.code.swapcase()), f"|{text}", f"{other}|{text}", f"{text}x"]
        forms += [f"{system}|{text}"] * 3 + [f"{system}|{escaped(code.code.swapcase())}"] if system else []
    return wanted.choice(*forms)


def _of_type(wanted: Wanted, value: Value) -> str | None:
    if value.type != "Identifier" or "value" not in value.data:
        return None
    kinds = [kind for kind in value.data.get("type", {}).get("coding", ()) if len({"system", "code"} & set(kind)) == 2]
    if not kinds:
        return None
    kind = wanted.random.choice(kinds)
    text = wanted.choice(value.data["value"], value.data["value"], *pools.CODES[:3])
    return "|".join(map(escaped, (kind["system"], kind["code"], text)))


def _reference(wanted: Wanted, value: Value) -> str | None:
    if wanted.feature == "identifier":
        identifier = value.data.get("identifier") if isinstance(value.data, dict) else None
        return _code(wanted, next(codes(Value("Identifier", identifier)))) if identifier else None
    end = target(value)
    allowed = wanted.parameter.targets
    if end is None or (wanted.feature == "type" and (not end.type or (allowed and end.type not in allowed))):
        return None
    if wanted.feature in ("above", "below"):
        return _part(wanted, end) if value.type == "Reference" else _uri(wanted, value)
    if end.type == "":
        kind = wanted_target(wanted.parameter.expression)
        if kind and end.id.startswith(wanted.world.base) and not end.id.startswith(f"{wanted.world.base}/{kind}/"):
            return None
        return escaped(wanted.choice(end.id, end.id, end.id.partition("|")[0]))
    if wanted.feature == "type":
        return wanted.choice(end.id, end.id, "nobody")
    full = f"{end.type}/{end.id}"
    return wanted.choice(full, full, end.id, f"{wanted.world.base}/{full}", f"{end.type}/nobody")


def _part(wanted: Wanted, end: Target) -> str | None:
    """The target, or another resource of its type, when such a one can be part of another."""
    if end.type not in PART_OF:
        return None
    return f"{end.type}/{wanted.choice(end.id, *(each['id'] for each in wanted.world.by_type[end.type]))}"


def _uri(wanted: Wanted, value: Value) -> str | None:
    text: str = value.data
    match wanted.feature:
        case "below":
            cuts = [text[:n] for n, sign in enumerate(text) if sign in "/|.-" and n > 6]
            return escaped(wanted.choice(text, text, f"{text}/", text[:-1], *cuts))
        case "above":
            return escaped(wanted.choice(text, f"{text}/1", f"{text}x", *pools.URIS))
    return escaped(wanted.choice(text, text, text[:-1], text.upper()))


def _date(wanted: Wanted, value: Value) -> str | None:
    ends = [end for one in dates(value) for end in one if abs(end) < 10**20]
    texts = [*pools.DATES, *pools.MOMENTS, *(part for part in str(value.data).split("'") if part[:2] == "20")]
    text = wanted.choice(*texts)
    if ends and wanted.random.random() < 0.6:
        moment = EPOCH + wanted.random.choice(ends) * MICROSECOND
        moment += wanted.random.choice((0, 0, -1, 1000, 86_400_000_000)) * MICROSECOND
        text = moment.strftime(wanted.choice(*PRECISIONS)).replace("000Z", "Z")
    return f"{wanted.feature}{text}"


def _number(wanted: Wanted, value: Value) -> str | None:
    return f"{wanted.feature}{_digits(wanted, value)}"


def _digits(wanted: Wanted, value: Value) -> str:
    """A number near the one of the value: itself, less or more precise, a little beside it, with an exponent."""
    own = value.data.get("value", "5.4") if isinstance(value.data, dict) else value.data
    number = Decimal(str(own))
    near = number + Decimal(wanted.choice("0", "0", "0.5", "-0.5", "0.05", "1", "-1"))
    return wanted.choice(
        f"{near:f}", f"{near:f}0" if "." in f"{near:f}" else f"{near:f}.0", *pools.NUMBERS, f"{near:.2e}"
    )


def _quantity(wanted: Wanted, value: Value) -> str | None:
    text = f"{wanted.feature}{_digits(wanted, value)}"
    data = value.data.get("low", value.data.get("origin", value.data))
    system, code, unit = (data.get(name, "") for name in ("system", "code", "unit"))
    forms = [text]
    forms += [f"{text}|{escaped(system)}|{escaped(code)}"] * 2 if system and code else []
    forms += [f"{text}||{escaped(one)}" for one in (code, unit) if one]
    if system == UCUM and code in UNITS:
        alike = [other for other in UNITS if UNITS[other].dimension == UNITS[code].dimension]
        other = wanted.choice(*alike)
        scaled = Decimal(str(data.get("value", 1))) * _ratio(code, other)
        forms += [f"{wanted.feature}{scaled.normalize():f}|{UCUM}|{escaped(other)}"] * 3
        forms += [f"{text}|{UCUM}|{escaped(wanted.choice(*UNITS))}"]
    if value.type == "Money":
        forms.append(f"{text}|urn:iso:std:iso:4217|{value.data['currency']}")
    return wanted.choice(*forms)


def _ratio(code: str, other: str) -> Decimal:
    ratio = UNITS[code].factor / UNITS[other].factor
    return round(Decimal(ratio.numerator) / Decimal(ratio.denominator), 6)


def _composite(wanted: Wanted) -> Named | None:
    """Values of one element that the composite stands on; sometimes of two of them, which should not match."""
    found = [one for one in wanted.world.contexts(wanted.resource, wanted.parameter) if all(one.values())]
    if not found:
        return None
    chosen = wanted.random.choice(found)
    texts = []
    for place, part in enumerate(wanted.parameter.parts()):
        source = wanted.random.choice(found) if wanted.random.random() < 0.2 else chosen
        text = _component(wanted, part, wanted.random.choice(source[place]))
        if text is None:
            return None
        texts.append(text)
    return Named(wanted.parameter.code, "$".join(texts))


def _component(wanted: Wanted, part: Component, value: Value) -> str | None:
    prefixed = part.parameter.type in ("date", "number", "quantity")
    feature = wanted.choice("", "", *PREFIXES) if prefixed else ""
    return WRITERS[part.parameter.type](wanted._replace(parameter=part.parameter, feature=feature), value)


def _near(wanted: Wanted, value: Value) -> str | None:
    """A circle whose edge is not where the position is, to a hundredth."""
    latitude, longitude = float(value.data["latitude"]), float(value.data["longitude"])
    here = (wanted.random.choice((latitude, 48.9, 0.5)), wanted.random.choice((longitude, 2.2, 179.95)))
    unit = wanted.random.choice(tuple(KM))
    far = max(distance_km(latitude, longitude, *here), 0.5) / KM[unit]
    distance = f"{far * wanted.random.choice((0.5, 0.98, 1.02, 2)):.6f}"
    return f"{here[0]}|{here[1]}|{distance}|{unit}" if unit else f"{here[0]}|{here[1]}|{distance}"


WRITERS: dict[str, Callable[[Wanted, Value], str | None]] = {
    "string": _string,
    "token": _token,
    "reference": _reference,
    "uri": _uri,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "special": _near,
}
