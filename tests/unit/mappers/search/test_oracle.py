"""The compiled walk takes from every resource what fhirpathpy takes with the official expressions."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.core.fhir import json as exact
from ecluse.core.fhir.types import number_of
from mappers.search.index import IndexRows, index_rows
from mappers.search.registry import searchable
from mappers.search.rows import LONGEST
from tests.official import official_files
from tests.unit.mappers.search import oracle

LARGEST_BYTES = 30_000
DEFINITIONS = ("CodeSystem-", "ValueSet-", "SearchParameter-", "StructureDefinition-", "ConceptMap-")


@cache
def examples() -> dict[str, list[bytes]]:
    """Official resources that are not too long, by type."""
    found: dict[str, list[bytes]] = {}
    for file in official_files():
        name = file.name.partition("-")[0]
        if name in number_of and file.stat().st_size < LARGEST_BYTES and len(found.get(name, ())) < 40:
            found.setdefault(name, []).append(file.read_bytes())
    return found


def of_parameter(rows: IndexRows, numbers: tuple[int, ...]) -> set[tuple[Any, ...]]:
    """Without path and item."""
    return {row[1 if kind is rows.strings else 2 :] for kind in rows for row in kind if row[0] in numbers}


def differences(data: bytes) -> dict[str, tuple[set[Any], set[Any]]]:
    """Parameters on which the two disagree: rows that only the walk has, and rows that only the oracle has."""
    resource = json.loads(data, parse_float=Decimal)
    resource_type = resource["resourceType"]
    rows = index_rows(resource_type, exact.decode(data))
    found = {}
    for parameter in searchable(resource_type):
        if parameter.paths and parameter.url in oracle.expressions():
            expected = oracle.rows(parameter.url, parameter.type, resource)
            got = of_parameter(rows, parameter.paths)
            if {row for row in got if _is_short(row)} != {row for row in expected if _is_short(row)}:
                found[f"{resource_type}.{parameter.code}"] = (got - expected, expected - got)
    return found


def _is_short(row: tuple[Any, ...]) -> bool:
    return all(len(part) <= LONGEST for part in row if isinstance(part, str)) and "…" not in str(row[-1])


@pytest.mark.parametrize("resource_type", number_of)
def test_official_examples_give_the_same_rows(resource_type: str) -> None:
    for data in examples().get(resource_type, ()):
        assert differences(data) == {}


@settings(max_examples=200)
@given(st.data())
def test_examples_with_members_left_out_give_the_same_rows(data: st.DataObject) -> None:
    resource_type = data.draw(st.sampled_from(sorted(examples())))
    resource = json.loads(data.draw(st.sampled_from(examples()[resource_type])))
    seed = data.draw(st.randoms(use_true_random=False))
    assert differences(json.dumps(pruned(resource, seed)).encode()) == {}


def pruned(value: Any, seed: Random) -> Any:
    """The same value without about every eighth member and item."""
    if isinstance(value, dict):
        kept = {
            name: member for name, member in value.items() if name in ("resourceType", "url") or seed.random() > 0.12
        }
        return {name: pruned(member, seed) for name, member in kept.items()}
    if isinstance(value, list):
        return [pruned(item, seed) for item in value if seed.random() > 0.12]
    return value


def test_the_comparison_fails_on_a_wrong_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(oracle.READERS, "token", lambda value: [(0, "wrong")])
    assert differences(examples()["Patient"][0])


def test_most_paths_are_met_by_the_examples() -> None:
    met = {row[0] for datas in examples().values() for data in datas for kind in _rows(data) for row in kind}
    assert len(met) > 1000


def _rows(data: bytes) -> IndexRows:
    resource = exact.decode(data)
    return index_rows(resource["resourceType"], resource)
