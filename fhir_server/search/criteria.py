"""One parameter of a query as a condition.

Enters: name and text of the parameter. Leaves: a condition, with all values read. `NotServed` tells those that lenient
handling leaves out from those that are wrong.
Spec: http://hl7.org/fhir/R4/search.html#combining, http://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.definitions.search_parameters import Parameter
from ecluse.core.fhir.types import number_of
from fhir_server.http.query import nearest
from fhir_server.search.asked import Asked, NotServed, unknown
from fhir_server.search.clause import clause, kind_of, texts_of
from fhir_server.search.composites import composite
from fhir_server.search.modifiers import COMPARED, MODIFIED, PLAIN, Reading
from fhir_server.search.query import (
    Addressed,
    Addressing,
    AnyOf,
    Canonical,
    Condition,
    Linked,
    Linking,
    Missing,
    Not,
    all_of,
    any_of,
)
from fhir_server.search.values import by_kind, types_of
from fhir_server.search.words import of_words
from mappers.search.question import parts
from mappers.search.words import TEXT_OF


def condition(asked: Asked) -> Condition:
    """What the parameter asks for. Raises: NotServed, BadRequest"""
    if asked.name.startswith("_has:"):
        return _reverse(asked)
    head, dot, rest = asked.name.partition(".")
    code, colon, modifier = head.partition(":")
    if code == "_list":
        return _listed(asked, colon + modifier + dot + rest)
    parameter = asked.registry.served(asked.type).get(code)
    if parameter is None:
        raise NotServed(unknown(asked, asked.type, code))
    if parameter.type == "composite":
        return composite(asked, parameter, more=colon + modifier + dot + rest)
    if dot:
        return _chain(asked, parameter, modifier, rest)
    if code in TEXT_OF and modifier != "missing" and not asked.operation:
        return of_words(asked, parameter, modifier)
    return _plain(asked, parameter, modifier if colon else None)


def _plain(asked: Asked, parameter: Parameter, modifier: str | None) -> Condition:
    """A parameter of the resource itself."""
    if asked.operation:
        return _compared(asked, parameter, modifier)
    if modifier == "missing":
        return _missing(asked, parameter)
    reading, targets = _reading(asked, parameter, modifier)
    parameter = structs.replace(parameter, targets=targets) if targets else parameter
    texts = texts_of(asked, parameter)
    if parameter.code == "url" and modifier is None and "version" in asked.registry.served(asked.type):
        return _of_versions(asked, parameter, texts)
    return _read(asked, parameter, reading, texts)


def _of_versions(asked: Asked, parameter: Parameter, texts: Sequence[str]) -> Condition:
    """The url of a resource, alone or as `url|version`.

    Spec: http://hl7.org/fhir/R4/search.html#uri"""
    found: dict[str, list[str]] = {}
    for text in texts:
        url, *version = parts(text, "|")
        found.setdefault("|".join(version), []).append(url)
    each = [(version, _read(asked, parameter, PLAIN["uri"], urls)) for version, urls in found.items()]
    return any_of(
        parameter.code,
        [
            all_of(parameter.code, [own, condition(replace(asked, name="version", text=version))]) if version else own
            for version, own in each
        ],
    )


def _read(asked: Asked, parameter: Parameter, reading: Reading, texts: Sequence[str]) -> Condition:
    found = clause(asked, parameter, reading, texts)
    return Not(parameter.code, found) if reading.negated else found


def _compared(asked: Asked, parameter: Parameter, modifier: str | None) -> Condition:
    """A comparison of `_filter`."""
    if modifier is not None:
        raise asked.wrong(f"_filter: {parameter.code} takes an operation, and no modifier.")
    if asked.operation == "pr":
        return _missing(replace(asked, text={"true": "false", "false": "true"}.get(asked.text, asked.text)), parameter)
    if parameter.code in TEXT_OF:
        raise asked.wrong(f"_filter: of {parameter.code} it takes pr alone; write {parameter.code}=… beside it.")
    compared = COMPARED.get(kind_of(parameter), {})
    if asked.operation not in compared:
        valid = ", ".join([*compared, "pr"])
        raise asked.wrong(f"_filter: {parameter.code} is a {parameter.type} parameter; it takes {valid}.")
    return _read(asked, parameter, compared[asked.operation], [_in_full(parameter, asked.text)])


