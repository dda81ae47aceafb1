"""The files as a server sees them: same seed same bytes, accepted, with references that resolve."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ecluse.cli.commands.synth import synth
from ecluse.cli.synth.story import stories
from ecluse.cli.synth.write import Run, write
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from tests.cost import calls
from tests.unit.cli.synth.conftest import SITES, UNTIL, File, Made


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def test_the_same_seed_gives_the_same_bytes_in_another_process_zone_and_hash_order(made: Made, tmp_path: Path) -> None:
    environment = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "4", "LC_ALL": "C"}
    words = ["--patients", "50", "--seed", "7", "--out", str(tmp_path)]
    words += [word for site in SITES for word in ("--site", site)]
    call = f"from ecluse.cli.commands.synth import synth; synth({words!r})"
    subprocess.run([sys.executable, "-c", call], env=environment, check=True, capture_output=True)
    assert _bytes(tmp_path) == _bytes(made.folder)


def test_another_seed_gives_other_patients_at_the_same_hospitals(made: Made, tmp_path: Path) -> None:
    write(tmp_path, Run(4, 8, SITES, UNTIL), lambda _: None)
    here, there = _bytes(made.folder), _bytes(tmp_path)
    for name, content in there.items():
        assert (content == here[name]) == ("patient" not in name)


def test_a_longer_run_starts_with_the_patients_of_a_shorter_one(made: Made, tmp_path: Path) -> None:
    write(tmp_path, Run(3, 7, SITES, UNTIL), lambda _: None)
    assert _bytes(tmp_path).items() <= _bytes(made.folder).items()


def test_every_resource_and_bundle_is_accepted(made: Made) -> None:
    for path in sorted(made.folder.rglob("*.json")):
        data = path.read_bytes()
        accept("Bundle", data)
        for entry in json.decode(data)["entry"]:
            accept(entry["resource"]["resourceType"], json.encode(entry["resource"]))


def references(value: Any) -> Iterator[str]:
    """Every reference and every address inside the bundle."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in ("reference", "url") and isinstance(member, str) and re.match(r"urn:uuid:|[A-Z]\w+[?/]", member):
                yield member
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_references_stay_in_the_bundle_or_name_what_is_loaded_before(made: Made) -> None:
    loaded = {
        site: {
            f"{entry['resource']['resourceType']}?identifier={identifier['system']}|{identifier['value']}"
            for bundle in pair
            for entry in bundle["entry"]
            for identifier in entry["resource"]["identifier"]
        }
        for site, pair in made.shared.items()
    }
    for site, pair in made.shared.items():
        for bundle in pair:
            own = {entry["fullUrl"] for entry in bundle["entry"]}
            assert {each for entry in bundle["entry"] for each in references(entry["resource"])} <= own | loaded[site]
    for file in made.files:
        own = {entry["fullUrl"] for entry in file.bundle["entry"]}
        found = {each for entry in file.bundle["entry"] for each in references(entry["resource"])}
        assert found <= own | loaded[file.site]


def test_every_address_of_a_bundle_is_its_own(made: Made) -> None:
    urls = [entry["fullUrl"] for file in made.files for entry in file.bundle["entry"]]
    assert len(urls) == len(set(urls))


def test_a_patient_has_about_as_many_resources_as_planned(made: Made) -> None:
    count = sum(len(file.bundle["entry"]) for file in made.files)
    assert 150 <= count / 50 <= 300


def test_at_least_twelve_stories_are_told(made: Made) -> None:
    marks: dict[str, set[str]] = {}
    for name, story in stories().items():
        for visit in story.visits:
            for unit in visit.stays():
                marks.setdefault(unit.dp, set()).add(name)
    alone = {code: names.pop() for code, names in marks.items() if len(names) == 1}
    seen = {condition["code"]["coding"][0]["code"] for file in made.files for condition in file.of("Condition")}
    assert len({story for code, story in alone.items() if code in seen}) >= 12


def test_all_the_kinds_of_resource_are_there(made: Made) -> None:
    seen = {entry["resource"]["resourceType"] for file in made.files for entry in file.bundle["entry"]}
    assert seen >= {
        *("Patient", "Encounter", "Condition", "Procedure", "Observation", "DiagnosticReport", "ImagingStudy"),
        *("MedicationRequest", "MedicationAdministration", "Device", "DeviceUseStatement", "AllergyIntolerance"),
        *("Immunization", "DocumentReference", "Binary", "Composition", "Claim", "Coverage"),
    }


def test_what_a_patient_costs_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few, many = (
        calls(write, tmp_path / f"{number}", Run(number, 3, ("default",), UNTIL), lambda _: None) for number in (10, 40)
    )
    assert few < many < 4 * few


def test_numbers_keep_their_digits(made: Made) -> None:
    values = [
        bytes(observation["valueQuantity"]["value"]).decode()
        for file in made.files
        for observation in file.of("Observation")
        if observation["code"].get("text") == "Potassium"
    ]
    assert len(values) > 100
    assert all(re.fullmatch(r"\d\.\d", value) for value in values)


def test_the_command_refuses_a_site_name_that_is_no_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(synth, ["--out", str(tmp_path), "--site", "../x"])
    assert result.exit_code == 2
    assert "lower-case letters" in result.output


def test_the_command_writes_one_default_site(tmp_path: Path) -> None:
    result = CliRunner().invoke(synth, ["--patients", "1", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "default").iterdir()} == {
        *("organizations.json", "practitioners.json", "patient-00001.json")
    }


def test_a_patient_is_one_bundle_that_starts_with_the_patient(made: Made) -> None:
    for file in made.files:
        assert isinstance(file, File)
        first = file.bundle["entry"][0]
        assert first["resource"]["resourceType"] == "Patient"
        assert first["request"]["ifNoneExist"].startswith(f"identifier=https://{file.site}.")
        assert len(list(file.of("Patient"))) == 1
