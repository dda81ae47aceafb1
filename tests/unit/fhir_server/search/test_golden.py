"""The SQL of searches, whole, as text: see tests/golden/search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fhir_server.search.golden import FOLDER, Case, cases, compiled, rendered

FILES = sorted(FOLDER.glob("*.txt"))
CASES = [case for file in FILES for case in cases(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.function} {case.type}?{case.query}")
def test_a_query_becomes_its_statement(case: Case) -> None:
    assert rendered(compiled(case)) == rendered(case)


def test_the_runner_found_its_cases() -> None:
    assert len(CASES) >= 40
    assert {case.function for case in CASES} == {"few", "many", "gathered", "counts", "count", "matches"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_line_of_a_file_belongs_to_a_case(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "\n".join(rendered(case) for case in cases(text)) == text


def test_a_wrong_statement_is_noticed() -> None:
    case = CASES[0]
    assert rendered(compiled(case)) != rendered(case._replace(sql=case.sql.replace("site = 1", "site = 2")))
    assert rendered(compiled(case)) != rendered(case._replace(arguments="[]"))


def test_no_text_of_a_client_stands_in_a_statement() -> None:
    for case in CASES:
        assert "'" not in case.sql
        assert '"' not in case.sql.replace('COLLATE "C"', "")
