"""Project files: what is taken, and how a wrong one is told."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consumers.hub.project import ProjectError, project, projects, readable
from tests.unit.consumers.hub.given import PRIVATE, PUBLIC, write


def test_a_project_is_read(tmp_path: Path) -> None:
    options = {"date_shift": [-30, 30], "birth_date": "month", "systems": {"https://chu.example/dim": "[A-Z]{3}"}}
    found = project(write(tmp_path, start=date(2024, 1, 1), **options))
    assert (found.name, found.title, found.start) == ("asthme", "Asthme et pollution", date(2024, 1, 1))
    assert found.types == {"Patient", "Encounter", "Condition", "Observation"}
    assert found.recipient.kid == PUBLIC["kid"]
    assert (found.shift, found.birth_date, found.systems) == (
        (-30, 30),
        "month",
        {"https://chu.example/dim": "[A-Z]{3}"},
    )


def test_the_recipient_may_be_a_file_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "recipient.pub.jwk").write_text(json.dumps(PUBLIC))
    assert project(write(tmp_path, recipient="recipient.pub.jwk")).recipient.kid == PUBLIC["kid"]


def test_the_example_is_a_project() -> None:
    folder = Path(__file__).parents[4] / "examples" / "hub"
    assert [one.name for one in projects(folder)] == ["example"]


def test_projects_come_by_name_and_a_missing_folder_has_none(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path, name=name)
    assert [one.name for one in projects(tmp_path)] == ["a", "b"]
    assert projects(tmp_path / "nowhere") == []


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.with_name("copy.yml").write_bytes(file.read_bytes())
    write(tmp_path, name="covid")
    (tmp_path / "zz.yaml").write_text("name: b\ncolour: red\n")
    with pytest.raises(ProjectError, match="both describe the project asthme") as told:
        projects(tmp_path)
    assert told.value.issues[0].text.startswith(f"{tmp_path / 'zz.yaml'}, line 2: colour is not known")
    found, wrong = readable(tmp_path)
    assert ([one.name for one in found], len(wrong)) == (["covid"], 2)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"recipients": PUBLIC}, "recipients is not known; did you mean recipient?"),
        ({"colour": "red"}, "colour is not known; known are name, title"),
        ({"title": None, "start": None}, "title, start must be there"),
        ({"name": "Asthme 2"}, "small letters, digits and -"),
        ({"name": 7}, "name is a text, not 7"),
        ({"title": " "}, "title is a text"),
        (
            {"types": ["Patient", "Medication"]},
            "Medication has no rules; Patient, Encounter, Condition, Observation have",
        ),
        ({"types": "Patient"}, "types is a list"),
        ({"types": []}, "types is a list"),
        ({"recipient": PRIVATE}, "recipient: this is a private key"),
        ({"recipient": "nowhere.jwk"}, "nowhere.jwk cannot be read as a JWK; `ecluse hub keygen` makes one"),
        ({"recipient": {"kty": "oct"}}, "recipient: kty oct"),
        ({"recipient": 5}, "a JWK is an object"),
        ({"start": "01/01/2024"}, "start is a day such as 2024-01-31"),
        ({"start": 2024}, "start is a day such as 2024-01-31"),
        ({"date_shift": [0, 0]}, "date_shift is two whole numbers"),
        ({"date_shift": [5, -5]}, "date_shift is two whole numbers"),
        ({"date_shift": [-1.5, 2]}, "date_shift is two whole numbers"),
        ({"date_shift": [False, True]}, "date_shift is two whole numbers"),
        ({"date_shift": 30}, "date_shift is two whole numbers"),
        ({"birth_date": "day"}, "birth_date is year or month"),
        ({"systems": {"https://x": "("}}, "is no regular expression"),
        ({"systems": ["https://x"]}, "systems is a mapping"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    file = write(tmp_path, **changed)
    with pytest.raises(ProjectError) as told:
        project(file)
    key = next(iter(changed))
    keys = [line.partition(":")[0] for line in file.read_text().splitlines()]
    place = f", line {keys.index(key) + 1}" if changed[key] is not None else ""
    assert str(told.value).startswith(f"{file}{place}: ") and why in str(told.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: a\nname: b\n", "a.yaml, line 2: name stands twice; leave one of them out"),
        ("recipient: {kty: EC, kty: OKP}\n", "line 1: kty stands twice"),
        ("a: 1\nb: [", "a.yaml, line 2: is not YAML: expected the node content"),
        ("- a\n", "a project is a mapping"),
        ("", "a project is a mapping"),
        ("name: !!python/object/apply:os.system [ls]\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ProjectError, match=why):
        project(file)
