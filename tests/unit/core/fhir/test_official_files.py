"""The 5,306 official R4 files: accepted and kept as sent, but for those named here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.acceptance import accept_encoded
from ecluse.core.fhir.definitions.build import MISSING_IN_OFFICIAL_FILES, read, rendered
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.types import number_of
from tests.fetched import CACHE
from tests.official import COUNT, official_files

REFUSED = {
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json": (
        "SearchParameter.id",  # 69 characters; an id has 64 at most
    ),
}
"""Official files that break R4's own rules, with the places."""


def lexemes(data: bytes) -> Any:
    return json.loads(data, parse_float=str, parse_int=str)


def refusals(path: Path) -> tuple[str, ...]:
    data = path.read_bytes()
    try:
        _, encoded = accept_encoded(None, data)
    except BadRequest as error:
        return tuple(issue.expression for issue in error.issues)
    assert lexemes(encoded) == lexemes(data), path.name
    return ()


def test_all_official_files_but_the_named_are_accepted_as_sent() -> None:
    refused = {path.name: found for path in official_files() if (found := refusals(path))}
    assert refused == REFUSED
    assert COUNT - len(refused) >= 5304


def test_structures_are_what_the_package_gives() -> None:
    official_files()
    definitions = sorted(read(CACHE / "package"), key=lambda definition: str(definition["id"]))
    committed = Path(__file__).parents[4] / "ecluse" / "core" / "fhir" / "definitions" / "structures.json"
    assert rendered(definitions) == committed.read_text(encoding="utf-8")


def test_the_resource_types_are_those_with_numbers() -> None:
    assert structures().resources == set(number_of)


@pytest.mark.parametrize("path", sorted(MISSING_IN_OFFICIAL_FILES))
def test_elements_that_official_files_leave_out_are_not_required(path: str) -> None:
    type_name, name = path.rsplit(".", 1)
    [element] = [element for element in structures().types[type_name] if element.name == name]
    assert not element.required
