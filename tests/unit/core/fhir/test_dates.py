"""Dates as intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.dates import EARLIEST, LATEST, bounds

END = "9999-12-31T23:59:59.999999"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2018", "2018-01-01T00:00:00", "2019-01-01T00:00:00"),
        ("2018-05", "2018-05-01T00:00:00", "2018-06-01T00:00:00"),
        ("2018-12", "2018-12-01T00:00:00", "2019-01-01T00:00:00"),
        ("2020-02-29", "2020-02-29T00:00:00", "2020-03-01T00:00:00"),
        ("2018-05-12T10:20", "2018-05-12T10:20:00", "2018-05-12T10:21:00"),
        ("2018-05-12T10:20+02:00", "2018-05-12T08:20:00", "2018-05-12T08:21:00"),
        ("2018-05-12T10:20:30", "2018-05-12T10:20:30", "2018-05-12T10:20:31"),
        ("2018-05-12T10:20:30Z", "2018-05-12T10:20:30", "2018-05-12T10:20:31"),
        ("2018-05-12T00:20:30+02:00", "2018-05-11T22:20:30", "2018-05-11T22:20:31"),
        ("2018-05-12T10:20:30-14:00", "2018-05-13T00:20:30", "2018-05-13T00:20:31"),
        ("2018-05-12T10:20:30.5Z", "2018-05-12T10:20:30.500000", "2018-05-12T10:20:30.600000"),
        ("2018-05-12T10:20:30.123Z", "2018-05-12T10:20:30.123000", "2018-05-12T10:20:30.124000"),
        ("2018-05-12T10:20:30.123456789Z", "2018-05-12T10:20:30.123456", "2018-05-12T10:20:30.123457"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00", "2017-01-01T00:00:01"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000", "2017-01-01T00:00:00.260000"),
        ("0001", "0001-01-01T00:00:00", "0002-01-01T00:00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "0001-01-01T00:00:01"),
        ("9999", "9999-01-01T00:00:00", END),
        ("9999-12", "9999-12-01T00:00:00", END),
        ("9999-12-31", "9999-12-31T00:00:00", END),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59", END),
        ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59", END),
        ("9999-12-31T23:59:59-10:00", "9999-12-31T23:59:58.999999", END),
    ],
)
def test_a_date_covers_an_interval_of_utc(text: str, low: str, high: str) -> None:
    assert bounds(text) == (datetime.fromisoformat(low + "+00:00"), datetime.fromisoformat(high + "+00:00"))


NO_DATES = """|18|2018-1|2018-13|2018-00|2018-02-30|1900-02-29|0000|20180501\
|2018-W01|2018-05-12T|x|٢٠١٨|2018\n|2018-05-00|2018-05-12T10\
|2018-05-12T24:00:00Z|2018-05-12 10:20:30Z|2018-05-12T10:60:00Z|2018-05-12T10:20:61Z|2018-05-12T10:20:30+15:00\
|2018-05-12T10:20:30.Z|2018-05-12t10:20:30z|2018-02-30T10:20:30Z|2018-05-12T10:20:30Z |-2018|2018-05-12T10:20:30+0200"""


@pytest.mark.parametrize("text", NO_DATES.split("|"))
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Unprocessable):
        bounds(text)


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_an_instant_lies_in_its_own_interval(moment: datetime, offset: int, precision: str) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    low, high = bounds(aware.isoformat(timespec=precision))
    assert low <= aware < high
    assert low.tzinfo is UTC and high.tzinfo is UTC


@given(st.dates())
def test_a_day_lies_in_its_month_and_a_month_in_its_year(day: object) -> None:
    text = str(day)
    year, month, date = bounds(text[:4]), bounds(text[:7]), bounds(text)
    assert EARLIEST <= year[0] <= month[0] <= date[0] < date[1] <= month[1] <= year[1] <= LATEST
