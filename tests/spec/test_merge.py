"""http://hl7.org/fhir/R4/patient.html#links and https://build.fhir.org/patient-operation-merge.html"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import httpx
import pytest

from tests.spec.bulk import parameters, run
from tests.spec.search import hits


class World(NamedTuple):
    """Two records of one person, each with an observation and a condition."""

    source: str
    target: str
    of_source: list[str]
    of_target: list[str]
    identifier: dict[str, str]


@pytest.fixture
def world(fhir: httpx.Client) -> World:
    """A pair of its own."""
    identifier = {"system": "urn:ipp", "value": uuid.uuid4().hex}
    ids = [
        _create(fhir, {"resourceType": "Patient", "identifier": [own], "multipleBirthInteger": 1})["id"]
        for own in (identifier, {"system": "urn:ipp", "value": uuid.uuid4().hex})
    ]
    owned = [[_create(fhir, body)["id"] for body in _of(patient)] for patient in ids]
    return World(ids[0], ids[1], owned[0], owned[1], identifier)


def _of(patient: str) -> list[dict[str, Any]]:
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    code = {"code": {"coding": [{"system": "urn:c", "code": "x"}]}}
    return [
        {"resourceType": "Observation", "status": "final", **code, **subject},
        {"resourceType": "Condition", **code, **subject},
    ]


def _create(fhir: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = fhir.post(f"/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def _call(fhir: httpx.Client, name: str, **given: Any) -> httpx.Response:
    """Calls an operation: references for ids, dicts for identifiers."""
    sent: list[dict[str, Any]] = []
    for key, value in given.items():
        parameter: dict[str, Any] = {"name": key.replace("_", "-")}
        if isinstance(value, bool):
            parameter["valueBoolean"] = value
        elif isinstance(value, dict) and "resourceType" in value:
            parameter["resource"] = value
        elif isinstance(value, dict):
            parameter["valueIdentifier"] = value
        else:
            parameter["valueReference"] = {"reference": f"Patient/{value}"}
        sent.append(parameter)
    return fhir.post(f"/Patient/${name}", json={"resourceType": "Parameters", "parameter": sent})


def _merge(fhir: httpx.Client, world: World, **more: Any) -> httpx.Response:
    answer = _call(fhir, "merge", source_patient=world.source, target_patient=world.target, **more)
    assert answer.status_code == 200, answer.text
    return answer


def _parts(answer: httpx.Response) -> dict[str, Any]:
    assert answer.json()["resourceType"] == "Parameters"
    return {one["name"]: one["resource"] for one in answer.json()["parameter"]}


def _content(fhir: httpx.Client, patient: str) -> dict[str, Any]:
    body: dict[str, Any] = fhir.get(f"/Patient/{patient}").json()
    return {name: value for name, value in body.items() if name != "meta"}


def _everything(fhir: httpx.Client, patient: str) -> set[str]:
    bundle = fhir.get(f"/Patient/{patient}/$everything?_count=1000").json()
    return {entry["resource"]["id"] for entry in bundle["entry"]}


def test_a_merge_links_both_and_rewrites_no_reference(fhir: httpx.Client, world: World) -> None:
    before = fhir.get(f"/Observation/{world.of_source[0]}").json()
    parts = _parts(_merge(fhir, world))
    source, target = fhir.get(f"/Patient/{world.source}").json(), fhir.get(f"/Patient/{world.target}").json()
    assert source["active"] is False
    assert source["link"] == [{"other": {"reference": f"Patient/{world.target}"}, "type": "replaced-by"}]
    assert target["link"] == [{"other": {"reference": f"Patient/{world.source}"}, "type": "replaces"}]
    assert "active" not in target
    assert parts["result"] == target
    assert parts["outcome"]["issue"][0]["severity"] == "information"
    assert parts["input"]["parameter"][0]["name"] == "source-patient"
    assert fhir.get(f"/Observation/{world.of_source[0]}").json() == before


@pytest.mark.parametrize("query", ["patient={}", "patient=Patient/{}", "subject=Patient/{}", "patient={}&code=urn:c|x"])
@pytest.mark.parametrize("count", [1, 100])
def test_searches_by_the_survivor_see_both(fhir: httpx.Client, world: World, query: str, count: int) -> None:
    _merge(fhir, world)
    for kind, number in (("Observation", 0), ("Condition", 1)):
        both = sorted([world.of_source[number], world.of_target[number]])
        asked = f"/{kind}?{query}&_count={count}"
        assert sorted(hits(fhir, asked.format(world.target))) == both
        assert hits(fhir, asked.format(world.source)) == [world.of_source[number]]
        assert fhir.get(asked.format(world.target) + "&_summary=count").json()["total"] == 2
    late = _create(fhir, _of(world.source)[0])["id"]
    assert late in hits(fhir, f"/Observation?patient={world.target}")
    assert len(hits(fhir, f"/Observation?patient={world.target},{world.source}")) == 3
    assert len(hits(fhir, f"/Observation?patient={world.target}&_sort=-date")) == 3


def test_everything_and_lastn_of_the_survivor_see_both(fhir: httpx.Client, world: World) -> None:
    _merge(fhir, world)
    both = {world.source, world.target, *world.of_source, *world.of_target}
    assert _everything(fhir, world.target) == both
    assert _everything(fhir, world.source) == {world.source, world.target, *world.of_source}
    assert fhir.get(f"/Observation/$lastn?patient={world.target}&code=x").json()["total"] == 2


def test_an_unmerge_restores_exactly(fhir: httpx.Client, world: World) -> None:
    before = [_content(fhir, patient) for patient in (world.source, world.target)]
    _merge(fhir, world)
    answer = _call(fhir, "unmerge", source_patient=world.source)
    assert answer.status_code == 200, answer.text
    assert [_content(fhir, patient) for patient in (world.source, world.target)] == before
    assert _parts(answer)["result"] == fhir.get(f"/Patient/{world.source}").json()
    assert hits(fhir, f"/Observation?patient={world.target}") == [world.of_target[0]]
    assert _everything(fhir, world.target) == {world.target, *world.of_target}
    again = _call(fhir, "unmerge", source_patient=world.source)
    assert again.status_code == 422
    _merge(fhir, world)
    assert len(hits(fhir, f"/Observation?patient={world.target}")) == 2


def test_what_was_changed_since_the_merge_stays_after_the_unmerge(fhir: httpx.Client, world: World) -> None:
    _merge(fhir, world)
    for patient in (world.source, world.target):
        body = fhir.get(f"/Patient/{patient}").json()
        assert fhir.put(f"/Patient/{patient}", json={**body, "gender": "female"}).status_code == 200
    assert _call(fhir, "unmerge", source_patient=world.source, target_patient=world.target).status_code == 200
    for patient in (world.source, world.target):
        body = _content(fhir, patient)
        assert (body["gender"], "link" in body, "active" in body) == ("female", False, False)


def test_a_chain_of_merges_leads_to_the_last_survivor_and_back(fhir: httpx.Client, world: World) -> None:
    last = _create(fhir, {"resourceType": "Patient"})["id"]
    _merge(fhir, world)
    assert _call(fhir, "merge", source_patient=world.target, target_patient=last).status_code == 200
    assert len(hits(fhir, f"/Observation?patient={last}")) == 2
    assert hits(fhir, f"/Observation?patient={world.target}") == [world.of_target[0]]
    assert _call(fhir, "unmerge", source_patient=world.target).status_code == 200
    assert hits(fhir, f"/Observation?patient={last}") == []
    assert len(hits(fhir, f"/Observation?patient={world.target}")) == 2


def test_patients_can_be_named_by_their_identifiers(fhir: httpx.Client, world: World) -> None:
    answer = _call(fhir, "merge", source_patient_identifier=world.identifier, target_patient=world.target)
    assert answer.status_code == 200, answer.text
    assert fhir.get(f"/Patient/{world.source}").json()["active"] is False


def test_a_preview_writes_nothing(fhir: httpx.Client, world: World) -> None:
    parts = _parts(_merge(fhir, world, preview=True))
    assert parts["result"]["link"][0]["type"] == "replaces"
    for patient in (world.source, world.target):
        assert fhir.get(f"/Patient/{patient}").headers["etag"] == 'W/"1"'
    assert len(hits(fhir, f"/Observation?patient={world.target}")) == 1


def test_the_result_can_be_given_and_is_taken_back(fhir: httpx.Client, world: World) -> None:
    before = _content(fhir, world.target)
    result = {**before, "gender": "female", "identifier": [*before["identifier"], world.identifier]}
    parts = _parts(_merge(fhir, world, result_patient=result))
    assert (parts["result"]["gender"], len(parts["result"]["identifier"])) == ("female", 2)
    assert parts["result"]["link"][0]["type"] == "replaces"
    assert _call(fhir, "unmerge", source_patient=world.source).status_code == 200
    assert _content(fhir, world.target) == before


def test_the_same_merge_again_changes_nothing(fhir: httpx.Client, world: World) -> None:
    _merge(fhir, world)
    assert "already" in _parts(_merge(fhir, world))["outcome"]["issue"][0]["details"]["text"]
    assert fhir.get(f"/Patient/{world.source}").headers["etag"] == 'W/"2"'


def test_what_cannot_be_merged_is_refused_and_nothing_is_written(fhir: httpx.Client, world: World) -> None:
    third = _create(fhir, {"resourceType": "Patient"})["id"]
    gone = _create(fhir, {"resourceType": "Patient"})["id"]
    fhir.delete(f"/Patient/{gone}")
    nobody = {"system": "urn:ipp", "value": uuid.uuid4().hex}
    cases = [
        ({"source_patient": world.source}, 400, "target-patient"),
        ({"source_patient": world.source, "target_patient": world.source}, 422, "two Patients"),
        ({"source_patient": world.source, "target_patient": "nobody"}, 404, "nobody"),
        ({"source_patient": gone, "target_patient": world.target}, 410, "deleted"),
        ({"source_patient_identifier": nobody, "target_patient": world.target}, 422, "no Patient"),
        (
            {"source_patient": third, "source_patient_identifier": world.identifier, "target_patient": world.target},
            422,
            "different Patients",
        ),
    ]
    for given, status, told in cases:
        answer = _call(fhir, "merge", **given)
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome"), given
        assert told in answer.json()["issue"][0]["details"]["text"]
    wrong = {"resourceType": "Patient", "id": world.source}
    given = {"source_patient": world.source, "target_patient": world.target, "result_patient": wrong}
    assert _call(fhir, "merge", **given).status_code == 422
    _merge(fhir, world)
    assert "$unmerge" in _call(fhir, "merge", source_patient=world.source, target_patient=third).text
    assert "merge into that one" in _call(fhir, "merge", source_patient=third, target_patient=world.source).text
    assert fhir.get(f"/Patient/{third}").headers["etag"] == 'W/"1"'
    assert fhir.get("/Patient/$merge").status_code == 405


def test_a_purge_of_the_survivor_takes_the_merged_one_along(fhir: httpx.Client, world: World) -> None:
    _merge(fhir, world)
    answer = fhir.post(f"/Patient/{world.target}/$purge")
    assert answer.status_code == 200, answer.text
    assert "2 Condition, 2 Observation, 2 Patient" in answer.json()["issue"][0]["details"]["text"]
    assert len(answer.json()["issue"]) == 1
    assert fhir.get(f"/Patient/{world.source}").status_code == 410


def test_an_export_of_the_survivor_holds_both(fhir: httpx.Client, world: World) -> None:
    _merge(fhir, world)
    members = [{"entity": {"reference": f"Patient/{world.target}"}}]
    group = _create(fhir, {"resourceType": "Group", "type": "person", "actual": True, "member": members})["id"]
    by_group = run(fhir, f"/Group/{group}/$export")
    by_patient = run(fhir, "/Patient/$export", parameters(patient=f"Patient/{world.target}"))
    for done in (by_group, by_patient):
        assert done.ids("Patient") == {world.source, world.target}
        assert done.ids("Observation") == {world.of_source[0], world.of_target[0]}
        assert done.ids("Condition") == {world.of_source[1], world.of_target[1]}
    of_source = run(fhir, "/Patient/$export", parameters(patient=f"Patient/{world.source}"))
    assert (of_source.ids("Patient"), of_source.ids("Observation")) == ({world.source}, {world.of_source[0]})
    assert _call(fhir, "unmerge", source_patient=world.source).status_code == 200
    alone = run(fhir, f"/Group/{group}/$export")
    assert (alone.ids("Patient"), alone.ids("Observation")) == ({world.target}, {world.of_target[0]})
