"""Dates hang together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from ecluse.cli.synth import moments
from tests.unit.cli.synth.conftest import UNTIL, Made, moment

OF_AN_ENCOUNTER = {
    "Observation": "effectiveDateTime",
    "DiagnosticReport": "effectiveDateTime",
    "Procedure": "performedDateTime",
    "MedicationAdministration": "effectiveDateTime",
    "MedicationRequest": "authoredOn",
    "ImagingStudy": "started",
}
DATE = re.compile(r"\d{4}-\d\d-\d\d(T[\d:]+[+-]\d\d:\d\d)?")


def _dates(value: Any) -> Iterator[datetime]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _dates(member)
    elif isinstance(value, list):
        for item in value:
            yield from _dates(item)
    elif isinstance(value, str) and DATE.fullmatch(value):
        yield moment(value)


def test_nothing_is_later_than_the_last_day(made: Made) -> None:
    for file in made.files:
        for entry in file.bundle["entry"]:
            assert all(each.date() <= UNTIL for each in _dates(entry["resource"]))


def test_nothing_happens_after_death(made: Made) -> None:
    dead = [file for file in made.files if "deceasedDateTime" in file.patient]
    assert dead
    for file in dead:
        death = moment(file.patient["deceasedDateTime"])
        assert all(each <= death for entry in file.bundle["entry"] for each in _dates(entry["resource"]))


def test_the_last_stay_of_the_dead_ends_with_the_death(made: Made) -> None:
    expired = 0
    for file in made.files:
        for encounter in file.of("Encounter"):
            if (
                encounter.get("hospitalization", {}).get("dischargeDisposition", {}).get("coding", [{}])[0].get("code")
                == "exp"
            ):
                expired += 1
                assert encounter["period"]["end"] == file.patient["deceasedDateTime"]
    assert expired


def test_nothing_but_the_file_itself_is_older_than_the_birth(made: Made) -> None:
    for file in made.files:
        birth = moment(file.patient["birthDate"])
        assert all(birth <= each for entry in file.bundle["entry"][1:] for each in _dates(entry["resource"]))


def test_an_encounter_contains_its_events(made: Made) -> None:
    for file in made.files:
        periods = {
            entry["fullUrl"]: entry["resource"]["period"]
            for entry in file.bundle["entry"]
            if entry["resource"]["resourceType"] == "Encounter"
        }
        for resource in file.of(*OF_AN_ENCOUNTER):
            period = periods[(resource.get("encounter") or resource["context"])["reference"]]
            when = moment(resource[OF_AN_ENCOUNTER[resource["resourceType"]]])
            assert moment(period["start"]) <= when <= moment(period["end"]), (file.name, resource)


def test_the_unit_stays_of_a_stay_lie_end_to_end(made: Made) -> None:
    checked = 0
    for file in made.files:
        parts: dict[str, list[dict[str, str]]] = {}
        for encounter in file.of("Encounter"):
            if "partOf" in encounter:
                parts.setdefault(encounter["partOf"]["reference"], []).append(encounter["period"])
        for whole, periods in parts.items():
            checked += 1
            stay = file.target({"reference": whole})["period"]
            ends = [stay["start"], *(period["end"] for period in periods)]
            assert [period["start"] for period in periods] == ends[:-1]
            assert ends[-1] == stay["end"]
    assert checked > 50


def test_a_patient_is_in_one_place_at_a_time(made: Made) -> None:
    by_person: dict[str, list[dict[str, str]]] = {}
    for file in made.files:
        whole = [encounter["period"] for encounter in file.of("Encounter") if "partOf" not in encounter]
        by_person.setdefault(file.name, []).extend(whole)
    for periods in by_person.values():
        ordered = sorted(periods, key=lambda period: moment(period["start"]))
        for before, after in pairwise(ordered):
            assert moment(before["end"]) <= moment(after["start"])


def test_times_carry_the_offset_of_paris() -> None:
    assert moments.date_time(datetime(2024, 3, 31, 1, 59)) == "2024-03-31T01:59:00+01:00"
    assert moments.date_time(datetime(2024, 3, 31, 3, 0)) == "2024-03-31T03:00:00+02:00"
    assert moments.date_time(datetime(2024, 10, 26, 12, 0)) == "2024-10-26T12:00:00+02:00"
    assert moments.date_time(datetime(2024, 10, 27, 12, 0)) == "2024-10-27T12:00:00+01:00"


def test_days_are_said_in_french() -> None:
    assert moments.long(date(2024, 8, 1)) == "1er août 2024"
    assert moments.short(date(2024, 8, 12)) == "12/08/2024"