def _in_full(parameter: Parameter, text: str) -> str:
    """The value with the address of its code system where one of the names stands that `_filter` has for them.

    Spec: http://hl7.org/fhir/R4/search_filter.html#ops"""
    if parameter.type not in _SYSTEM_AT:
        return text
    found, at = text.split("|"), _SYSTEM_AT[parameter.type]
    if len(found) == at + 2:
        found[at] = _SYSTEMS.get(found[at], found[at])
    return "|".join(found)


_SYSTEM_AT = {"token": 0, "quantity": 1}
"""Which part of a value is the system, by search type."""
_SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ucum": "http://unitsofmeasure.org",
}


def _reading(asked: Asked, parameter: Parameter, modifier: str | None) -> tuple[Reading, tuple[str, ...]]:
    """How the values are read, and the only type they may point to when the modifier names one."""
    kind = kind_of(parameter)
    if modifier is None:
        return PLAIN[kind], ()
    if parameter.type == "reference" and modifier in number_of:
        _check_target(asked, parameter, modifier)
        return PLAIN[kind], (modifier,)
    reading = MODIFIED.get(kind, {}).get(modifier)
    if reading is None:
        raise asked.wrong(_no_modifier(parameter, modifier))
    return reading, ()


def _missing(asked: Asked, parameter: Parameter) -> Condition:
    if asked.text not in ("true", "false"):
        written = f"_filter: {parameter.code} pr" if asked.operation else f"{parameter.code}:missing"
        raise asked.wrong(f"{written} is true or false.")
    code, kind = parameter.code, kind_of(parameter)
    if not parameter.paths:  # _id and _lastUpdated, which every resource has
        always = AnyOf(code, ())
        return always if asked.text == "true" else Not(code, always)
    types = types_of(parameter, tuple(map(asked.registry.path, parameter.paths)))
    found = Missing(code, PLAIN[kind].kind, parameter.paths, types)
    return found if asked.text == "true" else Not(code, found)


def _chain(asked: Asked, parameter: Parameter, modifier: str, rest: str) -> Condition:
    """`subject:Patient.name`: what the parameter points to matches the rest; without a type, any that has such a
    parameter."""
    if parameter.type != "reference":
        raise asked.wrong(f"{parameter.code} is a {parameter.type} parameter; a chain goes on from a reference.")
    if modifier:
        _check_target(asked, parameter, modifier)
    if not modifier and not parameter.targets:
        raise asked.wrong(f"{parameter.code} points to any type: name it, like {parameter.code}:Patient.{rest[:80]}.")
    return any_of(parameter.code, _links(asked, parameter, (modifier,) if modifier else parameter.targets, rest))


def _links(asked: Asked, parameter: Parameter, targets: Sequence[str], rest: str) -> list[Condition]:
    """The chain by each type that can take the rest. Raises: when none can, what is wrong with it"""
    found: list[Condition] = []
    errors: list[NotServed | BadRequest] = []
    for target in targets:
        try:
            inner = condition(asked.led_to(target, rest))
        except (NotServed, BadRequest) as error:
            errors.append(error)
        else:
            ways = _ways(asked, parameter, target, inner)
            found += ways
            errors += [] if ways else [_without_address(asked, parameter, target)]
    if found:
        return found
    for one in errors:
        if isinstance(one, BadRequest):
            raise one
    raise NotServed(f"{asked.name[:80]}: {errors[0]}")


