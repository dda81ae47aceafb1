"""Pairs of what is given and what leaves, compared whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from mappers.hub.pseudonymise import LeftOut, pseudonymise
from mappers.hub.rules import rules
from tests.unit.mappers.hub.given import context

FOLDER = Path(__file__).parents[3] / "golden" / "hub"
CASES = sorted(FOLDER.glob("*.json"))
CANARIES = (
    "moreau",
    "jeanne",
    "lorient",
    "lilas",
    "56100",
    "0612345678",
    "06 12",
    "256035612345678",
    "0012345",
    "gall",
)


def read(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.decode(file.read_bytes())
    return case


def result(case: dict[str, Any]) -> Any:
    given = {name: tuple(value) if name == "bases" else value for name, value in case.get("project", {}).items()}
    made = pseudonymise(case["given"], context(**given))
    return {"left_out": made.reason} if isinstance(made, LeftOut) else {"leaves": made}


def expected(case: dict[str, Any]) -> dict[str, Any]:
    return {name: case[name] for name in ("leaves", "left_out") if name in case}


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_what_leaves_is_what_the_golden_file_says(file: Path) -> None:
    case = read(file)
    assert json.encode(result(case)) == json.encode(expected(case)), case["about"]


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_given_and_left_are_resources_of_r4(file: Path) -> None:
    case = read(file)
    for resource in (case["given"], case.get("leaves")):
        if resource is not None:
            assert accept(resource["resourceType"], json.encode(resource))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_no_word_of_the_canary_leaves(file: Path) -> None:
    text = json.encode(result(read(file))).decode().lower()
    assert [canary for canary in CANARIES if canary in text] == []


def test_every_type_has_cases_and_they_hold_the_canary() -> None:
    cases = [read(file) for file in CASES]
    assert {case["given"]["resourceType"] for case in cases} == set(rules())
    assert len(cases) >= 24
    given = json.encode([case["given"] for case in cases]).decode().lower()
    assert [canary for canary in CANARIES if canary not in given] == []


def test_the_comparison_fails_on_a_wrong_case() -> None:
    case = read(FOLDER / "observation-quantity.json")
    wrong = json.decode(json.encode(expected(case)).replace(b"4.50", b"4.5"))
    assert json.encode(result(case)) != json.encode(wrong)


def test_mapping_twice_is_mapping_once() -> None:
    for file in CASES:
        case = read(file)
        before = json.encode(case["given"])
        assert json.encode(result(case)) == json.encode(result(case))
        assert json.encode(case["given"]) == before
