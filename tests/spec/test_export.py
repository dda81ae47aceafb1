"""$export: http://hl7.org/fhir/uv/bulkdata/STU2/export.html, clause by clause."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.spec.bulk import ASYNC, ended, kick_off, parameters, run

CODE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}


def put(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    """The resource as it is stored."""
    answer = client.put(f"/{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.status_code in (200, 201), answer.text
    stored: dict[str, Any] = answer.json()
    return stored


def patient(client: httpx.Client, **more: Any) -> str:
    """The id of a new patient."""
    return put(client, {"resourceType": "Patient", "id": str(uuid.uuid4()), **more})["id"]


def observation(client: httpx.Client, subject: str, **more: Any) -> dict[str, Any]:
    """A new observation."""
    body = {"resourceType": "Observation", "id": str(uuid.uuid4()), "status": "final", "code": CODE}
    return put(client, {**body, "subject": {"reference": f"Patient/{subject}"}, **more})


def group(client: httpx.Client, *members: dict[str, Any]) -> str:
    """The id of a new group. members: as they stand in Group.member"""
    body = {"resourceType": "Group", "id": str(uuid.uuid4()), "type": "person", "actual": True}
    return put(client, {**body, **({"member": list(members)} if members else {})})["id"]


def member(patient_id: str, **more: Any) -> dict[str, Any]:
    """A patient as a member of a group."""
    return {"entity": {"reference": f"Patient/{patient_id}"}, **more}


def text_of(answer: httpx.Response) -> str:
    """What an OperationOutcome says."""
    assert answer.json()["resourceType"] == "OperationOutcome"
    return json.dumps(answer.json()["issue"], ensure_ascii=False)


def test_a_kick_off_answers_202_with_the_address_of_the_job(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient/$export", headers={**ASYNC, "Accept": "application/fhir+json"})
    assert answer.status_code == 202
    assert answer.headers["content-location"].startswith(f"{fhir.base_url}$job/")
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("prefer", [None, "return=minimal", "respond-asynchronously"])
def test_without_respond_async_it_answers_400_and_says_what_to_send(fhir: httpx.Client, prefer: str | None) -> None:
    answer = fhir.get("/$export", headers={"Prefer": prefer} if prefer else {})
    assert answer.status_code == 400
    assert "Prefer: respond-async" in text_of(answer)


@pytest.mark.parametrize("prefer", ["Respond-Async; wait=10", "return=minimal, respond-async", "x; respond-async"])
def test_respond_async_is_read_as_other_preferences_are(fhir: httpx.Client, prefer: str) -> None:
    assert fhir.get("/Patient/$export", headers={"Prefer": prefer}).status_code == 202


def test_a_head_request_starts_nothing(fhir: httpx.Client) -> None:
    assert fhir.head("/$export", headers=ASYNC).status_code == 405


def test_the_manifest_has_what_the_guide_requires(fhir: httpx.Client) -> None:
    before = datetime.now(UTC)
    stored = observation(fhir, patient(fhir))
    done = run(fhir, "/Patient/$export?_type=Observation")
    assert done.answer.headers["content-type"] == "application/json"
    assert parsedate_to_datetime(done.answer.headers["expires"]) > before
    manifest = done.manifest
    assert manifest["request"] == f"{fhir.base_url}Patient/$export?_type=Observation"
    assert manifest["requiresAccessToken"] is False
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    assert datetime.fromisoformat(manifest["transactionTime"]) >= datetime.fromisoformat(stored["meta"]["lastUpdated"])
    assert datetime.fromisoformat(manifest["transactionTime"]) <= datetime.now(UTC)
    assert stored in done.files["output"]["Observation"]


def test_a_body_is_exported_as_it_is_served(fhir: httpx.Client) -> None:
    note = 'quotation " backslash \\ tab \t newline \n é 🩺 \\. \x7f'
    stored = observation(fhir, patient(fhir), note=[{"text": note}])
    served = fhir.get(f"/Observation/{stored['id']}").content
    address = kick_off(fhir, f"/$export?_typeFilter=Observation%3F_id%3D{stored['id']}&_type=Observation")
    manifest = ended(fhir, address).json()
    assert fhir.get(manifest["output"][0]["url"]).content == served + b"\n"


def test_a_file_comes_compressed_to_a_client_that_takes_gzip(fhir: httpx.Client) -> None:
    observation(fhir, patient(fhir))
    manifest = run(fhir, "/Patient/$export?_type=Observation").manifest
    url = manifest["output"][0]["url"]
    packed = fhir.get(url, headers={"Accept-Encoding": "gzip"})
    plain = fhir.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(plain.content)
    assert packed.content == plain.content
    head = fhir.head(url, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == plain.headers["content-length"]


def test_patient_level_has_what_belongs_to_patients_and_nothing_else(fhir: httpx.Client) -> None:
    who = patient(fhir)
    own = observation(fhir, who)["id"]
    anonymous = put(fhir, {"resourceType": "Observation", "id": str(uuid.uuid4()), "status": "final", "code": CODE})[
        "id"
    ]
    put(fhir, {"resourceType": "Organization", "id": str(uuid.uuid4()), "name": "CHU"})
    done = run(fhir, "/Patient/$export")
    assert who in done.ids("Patient")
    assert own in done.ids("Observation")
    assert anonymous not in done.ids("Observation")
    assert "Organization" not in done.files["output"]


def test_system_level_has_everything_of_this_site_and_of_no_other(fhir: httpx.Client, other_site: httpx.Client) -> None:
    here, there = patient(fhir), patient(other_site)
    organization = put(fhir, {"resourceType": "Organization", "id": str(uuid.uuid4()), "name": "CHU"})["id"]
    done = run(fhir, "/$export")
    assert here in done.ids("Patient")
    assert there not in done.ids("Patient")
    assert organization in done.ids("Organization")
    elsewhere = run(other_site, "/$export?_type=Patient")
    assert there in elsewhere.ids("Patient")
    assert here not in elsewhere.ids("Patient")


def test_a_job_and_its_files_are_unknown_to_other_sites(fhir: httpx.Client, other_site: httpx.Client) -> None:
    patient(fhir)
    done = run(fhir, "/Patient/$export?_type=Patient")
    foreign = done.address.replace("/fhir/", "/sites/north/fhir/")
    name = done.manifest["output"][0]["url"].rsplit("/", 1)[1]
    assert other_site.get(foreign).status_code == 404
    assert other_site.get(f"{foreign}/{name}").status_code == 404
    assert other_site.delete(foreign).status_code == 404
    assert fhir.get(done.address).status_code == 200


def test_group_level_has_what_belongs_to_its_present_members(fhir: httpx.Client) -> None:
    inside, inactive, past, future, present, outside = (patient(fhir) for _ in range(6))
    for each in (inside, inactive, past, future, present, outside):
        observation(fhir, each)
    nested = group(fhir, member(present, period={"start": "2020-01-01", "end": "2999"}))
    group_id = group(
        fhir,
        member(inside),
        member(inactive, inactive=True),
        member(past, period={"end": "2020-01-01"}),
        member(future, period={"start": "2999-01-01"}),
        {"entity": {"reference": f"Group/{nested}"}},
    )
    group(fhir, member(inside), member(outside))
    done = run(fhir, f"/Group/{group_id}/$export")
    assert done.ids("Patient") == {inside, present}
    subjects = {each["subject"]["reference"] for each in done.files["output"]["Observation"]}
    assert subjects == {f"Patient/{inside}", f"Patient/{present}"}
    assert done.ids("Group") == {group_id}


def test_group_level_of_an_unknown_group_answers_404_and_of_a_deleted_one_410(fhir: httpx.Client) -> None:
    assert fhir.get("/Group/nobody/$export", headers=ASYNC).status_code == 404
    group_id = group(fhir)
    fhir.delete(f"/Group/{group_id}")
    assert fhir.get(f"/Group/{group_id}/$export", headers=ASYNC).status_code == 410


def test_a_group_without_members_exports_nothing_of_patients(fhir: httpx.Client) -> None:
    group_id = group(fhir)
    done = run(fhir, f"/Group/{group_id}/$export")
    assert set(done.files["output"]) <= {"Group"}


def test_a_provenance_of_what_belongs_to_a_patient_is_exported_with_it(fhir: httpx.Client) -> None:
    who, other = patient(fhir), patient(fhir)
    made = [
        put(
            fhir,
            {
                "resourceType": "Provenance",
                "id": str(uuid.uuid4()),
                "target": [{"reference": f"Observation/{observation(fhir, each)['id']}"}],
                "recorded": "2026-01-01T00:00:00Z",
                "agent": [{"who": {"display": "x"}}],
            },
        )["id"]
        for each in (who, other)
    ]
    group_id = group(fhir, member(who))
    assert run(fhir, f"/Group/{group_id}/$export").ids("Provenance") == {made[0]}
    assert run(fhir, "/Patient/$export?_type=Provenance").ids("Provenance") >= set(made)
    assert run(fhir, f"/Group/{group_id}/$export?_type=Observation").ids("Provenance") == set()


def test_what_a_patient_performed_is_in_his_compartment(fhir: httpx.Client) -> None:
    who, other = patient(fhir), patient(fhir)
    made = observation(fhir, other, performer=[{"reference": f"Patient/{who}"}])["id"]
    group_id = group(fhir, member(who))
    assert run(fhir, f"/Group/{group_id}/$export").ids("Observation") == {made}


def test_types_by_commas_or_repeated_are_the_same(fhir: httpx.Client) -> None:
    observation(fhir, patient(fhir))
    by_commas = run(fhir, "/$export?_type=Patient,Observation")
    repeated = run(fhir, "/$export?_type=Patient&_type=Observation")
    assert set(by_commas.files["output"]) == set(repeated.files["output"]) == {"Patient", "Observation"}


def test_an_unknown_type_answers_400_with_the_nearest(fhir: httpx.Client) -> None:
    answer = fhir.get("/$export?_type=Pateint,Observation", headers=ASYNC)
    assert answer.status_code == 400
    assert "Patient" in text_of(answer) and "Pateint" in text_of(answer)


def test_a_lenient_client_gets_the_rest_and_is_told(fhir: httpx.Client) -> None:
    patient(fhir)
    headers = {"Prefer": "respond-async, handling=lenient"}
    done = run(fhir, "/$export?_type=Pateint,Patient&includeAssociatedData=LatestProvenanceResources", headers=headers)
    assert set(done.files["output"]) == {"Patient"}
    told = json.dumps(done.files["error"]["OperationOutcome"])
    assert "Pateint" in told and "includeAssociatedData" in told


def test_types_that_no_patient_has_answer_400_at_patient_level(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient/$export?_type=Organization", headers=ASYNC)
    assert answer.status_code == 400
    assert "system level" in text_of(answer)
    patient(fhir)
    done = run(fhir, "/Patient/$export?_type=Organization,Patient")
    assert set(done.files["output"]) == {"Patient"}
    assert "Organization" in json.dumps(done.files["error"]["OperationOutcome"])


def test_since_has_what_changed_later_and_tells_what_was_deleted(fhir: httpx.Client) -> None:
    old, gone, changed = patient(fhir), patient(fhir), patient(fhir)
    since = run(fhir, "/Patient/$export?_type=Patient").manifest["transactionTime"]
    fhir.delete(f"/Patient/{gone}")
    put(fhir, {"resourceType": "Patient", "id": changed, "gender": "female"})
    new = patient(fhir)
    done = run(fhir, f"/Patient/$export?_since={since}&_type=Patient")
    assert {changed, new} <= done.ids("Patient")
    assert not {old, gone} & done.ids("Patient")
    bundles = done.files["deleted"]["Bundle"]
    assert {bundle["type"] for bundle in bundles} == {"transaction"}
    requests = [entry["request"] for bundle in bundles for entry in bundle["entry"]]
    assert {"method": "DELETE", "url": f"Patient/{gone}"} in requests
    assert {request["method"] for request in requests} == {"DELETE"}
    assert fhir.post("/", json=bundles[0]).status_code == 200
    assert run(fhir, "/Patient/$export?_type=Patient").manifest["deleted"] == []


def test_since_takes_a_time_zone_and_a_posted_instant(fhir: httpx.Client) -> None:
    who = patient(fhir)
    assert who in run(fhir, "/Patient/$export?_type=Patient&_since=2026-01-01T00:00:00%2B02:00").ids("Patient")
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_since", "valueInstant": "2026-01-01T00:00:00.000Z"},
            {"name": "_type", "valueString": "Patient"},
        ],
    }
    assert who in run(fhir, "/Patient/$export", body).ids("Patient")


def test_until_has_what_changed_earlier(fhir: httpx.Client) -> None:
    early = patient(fhir)
    until = run(fhir, "/Patient/$export?_type=Patient").manifest["transactionTime"]
    late = patient(fhir)
    ids = run(fhir, f"/Patient/$export?_type=Patient&_until={until}").ids("Patient")
    assert early in ids
    assert late not in ids


@pytest.mark.parametrize("query", ["_since=yesterday", "_until=2026-13-01", "_since=2026&_since=2027"])
def test_what_is_no_instant_answers_400(fhir: httpx.Client, query: str) -> None:
    answer = fhir.get(f"/$export?{query}", headers=ASYNC)
    assert answer.status_code == 400
    assert query[:6] in text_of(answer)


@pytest.mark.parametrize(
    "written", ["application/fhir%2Bndjson", "application/fhir+ndjson", "ndjson", "application/ndjson"]
)
def test_each_name_of_ndjson_is_taken(fhir: httpx.Client, written: str) -> None:
    patient(fhir)
    assert run(fhir, f"/Patient/$export?_type=Patient&_outputFormat={written}").ids("Patient")


def test_another_format_answers_400(fhir: httpx.Client) -> None:
    answer = fhir.get("/$export?_outputFormat=application/fhir%2Bparquet", headers=ASYNC)
    assert answer.status_code == 400
    assert "application/fhir+ndjson" in text_of(answer)


def test_type_filters_of_a_type_add_up_and_leave_other_types_whole(fhir: httpx.Client) -> None:
    who = patient(fhir)
    final = observation(fhir, who)["id"]
    amended = observation(fhir, who, status="amended", effectiveDateTime="2026-03-01")["id"]
    too_old = observation(fhir, who, status="amended", effectiveDateTime="2020-03-01")["id"]
    filters = f"Observation?subject=Patient/{who}&status=final,Observation?status=amended&date=gt2025-01-01T00:00:00Z"
    group_id = group(fhir, member(who))
    query = httpx.QueryParams({"_type": "Patient,Observation", "_typeFilter": filters})
    for done in (
        run(fhir, f"/Group/{group_id}/$export?{query}"),
        run(
            fhir,
            f"/Group/{group_id}/$export",
            parameters(_type="Patient,Observation", _typeFilter=filters.replace(",", "\n").split("\n")),
        ),
    ):
        assert done.ids("Observation") == {final, amended}
        assert too_old not in done.ids("Observation")
        assert done.ids("Patient") == {who}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Observation?nonsense=1", "nonsense"),
        ("Observation?_sort=date", "_sort"),
        ("Observation?status=final&_include=Observation:subject", "_include"),
        ("status=final", "Observation?status=final"),
        ("Condition?code=x", "not among"),
        ("Observation?", "no search parameter"),
    ],
)
def test_a_filter_that_cannot_be_obeyed_answers_400(fhir: httpx.Client, written: str, said: str) -> None:
    query = httpx.QueryParams({"_type": "Observation", "_typeFilter": written})
    answer = fhir.get(f"/$export?{query}", headers=ASYNC)
    assert answer.status_code == 400
    assert said in text_of(answer)


def test_elements_leave_what_is_named_and_what_is_required_and_mark_it(fhir: httpx.Client) -> None:
    who = patient(fhir, gender="female", birthDate="1956-03-02", name=[{"family": "Martin"}])
    made = observation(fhir, who, effectiveDateTime="2026-01-01", valueString="x")
    group_id = group(fhir, member(who))
    done = run(fhir, f"/Group/{group_id}/$export?_type=Patient,Observation&_elements=Patient.gender,id,value")
    (found,) = done.files["output"]["Patient"]
    assert set(found) == {"resourceType", "id", "meta", "gender"}
    assert found["meta"]["tag"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    ]
    (seen,) = done.files["output"]["Observation"]
    assert seen["id"] == made["id"]
    assert set(seen) == {"resourceType", "id", "meta", "status", "code", "valueString"}


@pytest.mark.parametrize("written", ["Patient.nom", "Patient.name.family", "Nobody.name"])
def test_an_unknown_element_answers_400(fhir: httpx.Client, written: str) -> None:
    answer = fhir.get(f"/Patient/$export?_elements={written}", headers=ASYNC)
    assert answer.status_code == 400
    assert written in text_of(answer)


def test_patients_that_are_posted_narrow_the_export(fhir: httpx.Client) -> None:
    first, second, third = (patient(fhir) for _ in range(3))
    for each in (first, second, third):
        observation(fhir, each)
    done = run(fhir, "/Patient/$export", parameters(patient=[f"Patient/{first}", f"Patient/{second}"]))
    assert done.ids("Patient") == {first, second}
    assert len(done.files["output"]["Observation"]) == 2
    group_id = group(fhir, member(first), member(third))
    done = run(fhir, f"/Group/{group_id}/$export", parameters(patient=f"{fhir.base_url}Patient/{third}"))
    assert done.ids("Patient") == {third}


def test_patients_that_are_not_here_or_no_members_answer_400(fhir: httpx.Client) -> None:
    answer = fhir.post("/Patient/$export", json=parameters(patient="Patient/nobody"), headers=ASYNC)
    assert answer.status_code == 400
    assert "Patient/nobody" in text_of(answer)
    group_id = group(fhir, member(patient(fhir)))
    outside = patient(fhir)
    answer = fhir.post(f"/Group/{group_id}/$export", json=parameters(patient=f"Patient/{outside}"), headers=ASYNC)
    assert answer.status_code == 400
    assert outside in text_of(answer)


def test_patient_in_a_get_or_at_system_level_answers_400_also_to_a_lenient_client(fhir: httpx.Client) -> None:
    headers = {"Prefer": "respond-async, handling=lenient"}
    who = patient(fhir)
    assert fhir.get(f"/Patient/$export?patient=Patient/{who}", headers=headers).status_code == 400
    assert fhir.post("/$export", json=parameters(patient=f"Patient/{who}"), headers=headers).status_code == 400


@pytest.mark.parametrize("name", ["includeAssociatedData", "organizeOutputBy", "allowPartialManifests", "_unknown"])
def test_a_parameter_that_is_not_served_answers_400_with_its_name(fhir: httpx.Client, name: str) -> None:
    answer = fhir.get(f"/$export?{name}=true", headers=ASYNC)
    assert answer.status_code == 400
    assert name in text_of(answer)


def test_all_that_is_wrong_is_told_at_once(fhir: httpx.Client) -> None:
    answer = fhir.get("/$export?_since=x&_type=Nobody&_outputFormat=csv&organizeOutputBy=Patient", headers=ASYNC)
    assert answer.status_code == 400
    assert len(answer.json()["issue"]) >= 4


def test_names_and_values_and_preference_are_told_together(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient/$export?_sice=2020&_since=x&_until=y&patient=%2F&patient=Group/1&_pretty=maybe")
    assert answer.status_code == 400
    texts = [issue["details"]["text"] for issue in answer.json()["issue"]]
    begun = ("_pretty:", "This operation has no parameter _sice", "This takes its time", "_since:", "_until:")
    assert [text.startswith(start) for start, text in zip(begun, texts, strict=False)] == [True] * 5, texts
    assert [text.partition(":")[0] for text in texts[5:]] == ["patient"] * 3


def test_a_body_that_is_no_parameters_answers_400(fhir: httpx.Client) -> None:
    answer = fhir.post("/$export", json={"resourceType": "Patient"}, headers=ASYNC)
    assert answer.status_code == 400
    answer = fhir.post("/$export", content=b"x", headers={**ASYNC, "Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_the_address_of_an_attachment_can_be_followed(fhir: httpx.Client) -> None:
    who = patient(fhir)
    binary = put(
        fhir, {"resourceType": "Binary", "id": str(uuid.uuid4()), "contentType": "text/plain", "data": "eA=="}
    )["id"]
    attachment = {"contentType": "text/plain", "url": f"Binary/{binary}", "title": '"url":"Binary/x'}
    content = [{"attachment": attachment}]
    subject = {"reference": f"Patient/{who}"}
    body = {"resourceType": "DocumentReference", "id": str(uuid.uuid4()), "status": "current", "content": content}
    put(fhir, {**body, "subject": subject})
    group_id = group(fhir, member(who))
    (document,) = run(fhir, f"/Group/{group_id}/$export").files["output"]["DocumentReference"]
    found = document["content"][0]["attachment"]
    assert found == {**attachment, "url": f"{fhir.base_url}Binary/{binary}"}
    assert fhir.get(found["url"]).status_code == 200


def test_a_deleted_job_is_gone_with_its_files(fhir: httpx.Client) -> None:
    patient(fhir)
    done = run(fhir, "/Patient/$export?_type=Patient")
    answer = fhir.delete(done.address)
    assert answer.status_code == 202
    assert answer.json()["resourceType"] == "OperationOutcome"
    for again in (fhir.get(done.address), fhir.delete(done.address), fhir.get(done.manifest["output"][0]["url"])):
        assert again.status_code == 404
        assert again.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("path", ["..", "..%2f..%2fpostgres", "Patient.1.ndjson", "Patient.9.ndjson", "x", "input"])
def test_only_files_of_the_manifest_are_served(fhir: httpx.Client, path: str) -> None:
    observation(fhir, patient(fhir))
    done = run(fhir, "/Patient/$export?_type=Observation")
    assert fhir.get(f"{done.address}/{path}").status_code == 404
    assert fhir.get(f"/$job/{path}/x").status_code == 404
    assert fhir.post(done.address).status_code == 405


def test_the_capability_statement_declares_the_three_exports(fhir: httpx.Client) -> None:
    statement = fhir.get("/metadata").json()
    assert "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data" in statement["instantiates"]
    rest = statement["rest"][0]
    of_type = {entry["type"]: entry for entry in rest["resource"]}
    base = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
    assert {"name": "export", "definition": f"{base}/export"} in rest["operation"]
    assert {"name": "export", "definition": f"{base}/patient-export"} in of_type["Patient"]["operation"]
    assert {"name": "export", "definition": f"{base}/group-export"} in of_type["Group"]["operation"]


def test_what_was_purged_is_told_as_deleted(fhir: httpx.Client) -> None:
    who = patient(fhir)
    since = run(fhir, "/Patient/$export?_type=Patient").manifest["transactionTime"]
    assert fhir.post(f"/Patient/{who}/$purge").status_code == 200
    done = run(fhir, f"/Patient/$export?_type=Patient&_since={since}")
    assert who not in done.ids("Patient")
    assert f"Patient/{who}" in json.dumps(done.files["deleted"]["Bundle"])
