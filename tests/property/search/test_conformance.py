"""The table of docs/search.md is the one that the tests are run by, and each test that it names exists."""

from __future__ import annotations

import subprocess
import sys

from tests.property.search import awaited, conformance
from tests.property.search.query_values import MODIFIED

FOLDER = "tests/property/search"


def test_the_document_has_the_table() -> None:
    text = conformance.DOCUMENT.read_text()
    assert text == conformance.written(text), f"run python -m {conformance.__name__}"


def test_every_test_that_the_table_names_exists() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", "", "-p", "no:cacheprovider", FOLDER]
    root = conformance.DOCUMENT.parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    collected = {line.removeprefix(f"{FOLDER}/") for line in done.stdout.splitlines() if "::" in line}
    known = collected | {name.partition("[")[0] for name in collected}
    assert collected
    assert {row.test for row in conformance.rows()} <= known


def test_every_search_type_of_the_specification_has_rows() -> None:
    kinds = {"string", "token", "reference", "date", "number", "quantity", "uri", "composite", "special"}
    assert set(MODIFIED) == kinds - {*awaited.KINDS} == {row.type for row in conformance.rows()} - {"all"}
