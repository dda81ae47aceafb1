"""Pairs of a resource and what leaves for the text index, compared whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecluse.core.errors import Unmappable
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from mappers.document import mapping
from mappers.document.record import Context, Excluded

FOLDER = Path(__file__).parents[3] / "golden" / "document"
CASES = sorted(FOLDER.glob("*.json"))
CONTEXT = Context(("http://127.0.0.1:8080/fhir/",))
BROKEN = {"reference-not-base64"}


def result(resource: dict[str, Any]) -> Any:
    """What leaves, as JSON."""
    try:
        if resource["resourceType"] == "Binary":
            return msgspec.to_builtins(mapping.binary(resource))
        made = mapping.document(resource, CONTEXT)
    except Unmappable as error:
        return {"unmappable": str(error)}
    return {"excluded": made.reason} if isinstance(made, Excluded) else msgspec.to_builtins(made)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_resource_leaves_as_written(file: Path) -> None:
    case = json.decode(file.read_bytes())
    assert json.encode(result(case["given"])) == json.encode(case["leaves"])


@pytest.mark.parametrize("file", [file for file in CASES if file.stem not in BROKEN], ids=lambda file: file.stem)
def test_what_is_given_is_a_resource_that_the_server_accepts(file: Path) -> None:
    given = json.decode(file.read_bytes())["given"]
    accept(given["resourceType"], json.encode(given))


def test_the_cases_are_there_and_a_wrong_one_fails() -> None:
    assert len(CASES) >= 35
    case = json.decode((FOLDER / "reference-plain.json").read_bytes())
    case["leaves"]["contents"][0]["text"] += "x"
    assert json.encode(result(case["given"])) != json.encode(case["leaves"])


def test_no_name_of_an_author_leaves() -> None:
    for file in CASES:
        assert "MOREAU" not in str(json.decode(file.read_bytes())["leaves"]), file.name
