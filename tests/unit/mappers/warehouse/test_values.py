"""Dates, numbers, codes, units, places and references: what is taken, and what is left out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.fhir.json import decode
from mappers.warehouse import coding, dates, location, quantity, references
from mappers.warehouse.record import Code, Context, row
from mappers.warehouse.references import Target
from tests.canary import TEXT, WORDS


@pytest.mark.parametrize(
    ("text", "day", "time"),
    [
        ("2026", date(2026, 1, 1), None),
        ("2026-02", date(2026, 2, 1), None),
        ("2026-02-03", date(2026, 2, 3), datetime(2026, 2, 3)),
        ("2026-02-03T00:30:00+01:00", date(2026, 2, 2), datetime(2026, 2, 2, 23, 30)),
        ("2026-02-03T08:00:00.123Z", date(2026, 2, 3), datetime(2026, 2, 3, 8, 0, 0, 123000)),
        ("2016-12-31T23:59:60Z", date(2016, 12, 31), datetime(2016, 12, 31, 23, 59, 59)),
    ],
)
def test_a_moment_is_in_utc_and_has_a_time_when_its_day_is_known(text: str, day: date, time: datetime | None) -> None:
    assert dates.moment(text) == (day, time)


def test_the_end_of_a_month_or_year_is_its_last_day() -> None:
    assert dates.moment("2024-02", last=True) == (date(2024, 2, 29), None)
    assert dates.moment("2024", last=True) == (date(2024, 12, 31), None)


@pytest.mark.parametrize(
    "text", ["", None, "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-12:00", "2026-13", "yesterday"]
)
def test_what_no_calendar_holds_is_no_moment(text: str | None) -> None:
    assert dates.moment(text) is None


def test_a_supply_that_ends_after_the_calendar_has_no_end() -> None:
    assert dates.supplied(dates.Moment(date(9999, 12, 30), None), 30) is None


@given(st.integers(), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact_or_left_out(whole: int, fraction: Decimal) -> None:
    found = quantity.integer(whole)
    assert found == whole if abs(whole) <= quantity.INTEGER else found is None
    exact = quantity.decimal(msgspec.Raw(str(fraction).encode()))
    assert exact is None or exact == fraction


@pytest.mark.parametrize("lexeme", ["1e400", "1E+99999999999", "1e-400", "0." + "1" * 200])
def test_a_number_that_no_column_takes_is_left_out(lexeme: str) -> None:
    assert quantity.decimal(msgspec.Raw(lexeme.encode())) is None


def test_the_lexeme_of_a_number_is_kept() -> None:
    assert quantity.lexeme(decode(b"[1.00]")[0]) == "1.00"


@pytest.mark.parametrize("unit", ["mg/L", "x10^9/L", "mmHg", "g", "%", "µmol/L", "mL/min", "°C", "UI/L", "10*3/uL"])
def test_a_written_unit_is_taken_when_it_is_made_of_units(unit: str) -> None:
    assert coding.unit({"value": 1, "unit": unit}) == unit


@pytest.mark.parametrize("unit", [TEXT, *WORDS.values(), "Dupont", "mg pour Mme Dupont", "comprimé de Jeanne"])
def test_a_written_unit_is_left_out_when_it_holds_anything_else(unit: str) -> None:
    assert coding.unit({"value": 1, "unit": unit}) is None or unit.isdigit()


@pytest.mark.parametrize("code", [TEXT, "Dupont", "DUPONT", WORDS["ins"], WORDS["ipp"], WORDS["telephone"], "2 rue X"])
def test_a_code_without_a_system_is_taken_only_when_it_can_be_nothing_else(code: str) -> None:
    assert coding.plausible({"code": code}) is None
    assert coding.plausible({"code": "LOC-12"}) == Code("", "LOC-12")


@given(st.text(max_size=80))
def test_no_code_holds_a_space_whatever_is_written(text: str) -> None:
    found = coding.plausible({"system": "urn:x", "code": text})
    assert found is None or not any(char.isspace() for char in found.code)


def test_standard_systems_come_first_then_the_users_choice_then_the_order() -> None:
    local, chosen = {"system": "urn:x", "code": "a"}, {"system": "urn:y", "code": "b", "userSelected": True}
    loinc = {"system": "http://loinc.org", "code": "c"}
    assert coding.source({"coding": [local, chosen, loinc]}) == "c"
    assert coding.source({"coding": [local, chosen]}) == "b"
    assert coding.source([{"coding": [local]}, {"coding": [{**local, "code": "d"}]}]) == "a"


@pytest.mark.parametrize(
    "city", ["Rennes", "Saint-Denis", "L'Haÿ-les-Roses", "Lyon 03", "PARIS CEDEX 12", "Paris 12e arrondissement", "Y"]
)
def test_a_commune_is_taken(city: str) -> None:
    place = location.place([{"city": city}])
    assert place is not None
    assert place.values["city"] == city


@pytest.mark.parametrize(
    "city", [TEXT, "12 rue des Lilas", "Rennes, 12 rue X", "chez 0612345678", "260058815400233", "R" * 51]
)
def test_what_is_not_the_name_of_a_commune_is_left_out(city: str) -> None:
    assert location.place([{"city": city}]) is None


@pytest.mark.parametrize(
    ("postal_code", "county"), [("35000", "35"), ("20100", "2A"), ("20200", "2B"), ("97400", "974"), ("98800", "988")]
)
def test_the_departement_is_that_of_the_postal_code(postal_code: str, county: str) -> None:
    place = location.place([{"postalCode": postal_code, "line": ["12 rue des Lilas"]}])
    assert place is not None
    assert (place.values["state"], place.values["county"]) == (county[:2], county)
    assert postal_code not in place.values.values()


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Patient/1", Target("Patient", "1")),
        ("Patient/1/_history/2", Target("Patient", "1")),
        ("https://here.example.org/fhir/Patient/1", Target("Patient", "1")),
        ("https://there.example.org/fhir/Patient/1", None),
        ("#p", None),
        ("urn:uuid:c757873d-ec9a-4326-a141-556f43239520", None),
        ("Patient?identifier=1", None),
        (None, None),
    ],
)
def test_a_reference_points_to_a_resource_of_this_site_or_to_nothing(
    reference: str | None, found: Target | None
) -> None:
    context = Context(bases=("https://here.example.org/fhir/",))
    assert references.target({"reference": reference, "display": TEXT}, context) == found


def test_source_values_are_cut_and_other_texts_left_out_when_too_long() -> None:
    values: dict[str, Any] = {
        "care_site_name": "n" * 256,
        "place_of_service_source_value": "p" * 51,
        "place_of_service_concept_id": None,
    }
    assert row("care_site", values).values == {"place_of_service_source_value": "p" * 50}
