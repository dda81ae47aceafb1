"""FHIRPath Patch: http://hl7.org/fhir/R4/fhirpatch.html."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.fhirpath_patch import read
from ecluse.core.fhir.patch.registry import read as read_any

Part = dict[str, Any]
CASES: dict[str, list[dict[str, Any]]] = json.decode(files(__package__).joinpath("fhirpath_patch.json").read_bytes())


def _operation(kind: str, path: str, *parts: Part) -> Part:
    listed = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}, *parts]
    return {"name": "operation", "part": listed}


def _name(name: str) -> Part:
    return {"name": "name", "valueString": name}


def _value(**given: Any) -> Part:
    return {"name": "value", **given}


def _body(*operations: Part) -> bytes:
    return json.encode({"resourceType": "Parameters", **({"parameter": operations} if operations else {})})


def _patched(resource: dict[str, Any], *operations: Part) -> Any:
    given = {"resourceType": "Patient", **resource}
    changed = read_any("application/fhir+json", _body(*operations))(json.decode_exactly(json.encode(given)))
    return {name: value for name, value in changed.items() if name != "resourceType"}


def _written_out(case: dict[str, Any]) -> Part:
    """An operation of the cases as Parameters have it."""
    kinds = {"name": "valueString", "index": "valueInteger", "source": "valueInteger", "destination": "valueInteger"}
    parts = [{"name": name, kinds[name]: case[name]} for name in kinds if name in case]
    value = [{"name": "value", **case["value"]}] if "value" in case else []
    return _operation(case["type"], case["path"], *parts, *value)


@pytest.mark.parametrize("case", CASES["done"], ids=lambda case: case["name"])
def test_an_operation_does_what_the_page_says(case: dict[str, Any]) -> None:
    assert _patched(case["resource"], *map(_written_out, case["operations"])) == case["expected"]


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["words"])
def test_an_operation_that_cannot_be_done_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable) as refused:
        _patched(case["resource"], _operation("delete", "Patient.photo"), _written_out(case["operation"]))
    (issue,) = refused.value.issues
    assert case["words"] in issue.text
    assert issue.text.startswith("Operation 1 of the patch")
    assert issue.expression == case["expression"]


def test_the_cases_are_there() -> None:
    assert (len(CASES["done"]), len(CASES["refused"])) == (35, 18)


def test_every_operation_that_cannot_be_read_is_told_at_once() -> None:
    operations = [
        {"name": "change"},
        _operation("spam", "Patient"),
        _operation("add", "Patient"),
        {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]},
        _operation("delete", "Patient.name["),
        _operation("insert", "Patient.name", {"name": "index", "valueString": "1"}, _value(valueString="x")),
        _operation("replace", "Patient.name", {"name": "value"}),
    ]
    with pytest.raises(BadRequest) as refused:
        read(_body(*operations))
    places = [issue.expression.removeprefix("Parameters.") for issue in refused.value.issues]
    assert places == [
        "parameter[0].name",
        "parameter[1].part[0]",
        "parameter[2]",
        "parameter[3]",
        "parameter[4].part[1]",
        "parameter[5].part[2]",
        "parameter[6].part[2]",
    ]


def test_numbers_keep_their_lexemes_and_a_patch_can_be_made_again() -> None:
    body = _body(_operation("add", "Observation", _name("value"), _value(valueQuantity={"value": 7})))
    change = read(body.replace(b'"value":7', b'"value":7.00'))
    for _ in range(2):
        observation: dict[str, Any] = {"resourceType": "Observation"}
        assert json.encode(change(observation)) == b'{"resourceType":"Observation","valueQuantity":{"value":7.00}}'
        observation["valueQuantity"]["unit"] = "mg"
