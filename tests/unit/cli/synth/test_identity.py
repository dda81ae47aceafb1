"""Nobody real: identifiers, telephones, addresses."""

from __future__ import annotations

import re

from ecluse.cli.synth.codes import luhn
from tests.unit.cli.synth.conftest import Made

RESERVED = re.compile(r"(01 99 00|02 61 91|03 53 01|04 65 71|05 36 49|06 39 98) \d\d \d\d")
TYPES = {"urn:oid:1.2.250.1.213.1.4.10": "INS-NIR-TEST", "urn:oid:1.2.250.1.213.1.4.11": "INS-NIR-DEMO"}


def _ins(made: Made) -> list[tuple[str, str, str]]:
    found = []
    for file in made.files:
        for identifier in file.patient["identifier"]:
            if identifier["system"].startswith("urn:oid:1.2.250.1.213.1.4."):
                found.append((identifier["system"], identifier["type"]["coding"][0]["code"], identifier["value"]))
    return found


def test_an_ins_is_of_the_test_or_demo_system_and_says_so_in_its_type(made: Made) -> None:
    found = _ins(made)
    assert {system for system, _, _ in found} == TYPES.keys()
    assert all(TYPES[system] == kind for system, kind, _ in found)


def test_no_file_names_the_systems_of_real_identities(made: Made) -> None:
    for path in made.folder.rglob("*.json"):
        assert not re.search(rb"1\.2\.250\.1\.213\.1\.4\.[89]\b", path.read_bytes()), path


def test_an_ins_has_the_shape_and_key_of_a_nir_but_a_birthplace_that_does_not_exist(made: Made) -> None:
    for _, _, number in _ins(made):
        assert re.fullmatch(r"[12]\d\d(0[1-9]|1[0-2])\d\d99\d\d{3}\d\d", number)
        assert int(number[13:]) == 97 - int(number[:13]) % 97
        assert number[10:13] != "000"


def test_an_ins_agrees_with_sex_and_birth(made: Made) -> None:
    for file in made.files:
        patient = file.patient
        for identifier in patient["identifier"]:
            if identifier["system"] in TYPES:
                year, month, _ = patient["birthDate"].split("-")
                sex = "2" if patient["gender"] == "female" else "1"
                assert identifier["value"][:5] == f"{sex}{year[2:]}{month}"


def test_an_identity_without_ins_is_provisional(made: Made) -> None:
    for file in made.files:
        status = file.patient["extension"][0]["extension"][0]["valueCoding"]["code"]
        has_ins = any(each["system"] in TYPES for each in file.patient["identifier"])
        assert status == ("VALI" if has_ins else "PROV")


def test_every_telephone_reaches_nobody(made: Made) -> None:
    bundles = [*(file.bundle for file in made.files), *(bundle for pair in made.shared.values() for bundle in pair)]
    phones = [
        telecom["value"]
        for bundle in bundles
        for entry in bundle["entry"]
        for holder in (entry["resource"], *entry["resource"].get("contact", ()))
        for telecom in holder.get("telecom", ())
        if telecom["system"] == "phone"
    ]
    assert len(phones) > 100
    assert all(RESERVED.fullmatch(phone) for phone in phones)


def test_numbers_in_texts_are_of_those_ranges_too(made: Made) -> None:
    for path in made.folder.rglob("*.json"):
        for found in re.findall(r"\b0[1-9](?: \d\d){4}\b", path.read_text()):
            assert RESERVED.fullmatch(found)


def test_hospitals_and_doctors_have_numbers_that_nobody_was_given(made: Made) -> None:
    numbers = [
        (identifier["system"], identifier["value"])
        for pair in made.shared.values()
        for bundle in pair
        for entry in bundle["entry"]
        for identifier in entry["resource"]["identifier"]
        if "esante.gouv.fr" in identifier["system"]
    ]
    for system, value in numbers:
        assert len(value) == (11 if "rpps" in system else 9)
        assert value.startswith("99")
        assert luhn(value[:-1]) == value
    assert len({number for number in numbers if "rpps" in number[0]}) > 80


def test_a_patient_has_one_ipp_of_the_hospital_and_the_stays_are_numbered_there(made: Made) -> None:
    for file in made.files:
        ipp = [
            each for each in file.patient["identifier"] if each.get("type", {}).get("coding", [{}])[0]["code"] == "PI"
        ]
        assert [each["system"] for each in ipp] == [f"https://{file.site}.hopital.example/ns/ipp"]
        for encounter in file.of("Encounter"):
            kind = encounter["identifier"][0]["type"]["coding"][0]["code"]
            assert kind == ("MN" if "partOf" in encounter else "VN")
            assert encounter["identifier"][0]["system"].startswith(f"https://{file.site}.hopital.example/ns/")


def test_some_patients_are_known_at_both_sites_under_another_ipp(made: Made) -> None:
    known: dict[str, list[dict[str, object]]] = {}
    for file in made.files:
        known.setdefault(file.name, []).append(file.patient)
    twice = [pair for pair in known.values() if len(pair) == 2]
    assert len(known) == 50
    assert twice
    for one, other in twice:
        assert (one["name"], one["birthDate"]) == (other["name"], other["birthDate"])
        assert one["identifier"] != other["identifier"]
