"""Dates that move."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.errors import Unmappable
from ecluse.core.fhir import dates as fhir_dates
from mappers.hub.dates import birth, last_day, shifted
from tests.unit.mappers.hub.given import keys

DAYS = st.integers(-364, 364)
INSTANTS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1))
OFFSETS = st.sampled_from(["Z", "+00:00", "+01:00", "+02:00", "-03:30", "+14:00", "-12:00"])


@pytest.mark.parametrize(
    ("text", "days", "moved"),
    [
        ("2024-02-28", 2, "2024-03-01"),
        ("2024-01-15", -15, "2023-12-31"),
        ("2024-01", 20, "2024-02"),
        ("2024-01", 14, "2024-01"),
        ("2024", 182, "2024"),
        ("2024", 183, "2025"),
        ("2024", -184, "2023"),
        ("2024-03-31T00:30:15+01:00", 1, "2024-03-31T23:30:15Z"),
        ("2024-03-31T12:00:00.120Z", 1, "2024-04-01T12:00:00.120Z"),
        ("2024-03-31T12:00:00-05:00", -1, "2024-03-30T17:00:00Z"),
        ("2016-12-31T23:59:60Z", 10, "2017-01-10T23:59:59Z"),
    ],
)
def test_a_date_moves_at_its_own_precision(text: str, days: int, moved: str) -> None:
    assert shifted(text, days) == moved


UNKNOWN = ["1900-01-01", "1900", "0001-01-01", "1970-01-01", "1970-01-01T00:00:00Z", "9999-12-31", "9999", "2200-01-01"]


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_sign_for_unknown_does_not_show_the_shift(text: str) -> None:
    assert shifted(text, 100) is None


@pytest.mark.parametrize("text", ["2023-02-30", "2023-13", "2023-01-01T25:00:00Z", "hier"])
def test_a_date_that_is_none_is_a_dead_letter_without_content(text: str) -> None:
    with pytest.raises(Unmappable, match=r"^a date is not one of the calendar$"):
        shifted(text, 1)


@given(INSTANTS, OFFSETS, INSTANTS, OFFSETS, DAYS)
def test_the_interval_between_two_instants_stays(
    first: datetime, z1: str, second: datetime, z2: str, days: int
) -> None:
    texts = [f"{moment.isoformat(timespec='milliseconds')}{zone}" for moment, zone in ((first, z1), (second, z2))]
    before = [fhir_dates.bounds(text)[0] for text in texts]
    after = [fhir_dates.bounds(text)[0] for text in (shifted(text, days) for text in texts) if text]
    if len(after) == 2:
        assert after[1] - after[0] == before[1] - before[0]
        assert (after[0] - before[0]).days == days and (after[0] - before[0]).seconds == 0


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)), DAYS)
def test_a_day_there_and_back_is_the_same_day(day: date, days: int) -> None:
    moved = shifted(day.isoformat(), days)
    assert moved is None or shifted(moved, -days) in (day.isoformat(), None)


@pytest.mark.parametrize("low,high", [(-364, 364), (1, 30), (-7, -1), (-1, 1), (0, 3)])
def test_shifts_are_in_their_range_never_zero_and_use_all_of_it(low: int, high: int) -> None:
    found = {keys().shift_days(person, low, high) for person in range((high - low + 1) * 15)}
    assert found == set(range(low, high + 1)) - {0}


def test_a_persons_shift_is_constant_and_is_another_in_another_project() -> None:
    mine = [keys("asthme").shift_days(person, -364, 364) for person in range(50)]
    assert mine == [keys("asthme").shift_days(person, -364, 364) for person in range(50)]
    others = [keys("covid").shift_days(person, -364, 364) for person in range(50)]
    assert sum(a == b for a, b in zip(mine, others, strict=True)) <= 3


def test_age_is_capped_at_90_and_a_month_of_birth_then_stays() -> None:
    at = date(2026, 1, 1)
    assert birth("1936-06-15", 0, at, "month") == "1936"
    assert birth("1937-06-15", 0, at, "month") == "1937-06"
    assert birth("1911", -300, at, "year") == "1936"


def test_the_last_day_of_a_date() -> None:
    told = ("2024", "2024-02", "2024-02-03T10:00:00Z")
    assert [last_day(text) for text in told] == ["2024-12-31", "2024-02-31", "2024-02-03"]
