"""What a log line may hold: named facts, and none of a patient."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecluse.core.log import FIELDS, Log

ROOT = Path(__file__).parents[3]
ROOMS = ("ecluse", "fhir_server", "consumers", "portal")


def lines_logged(file: Path) -> Iterator[tuple[int, set[str]]]:
    """The line and the names of the facts of each call of a log."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id in ("log", "logger"):
            yield node.lineno, {word.arg for word in node.keywords if word.arg}


def test_every_fact_that_is_logged_may_be() -> None:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    calls = [(f"{file.name}:{line}", names) for file in files for line, names in lines_logged(file)]
    assert len(calls) > 50
    assert {place: names - FIELDS for place, names in calls if names - FIELDS} == {}


def test_another_fact_is_refused() -> None:
    with pytest.raises(ValueError, match="patient"):
        Log("x").info("seen", patient="1")
