"""Units of UCUM: what they measure, and exact conversions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.fhir.ucum import converted, unit

EQUAL = [
    ("1", "g", "1000", "mg"),
    ("1", "kg", "1000000000", "ug"),
    ("1", "10*9/L", "1", "10*3/uL"),
    ("1", "10^9/L", "1000", "10*6/L"),
    ("1", "mm[Hg]", "133.322", "Pa"),
    ("120", "mm[Hg]", "12", "cm[Hg]"),
    ("98.6", "[degF]", "37", "Cel"),
    ("0", "Cel", "273.15", "K"),
    ("5", "mg/dL", "50", "mg/L"),
    ("60", "/min", "1", "/s"),
    ("60", "{beats}/min", "1", "Hz"),
    ("100", "%", "1", "1"),
    ("3", "{score}", "3", "1"),
    ("1", "kg/m2", "0.1", "g/cm2"),
    ("1", "[in_i]", "2.54", "cm"),
    ("1", "[lb_av]", "453.59237", "g"),
    ("1", "h", "3600", "s"),
    ("1", "a", "365.25", "d"),
    ("1", "mmol/L", "1", "mol/m3"),
    ("7", "U/L", "7000", "mU/L"),
    ("1", "k[iU]/mL", "1000", "[iU]/mL"),
    ("1", "mL/min/{1.73_m2}", "1", "mL/min"),
    ("1", "g/(24.h)", "1", "g/d"),
]


@pytest.mark.parametrize(("one", "unit_of_one", "other", "unit_of_other"), EQUAL)
def test_the_same_in_two_units_is_the_same(one: str, unit_of_one: str, other: str, unit_of_other: str) -> None:
    first, second = unit(unit_of_one), unit(unit_of_other)
    assert first is not None
    assert second is not None
    assert first.base == second.base
    assert converted(Decimal(one), first) == converted(Decimal(other), second)


@pytest.mark.parametrize(
    ("one", "other"), [("g", "m"), ("mol/L", "g/L"), ("[iU]/L", "U/L"), ("Cel", "%"), ("mm[Hg]", "mm"), ("s", "/s")]
)
def test_what_is_not_the_same_kind_has_another_base(one: str, other: str) -> None:
    first, second = unit(one), unit(other)
    assert first is not None
    assert second is not None
    assert first.base != second.base


@pytest.mark.parametrize(
    "code",
    [
        "",
        "mgg",
        "mmHg",
        "beats",
        "g/",
        "(g",
        "g)",
        "g..m",
        "[pH]",
        "B[SPL]",
        "Cel/m",
        "0",
        "µg",
        "g" * 101,
        "m999999",
        "m/0",
    ],
)
def test_what_ucum_does_not_have_or_does_not_scale_is_no_unit(code: str) -> None:
    assert unit(code) is None


def test_an_open_end_stays_open() -> None:
    grams = unit("g")
    assert grams is not None
    assert converted(Decimal("Infinity"), grams) == Decimal("Infinity")


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    unit(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_thousandth_of_a_thousandfold_is_the_same(value: Decimal) -> None:
    grams, milligrams = unit("g"), unit("mg")
    assert grams is not None
    assert milligrams is not None
    assert converted(value, grams) == converted(value * 1000, milligrams)
