"""fhir_server/search/spellings.py: a code in parts that have one letter each."""

from __future__ import annotations

import pytest

from fhir_server.search.spellings import parts_of


@pytest.mark.parametrize(
    ("code", "small", "large"),
    [
        ("E11.9a", ["e11.9", "a"], ["E11.9", "A"]),
        ("1-aB2", ["1-a", "b2"], ["1-A", "B2"]),
        ("éß", ["éß"], ["Éß"]),
        ("12", ["12"], ["12"]),
    ],
)
def test_each_part_has_one_letter_in_both_cases(code: str, small: list[str], large: list[str]) -> None:
    assert parts_of(code) == (small, large)
