"""Golden pairs: a resource, and all that it gives in the warehouse, compared whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mappers.warehouse.mapping import MAPPERS
from mappers.warehouse.tables import MAPPED, TABLES
from tests.unit.mappers.warehouse.golden import CASES, FOLDER, expected, given

REQUIRED = {name: {column.name for column in TABLES[name].columns if column.required} for name in MAPPED}
FILLED_BY_SINK = {"person_id", "visit_occurrence_id"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_the_mapper_gives_the_golden_rows(case: Path) -> None:
    assert given(case) == json.loads(expected(case).read_text("utf-8"))


def test_cases_were_found_for_every_mapper() -> None:
    assert {case.parent.name for case in CASES} == set(MAPPERS)
    assert len(CASES) > 135
    assert sorted(FOLDER.glob("*/*.rows.json")) == sorted(map(expected, CASES))


@pytest.mark.parametrize("change", ["measurement", "2160-0", "9201", "status planned"])
def test_the_comparison_fails_on_a_wrong_pair(change: str) -> None:
    pairs = [(case, expected(case).read_text("utf-8")) for case in CASES]
    case, wrong = next((case, text.replace(change, "1")) for case, text in pairs if change in text)
    assert given(case) != json.loads(wrong)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_every_required_column_is_filled(case: Path) -> None:
    for row in given(case).get("rows", []):
        missing = REQUIRED[row["table"]] - row["values"].keys() - FILLED_BY_SINK
        assert missing <= {TABLES[row["table"]].key}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_nothing_that_somebody_typed_is_copied(case: Path) -> None:
    assert "Dupont" not in expected(case).read_text("utf-8")