def _ways(asked: Asked, parameter: Parameter, target: str, inner: Condition) -> list[Condition]:
    """The chain to a type by references, and by canonical addresses where the type has such."""
    references, addresses = by_kind(list(map(asked.registry.path, parameter.paths)))
    named = _named(asked, target)
    found: list[Condition] = [Linked(parameter.code, references, target, (inner,))] if references else []
    return found + ([Addressed(parameter.code, addresses, target, (inner,), named)] if addresses and named else [])


def _without_address(asked: Asked, parameter: Parameter, kind: str) -> BadRequest:
    return asked.wrong(f"{parameter.code[:80]} holds canonical addresses, and a {kind} has none.")


def _named(asked: Asked, kind: str) -> Canonical | None:
    """How the resources of a type are named by canonical addresses; None of a type that has none."""
    served = asked.registry.served(kind)
    found = [path for code in ("url", "version") if code in served for path in served[code].paths]
    return Canonical(*found) if len(found) == len(Canonical._fields) else None


def _check_target(asked: Asked, parameter: Parameter, name: str) -> None:
    if name not in number_of or (parameter.targets and name not in parameter.targets):
        allowed = ", ".join(parameter.targets or ("any type",))
        raise asked.wrong(f"{parameter.code}:{name[:80]}: {parameter.code} points to {allowed}.")


def _reverse(asked: Asked) -> Condition:
    """`_has:Observation:patient:code`: a resource of that type refers to this one and matches the rest."""
    kind, code, rest = [*asked.name.split(":", 3)[1:], "", ""][:3]
    if not (kind and code and rest):
        raise asked.wrong("write _has:Type:reference:parameter=value, like _has:Observation:patient:code=1234-5.")
    if kind not in number_of:
        raise asked.wrong(f"_has: FHIR R4 has no resource type {kind[:80]}.")
    parameter = asked.registry.served(kind).get(code)
    if parameter is None:
        raise NotServed(unknown(asked, kind, code))
    if parameter.type != "reference" or (parameter.targets and asked.type not in parameter.targets):
        valid = ", ".join(_pointing(asked, kind)) or "none"
        raise asked.wrong(f"_has: {kind}.{code[:80]} does not point to {asked.type}; parameters that do: {valid}.")
    inner = condition(asked.led_to(kind, rest))
    references, addresses = by_kind(list(map(asked.registry.path, parameter.paths)))
    named = _named(asked, asked.type)
    found: list[Condition] = [Linking("_has", kind, references, (inner,))] if references else []
    found += [Addressing("_has", kind, addresses, (inner,), named)] if addresses and named else []
    if not found:
        raise _without_address(asked, parameter, asked.type)
    return any_of("_has", found)


def _pointing(asked: Asked, kind: str) -> list[str]:
    """The reference parameters of a type that may point to what is searched."""
    references = [one for one in asked.registry.served(kind).values() if one.type == "reference"]
    return [one.code for one in references if not one.targets or asked.type in one.targets]


def _listed(asked: Asked, more: str) -> Condition:
    """`_list=42`: the resources that a List names.

    Spec: http://hl7.org/fhir/R4/search.html#list"""
    if more:
        raise asked.wrong("_list takes the id of a List, and no modifier.")
    if "$" in asked.text:
        raise NotServed(f"_list={asked.text[:80]} is not served: this server keeps no functional lists.")
    item = asked.registry.served("List")["item"]
    return Linking("_list", "List", item.paths, (condition(asked.led_to("List", "_id")),))


def modifiers(parameter: Parameter) -> list[str]:
    """The modifiers that a parameter takes."""
    targets = list(parameter.targets or ("[type]",)) if parameter.type == "reference" else []
    if parameter.code in TEXT_OF:
        return ["missing"]
    return ["missing", *MODIFIED.get(kind_of(parameter), ()), *targets]


def _no_modifier(parameter: Parameter, modifier: str) -> str:
    valid = nearest(modifier, modifiers(parameter))
    return f"{parameter.code}:{modifier[:80]} is not served; {parameter.code} takes {', '.join(valid)}."
