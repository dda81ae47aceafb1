"""The same results as fhirpathpy, for the search parameters of R4 on one official example of each type."""

from __future__ import annotations

import json as standard
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath import temporal
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.nodes import Node, system
from tests.official import official_files

MOST_BYTES = 8_000
"""Of a resource: fhirpathpy is slow."""


@cache
def parameters() -> tuple[tuple[str, str], ...]:
    """Type and expression of each search parameter of the package."""
    found = set()
    for path in official_files():
        if path.name.startswith("SearchParameter-"):
            parameter = standard.loads(path.read_bytes())
            found |= {
                (base, parameter["expression"]) for base in parameter.get("base", []) if "expression" in parameter
            }
    return tuple(sorted(found))


def examples() -> Iterator[tuple[str, bytes]]:
    """A small example of each type, the first that has most elements."""
    best: dict[str, tuple[int, bytes]] = {}
    for path in official_files():
        data = path.read_bytes()
        kind = path.name.partition("-")[0]
        if kind in structures().resources and len(data) <= MOST_BYTES:
            size = len(standard.loads(data))
            if size > best.get(kind, (0, b""))[0]:
                best[kind] = (size, data)
    return ((kind, data) for kind, (_, data) in sorted(best.items()))


def plain(value: Any) -> Any:
    """A result in the words of JSON."""
    if isinstance(value, Node):
        inner = system(value) if value.member.primitive else value.value
        value = value.value if isinstance(inner, temporal.Temporal) else inner
    value = json.plain(value)
    if isinstance(value, Node):
        return None
    return json_like(value)


def json_like(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: json_like(member) for name, member in value.items()}
    if isinstance(value, list):
        return [json_like(item) for item in value]
    return float(value) if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else value


def differences(kind: str, data: bytes) -> list[str]:
    """The expressions that come out otherwise than in fhirpathpy."""
    ours, theirs = json.decode(data), standard.loads(data)
    wrong = []
    for base, expression in parameters():
        if base in (kind, "Resource", "DomainResource"):
            found = [plain(item) for item in compile(expression)(ours)]
            wanted = oracle(theirs, expression)
            if wanted is not None and found != wanted:
                wrong.append(expression)
    return wrong


def oracle(resource: Any, expression: str) -> list[Any] | None:
    """What fhirpathpy finds; None where it has not the function, or refuses `as` on several items."""
    if "resolve()" in expression or "hasExtension(" in expression:
        return None
    try:
        return json_like(fhirpathpy.evaluate(resource, expression, {}, models["r4"]))
    except ValueError as error:
        assert "left side of 'as'" in str(error)
        return None


DIFFERENT = {"Resource.id", "Resource.meta.lastUpdated", "Resource.meta.profile"}
"""fhirpathpy does not know that a Patient is a Resource."""


def test_search_parameters_find_what_fhirpathpy_finds() -> None:
    found = [(kind, one) for kind, data in examples() for one in differences(kind, data)]
    assert {one for _, one in found} == DIFFERENT, found


def test_there_is_an_example_of_nearly_every_type() -> None:
    assert len(list(examples())) > 120
    assert len(parameters()) > 1300


def test_a_wrong_expression_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    data = next(data for kind, data in examples() if kind == "Patient")
    monkeypatch.setattr(fhirpathpy, "evaluate", lambda *given: ["wrong"])
    assert differences("Patient", data)
