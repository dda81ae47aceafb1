"""What a SearchParameter asks for, in the terms of this server.

Enters: the resource. Leaves: for each resource type the paths that are read, or the error that names every place of the
resource that cannot be served, and why. Which other parameters there are, it is told.
Spec: http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.definitions.search_parameters import Parameter
from ecluse.core.fhir.types import number_of
from mappers.search.composed import Known, composed
from mappers.search.composite import by_url
from mappers.search.reading import EVERY, Reading, readings
from mappers.search.walk import READERS
from mappers.search.words import TEXT_OF

UNIQUE = "urn:ecluse:StructureDefinition:unique"
"""The extension, a boolean, that says that no two resources of a type in a site may have the same value."""
NO_DOMAIN = frozenset({"Bundle", "Parameters", "Binary"})
"""Resource types that are no DomainResource."""
MADE = (*(kind for kind in READERS if kind != "special"), "composite")
"""The search types that a parameter may have."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Definition(NamedTuple):
    """A SearchParameter that can be served. readings: by resource type"""

    code: str
    kind: str
    url: str
    unique: bool
    readings: dict[str, Reading]


def of_r4(url: str) -> Parameter | None:
    """R4's own parameter of a canonical address."""
    return by_url().get(url)


def definition(resource: dict[str, Any], place: str = "SearchParameter", known: Known = of_r4) -> Definition:
    """What the resource asks for.

    known: the parameters that parts of a composite may be defined by
    Raises: Unprocessable (422) with every place that cannot be served
    """
    if resource["code"] in TEXT_OF:
        return _of_words(resource, place)
    issues = list(_issues(resource, place))
    types = tuple(_types(resource, place, issues))
    if issues:
        raise Unprocessable(issues=issues)
    kind, declared = resource["type"], tuple(resource.get("target", ()))
    if kind == "composite":
        found = composed(resource, types, known, place)
    else:
        found = readings(resource["expression"], kind, types, declared, place)
    return Definition(resource["code"], kind, resource.get("url", ""), _is_unique(resource), found)


def _of_words(resource: dict[str, Any], place: str) -> Definition:
    """`_text` or `_content`, as R4 defines them: without expression. Raises: Unprocessable (422)"""
    code, kind, issues = resource["code"], resource["type"], list[Issue]()
    if kind not in ("string", "special"):
        issues.append(Issue(f"{code} is of the type string.", f"{place}.type", kind, "value"))
    if "expression" in resource:
        text = f"Leave the expression out: {code} has none."
        issues.append(Issue(text, f"{place}.expression", resource["expression"], "value"))
    types = [name for name in _types(resource, place, issues) if code != "_text" or name not in NO_DOMAIN]
    if not types and not issues:
        issues.append(Issue("These types have no narrative.", f"{place}.base", ", ".join(resource["base"]), "value"))
    if issues:
        raise Unprocessable(issues=issues)
    reading = Reading((), TEXT_OF[code], ())
    return Definition(code, "string", resource.get("url", ""), False, dict.fromkeys(types, reading))


def _issues(resource: dict[str, Any], place: str) -> Iterator[Issue]:
    """What is wrong beside base and expression."""
    kind, code = resource["type"], resource["code"]
    if not _CODE.fullmatch(code):
        text = "A code has up to 64 letters, digits, - and _, a letter first; those with _ in front are FHIR's."
        yield Issue(text, f"{place}.code", code, "value")
    if kind not in MADE:
        text = f"{kind} parameters cannot be made at run time here; write one of {', '.join(MADE)}."
        yield Issue(text, f"{place}.type", kind, "not-supported")
    if kind != "token" and _is_unique(resource):
        text = "Only token parameters can be unique: make it one, or leave the extension out."
        yield Issue(text, f"{place}.extension", UNIQUE, "value")
    if "expression" not in resource:
        yield Issue("Write the FHIRPath of what is to be indexed.", f"{place}.expression", "", "required")
    for at, name in enumerate(resource.get("target", ())):
        if name not in number_of:
            yield Issue("R4 has no such resource type.", f"{place}.target[{at}]", name, "code-invalid")


def _is_unique(resource: dict[str, Any]) -> bool:
    found = [one for one in resource.get("extension", ()) if one.get("url") == UNIQUE]
    return any(one.get("valueBoolean") is True for one in found)


def _types(resource: dict[str, Any], place: str, issues: list[Issue]) -> Iterator[str]:
    """The types of all bases, each once."""
    found: dict[str, None] = {}
    for at, base in enumerate(resource["base"]):
        if base in EVERY:
            found.update(dict.fromkeys(name for name in number_of if base == "Resource" or name not in NO_DOMAIN))
        elif base in number_of:
            found[base] = None
        else:
            issues.append(Issue("R4 has no such resource type.", f"{place}.base[{at}]", base, "code-invalid"))
    yield from found
