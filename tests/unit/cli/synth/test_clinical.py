"""Codes, PMSI and reports."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecluse.cli.synth.codes import ATC, BDPM, CCAM, CIM10, LOINC, UCD, luhn
from ecluse.cli.synth.measure import filtration
from ecluse.cli.synth.story import stories, table
from tests.unit.cli.synth.conftest import Made, moment, texts

SHAPES = {
    CIM10: r"[A-Z]\d\d(\.\d{1,2})?",
    CCAM: r"[A-Z]{4}\d{3}",
    ATC: r"[A-Z]\d\d[A-Z]{2}\d\d",
    UCD: r"34008\d{8}",
    BDPM: r"6\d{7}",
    LOINC: r"\d{1,5}-\d",
}
BILLED = ("IMP", "AMB")
MAIN_KINDS = ("hospitalisation", "operatoire", "imagerie", "anatomopathologie", "consultation", "urgences", "liaison")


def _codings(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value] if "system" in value and "code" in value and "value" not in value else []
        return own + [coding for member in value.values() for coding in _codings(member)]
    return [coding for item in value for coding in _codings(item)] if isinstance(value, list) else []


def test_codes_have_the_shape_of_their_system(made: Made) -> None:
    seen = dict.fromkeys(SHAPES, 0)
    for file in made.files:
        for coding in _codings(file.bundle):
            if coding["system"] in SHAPES:
                seen[coding["system"]] += 1
                assert re.fullmatch(SHAPES[coding["system"]], coding["code"]), coding
    assert all(seen.values())


def test_loinc_and_ucd_codes_have_their_check_digits(made: Made) -> None:
    codes = {coding["code"] for file in made.files for coding in _codings(file.bundle) if coding["system"] == LOINC}
    assert len(codes) > 40
    for code in codes:
        assert luhn(code.split("-")[0]) == code.replace("-", ""), code
    for row in table("drugs").values():
        for code in row[6:]:
            total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(code))
            assert total % 10 == 0


def test_diagnoses_of_a_billed_visit_have_their_use_and_rank(made: Made) -> None:
    uses = set()
    for file in made.files:
        for encounter in file.of("Encounter"):
            rows = encounter.get("diagnosis", [])
            codes = [row["use"]["coding"][0]["code"] for row in rows]
            if encounter["class"]["code"] not in BILLED or "DD" in codes:
                continue
            uses |= set(codes)
            assert codes.count("DP") == 1
            assert codes[0] == "DP"
            assert codes.count("DR") <= 1
            assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert uses == {"DP", "DR", "DA"}


def test_a_stay_has_one_rss_of_one_to_four_rum(made: Made) -> None:
    counts = set()
    for file in made.files:
        stays = [each for each in file.of("Encounter") if "hospitalization" in each]
        days = [
            each for each in file.of("Encounter") if each.get("type", [{}])[0].get("text") == "Hospitalisation de jour"
        ]
        numbers = [claim["identifier"][0]["value"] for claim in file.of("Claim")]
        assert sorted(numbers) == sorted(each["identifier"][0]["value"] for each in (*stays, *days))
        counts |= {len(claim["item"]) for claim in file.of("Claim")}
    assert counts <= {1, 2, 3, 4}
    assert {1, 2} <= counts


def test_a_rum_names_unit_dates_dp_and_the_acts_done_there(made: Made) -> None:
    acts = 0
    for file in made.files:
        for claim in file.of("Claim"):
            diagnoses = {each["sequence"]: each["type"][0]["coding"][0]["code"] for each in claim["diagnosis"]}
            procedures = {each["sequence"]: each for each in claim.get("procedure", ())}
            for item in claim["item"]:
                uses = [diagnoses[sequence] for sequence in item["diagnosisSequence"]]
                assert uses.count("DP") == 1
                assert item["locationReference"]["reference"].startswith("Location?identifier=")
                start, end = moment(item["servicedPeriod"]["start"]), moment(item["servicedPeriod"]["end"])
                for sequence in item.get("procedureSequence", ()):
                    acts += 1
                    assert start <= moment(procedures[sequence]["date"]) <= end
            bounds = [claim["item"][0]["servicedPeriod"]["start"], claim["item"][-1]["servicedPeriod"]["end"]]
            assert bounds == [claim["billablePeriod"]["start"], claim["billablePeriod"]["end"]]
    assert acts > 100


def test_lab_values_in_reports_are_those_of_the_results(made: Made) -> None:
    names = {row[1]: row[2] for row in table("labs")["tests"].values()}
    pattern = re.compile(
        "(" + "|".join(sorted(map(re.escape, names), key=len, reverse=True)) + r") (\d+(?:,\d+)?)(?= |,|\.|$)"
    )
    checked = 0
    for file in made.files:
        values: dict[str, set[str]] = {}
        for each in file.of("Observation"):
            if "valueQuantity" in each:
                value = each["valueQuantity"]["value"]
                written = str(value) if isinstance(value, int) else bytes(value).decode()
                values.setdefault(each["code"]["text"], set()).add(written)
        for _, text in texts(file):
            for line in text.splitlines():
                for name, value in pattern.findall(line) if ("mmol/L" in line or "G/L" in line) else ():
                    checked += 1
                    assert value.replace(",", ".") in values[names[name]], (name, value, line)
    assert checked > 1000


def test_admission_values_are_those_of_the_first_draw_of_the_visit(made: Made) -> None:
    checked = 0
    for file in made.files:
        for report, text in texts(file):
            found = re.search(r"Biologie d'entrée : .*?créatinine (\d+) µmol/L", text)
            if not found or report["resourceType"] != "DocumentReference":
                continue
            stay = file.target(report["context"]["encounter"][0])["period"]
            day = moment(stay["start"]).date()
            drawn = [
                str(each["valueQuantity"]["value"])
                for each in file.of("Observation")
                if each["code"]["text"] == "Créatinine" and moment(each["effectiveDateTime"]).date() == day
            ]
            checked += 1
            assert found[1] in drawn
    assert checked


def test_interpretation_and_reference_range_agree_with_the_value(made: Made) -> None:
    for file in made.files:
        for each in file.of("Observation"):
            if "referenceRange" not in each:
                continue
            value, usual = float(each["valueQuantity"]["value"]), each["referenceRange"][0]
            low, high = float(usual.get("low", {}).get("value", 0)), float(usual["high"]["value"])
            code = each["interpretation"][0]["coding"][0]["code"]
            assert code[0] == ("H" if value > high else "L" if value < low else "N")


@pytest.mark.parametrize("kind", MAIN_KINDS)
def test_every_main_kind_of_report_has_three_layouts(kind: str) -> None:
    layouts = table("reports")[kind]["layouts"]
    assert len(layouts) >= 3
    assert len(set(layouts)) == len(layouts)


def test_reports_speak_like_a_hospital(made: Made) -> None:
    everything = "\n".join(text for file in made.files for _, text in texts(file))
    for said in (
        "Pas de",
        "Absence d",
        "suspicion d",
        "à discuter",
        "ATCD familiaux",
        "décédé d'un IDM",
        "HTA",
        "BPCO",
    ):
        assert said in everything, said
    for said in ("AVC", "FA ", "TVP", "EP", "DNID", "PAC", "SCA", "TTT", "né le", "née le", "Décès"):
        assert said in everything, said
    assert "{{" not in everything
    assert "  - " not in everything


def test_reports_come_in_every_form(made: Made) -> None:
    kinds = {
        (resource["resourceType"], form.get("contentType", ""), "url" in form)
        for file in made.files
        for resource in file.of("DocumentReference")
        for form in (content["attachment"] for content in resource["content"])
    }
    assert ("DocumentReference", "text/plain; charset=utf-8", False) in kinds
    assert ("DocumentReference", "text/html; charset=utf-8", False) in kinds
    assert ("DocumentReference", "text/plain; charset=utf-8", True) in kinds
    assert any("presentedForm" in each for file in made.files for each in file.of("DiagnosticReport"))


def test_reports_name_the_patient_they_are_about(made: Made) -> None:
    for file in made.files:
        names = {name["family"].upper() for name in file.patient["name"]}
        for resource, text in texts(file):
            if resource["resourceType"] == "DocumentReference" and "Note de séance" not in resource["type"]["text"]:
                assert any(name in text.upper() for name in names), text


def test_every_word_of_a_story_is_in_the_tables() -> None:
    codes, labs, units = table("codes"), table("labs"), table("hospital")["units"]
    for story in stories().values():
        assert story.history.keys() <= codes["cim10"].keys()
        for visit in story.visits:
            assert visit.course.keys() <= labs["tests"].keys()
            assert set(visit.panels) <= labs["panels"].keys()
            assert visit.vitals.keys() <= labs["vitals"].keys()
            assert {*visit.drugs, *visit.home, *story.home} <= table("drugs").keys()
            assert all(image.finding in table("images")[image.image]["findings"] for image in visit.images)
            assert set(visit.hypotheses) <= codes["cim10"].keys()
            for unit in visit.stays():
                assert unit.unit in units
                assert {unit.dp, *unit.das, *filter(None, (unit.dr,))} <= codes["cim10"].keys()
                assert unit.acts.keys() <= codes["ccam"].keys()


def test_glomerular_filtration_follows_ckd_epi() -> None:
    assert round(filtration(88.4, 60, female=False)) == 81
    assert round(filtration(150, 80, female=True)) == 28
