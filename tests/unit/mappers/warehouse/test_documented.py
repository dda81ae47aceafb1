"""docs/warehouse.md names every mapped type, every reason and every concept that is written in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mappers.warehouse import concepts, record
from mappers.warehouse.mapping import MAPPERS

PAGE = (Path(__file__).parents[4] / "docs" / "warehouse.md").read_text("utf-8")
SOURCES = Path(record.__file__).parent.glob("*.py")
REASONS = {reason for path in SOURCES for reason in re.findall(r'Excluded\("([^"]+)"\)', path.read_text("utf-8"))}


@pytest.mark.parametrize("resource_type", sorted(MAPPERS))
def test_every_mapped_type_is_on_the_page(resource_type: str) -> None:
    assert resource_type in PAGE


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_is_on_the_page(reason: str) -> None:
    assert reason in PAGE or reason.split()[0] in ("status", "verificationStatus")


@pytest.mark.parametrize(
    "reason", [record.NO_PATIENT, record.NO_DATE, record.NO_CODE, record.TEXT_ONLY, record.FREE_VALUE]
)
def test_every_common_reason_is_on_the_page(reason: str) -> None:
    assert f"`{reason}`" in PAGE.replace("\n", " ")


def test_every_visit_and_type_concept_is_on_the_page() -> None:
    written = {
        *concepts.VISIT.values(),
        *concepts.GENDER.values(),
        *concepts.MEASUREMENT.values(),
        *concepts.ALLERGY.values(),
    }
    written |= {concepts.EHR, concepts.EHR_ADMINISTRATION, concepts.EHR_DISPENSING, concepts.EHR_PRESCRIPTION}
    written |= {concepts.PATIENT_REPORTED, concepts.STILL_PATIENT, *concepts.EVENT_FIELD.values()}
    assert [concept for concept in sorted(written) if str(concept) not in PAGE] == []
