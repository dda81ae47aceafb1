"""http://hl7.org/fhir/R4/http.html#transaction and #trules."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.services.server import Served
from tests.spec.search import hits


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def post(resource: dict[str, Any], full_url: str = "", **request: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"fullUrl": full_url} if full_url else {}
    return {**entry, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"], **request}}


def put(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        **more,
    }


def located(answer: httpx.Response) -> list[str]:
    return [entry["response"]["location"].split("/_history")[0] for entry in answer.json()["entry"]]


def test_references_between_entries_are_rewritten_and_equal_values_are_not(fhir: httpx.Client) -> None:
    name = f"urn:uuid:{uuid.uuid4()}"
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:ietf:rfc:3986", "value": name}]}
    answer = fhir.post("/", json=bundle(post(patient, name), post(observation(name, note=[{"text": name}]))))
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["201 Created", "201 Created"]
    patient_url, observation_url = located(answer)
    stored = fhir.get(f"/{observation_url}").json()
    assert stored["subject"]["reference"] == patient_url
    assert stored["note"][0]["text"] == name
    assert fhir.get(f"/{patient_url}").json()["identifier"][0]["value"] == name


def test_narrative_links_and_uri_elements_are_rewritten(fhir: httpx.Client) -> None:
    name = f"urn:uuid:{uuid.uuid4()}"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{name}">patient</a> {name}</div>'
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "text": {"status": "generated", "div": div},
        "content": [{"attachment": {"url": name, "title": name}}],
    }
    answer = fhir.post(
        "/", json=bundle(post({"resourceType": "Binary", "contentType": "text/plain"}, name), post(document))
    )
    binary_url, document_url = located(answer)
    stored = fhir.get(f"/{document_url}").json()
    assert stored["content"][0]["attachment"] == {"url": binary_url, "title": name}
    assert f'href="{binary_url}"' in stored["text"]["div"]
    assert f"> {name}<" in stored["text"]["div"].replace("</a>", ">")


def test_a_conditional_reference_becomes_a_literal_one(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    practitioner = {
        "resourceType": "Practitioner",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": value}],
    }
    practitioner_id = fhir.post("/Practitioner", json=practitioner).json()["id"]
    wanted = f"Practitioner?identifier=https://rpps.esante.gouv.fr|{value}"
    answer = fhir.post("/", json=bundle(post(observation("Patient/x", performer=[{"reference": wanted}]))))
    stored = fhir.get(f"/{located(answer)[0]}").json()
    assert stored["performer"][0]["reference"] == f"Practitioner/{practitioner_id}"


def test_a_conditional_reference_without_match_fails_the_whole(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    patient = {"resourceType": "Patient", "identifier": [{"value": marker}]}
    wanted = "Practitioner?identifier=urn:none|nobody"
    answer = fhir.post(
        "/", json=bundle(post(patient), post(observation("Patient/x", performer=[{"reference": wanted}])))
    )
    assert answer.status_code == 412
    issue = answer.json()["issue"][0]
    assert issue["expression"] == ["Bundle.entry[1].resource"]
    assert wanted in issue["diagnostics"]
    assert hits(fhir, f"/Patient?identifier={marker}") == []


def test_a_conditional_create_finds_what_stands_and_others_refer_to_it(fhir: httpx.Client) -> None:
    value, name = str(uuid.uuid4()), f"urn:uuid:{uuid.uuid4()}"
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:t", "value": value}]}
    entries = [post(patient, name, ifNoneExist=f"identifier=urn:t|{value}"), post(observation(name))]
    first, second = (fhir.post("/", json=bundle(*entries)) for _ in range(2))
    assert [e["response"]["status"] for e in second.json()["entry"]] == ["200 OK", "201 Created"]
    assert located(first)[0] == located(second)[0]
    assert fhir.get(f"/{located(second)[1]}").json()["subject"]["reference"] == located(first)[0]


def test_every_problem_of_every_entry_is_told_and_nothing_is_written(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    good = {"resourceType": "Patient", "identifier": [{"value": marker}]}
    answer = fhir.post(
        "/",
        json=bundle(
            post(good), post({"resourceType": "Patient", "gendre": "x"}), post({"resourceType": "Observation"})
        ),
    )
    assert answer.status_code == 400
    places = [issue["expression"][0] for issue in answer.json()["issue"]]
    assert "Bundle.entry[1].resource.gendre" in places
    assert "Bundle.entry[2].resource.status" in places
    assert "Bundle.entry[2].resource.code" in places
    assert hits(fhir, f"/Patient?identifier={marker}") == []


def test_put_delete_and_get_work_in_one_transaction(fhir: httpx.Client) -> None:
    kept, gone = str(uuid.uuid4()), str(uuid.uuid4())
    fhir.put(f"/Patient/{gone}", json={"resourceType": "Patient", "id": gone})
    entries = [
        {"request": {"method": "GET", "url": f"Patient/{kept}"}},
        put({"resourceType": "Patient", "id": kept, "gender": "female"}),
        {"request": {"method": "DELETE", "url": f"Patient/{gone}"}},
    ]
    answer = fhir.post("/", json=bundle(*entries)).json()
    assert [entry["response"]["status"] for entry in answer["entry"]] == ["200 OK", "201 Created", "204 No Content"]
    assert answer["entry"][0]["resource"]["gender"] == "female"
    assert fhir.get(f"/Patient/{gone}").status_code == 410


def test_one_resource_twice_is_refused(fhir: httpx.Client) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    answer = fhir.post("/", json=bundle(put(patient), put({**patient, "active": True})))
    assert answer.status_code == 400
    assert {issue["expression"][0] for issue in answer.json()["issue"]} == {"Bundle.entry[0]", "Bundle.entry[1]"}


def test_a_transaction_sent_again_under_its_key_writes_nothing(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    body = bundle(post({"resourceType": "Patient", "identifier": [{"value": marker}]}))
    answers = [fhir.post("/", json=body, headers={"Idempotency-Key": marker}) for _ in range(3)]
    assert len({a.text for a in answers}) == 1
    assert len(hits(fhir, f"/Patient?identifier={marker}")) == 1


def test_two_transactions_over_the_same_patients_in_opposite_order_both_end(fhir: httpx.Client) -> None:
    ids = [str(uuid.uuid4()) for _ in range(30)]
    fhir.post("/", json=bundle(*(put({"resourceType": "Patient", "id": i}) for i in ids)))

    def rewrite(number: int) -> int:
        order = ids if number % 2 else ids[::-1]
        patients = ({"resourceType": "Patient", "id": i, "multipleBirthInteger": number} for i in order)
        return fhir.post("/", json=bundle(*(put(p) for p in patients))).status_code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert set(pool.map(rewrite, range(24))) == {200}
    assert {fhir.get(f"/Patient/{i}").json()["meta"]["versionId"] for i in ids} == {"25"}


def test_another_bundle_type_answers_400_and_says_where_it_belongs(fhir: httpx.Client) -> None:
    answer = fhir.post("/", json=bundle(post({"resourceType": "Patient"}), kind="collection"))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Bundle.type"]


def test_an_empty_transaction_is_answered_with_an_empty_response(fhir: httpx.Client) -> None:
    answer = fhir.post("/", json={"resourceType": "Bundle", "type": "transaction"})
    assert (answer.status_code, answer.json()) == (200, {"resourceType": "Bundle", "type": "transaction-response"})


def test_the_order_of_entries_does_not_matter(fhir: httpx.Client) -> None:
    gone, kept = str(uuid.uuid4()), str(uuid.uuid4())
    fhir.put(f"/Patient/{gone}", json={"resourceType": "Patient", "id": gone})
    name = f"urn:uuid:{uuid.uuid4()}"
    entries = [
        {"request": {"method": "GET", "url": f"Observation?subject=Patient/{kept}"}},
        {"request": {"method": "GET", "url": f"Patient/{kept}/_history"}},
        put({"resourceType": "Patient", "id": kept}),
        post(observation(f"Patient/{kept}", focus=[{"reference": name}])),
        post({"resourceType": "Device"}, name),
        {"request": {"method": "DELETE", "url": f"Patient/{gone}"}},
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 200, answer.text
    search, history, *_ = answer.json()["entry"]
    assert [e["response"]["status"][:3] for e in answer.json()["entry"]] == ["200", "200", "201", "201", "201", "204"]
    assert [e["resource"]["resourceType"] for e in search["resource"]["entry"]] == ["Observation"]
    assert history["resource"]["total"] == 1
    assert fhir.get(f"/Patient/{gone}").status_code == 410


def test_an_entry_that_cannot_be_read_fails_the_whole(fhir: httpx.Client) -> None:
    kept = str(uuid.uuid4())
    missing = {"request": {"method": "GET", "url": "Patient/nobody-has-this-id"}}
    answer = fhir.post("/", json=bundle(put({"resourceType": "Patient", "id": kept}), missing))
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert fhir.get(f"/Patient/{kept}").status_code == 404


def test_a_failed_transaction_leaves_no_event(served: Served, fhir: httpx.Client) -> None:
    kept = str(uuid.uuid4())
    fhir.put(f"/Patient/{kept}", json={"resourceType": "Patient", "id": kept})
    before = served.events()
    stale = {**put({"resourceType": "Patient", "id": kept, "active": True})}
    stale["request"]["ifMatch"] = 'W/"7"'
    answer = fhir.post("/", json=bundle(post({"resourceType": "Patient"}), stale))
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert served.events() == before
    assert fhir.get(f"/Patient/{kept}").headers["etag"] == 'W/"1"'


def test_prefer_minimal_leaves_resources_out_of_what_was_written(fhir: httpx.Client) -> None:
    read = {"request": {"method": "GET", "url": "Patient?_count=1"}}
    answer = fhir.post("/", json=bundle(post({"resourceType": "Patient"}), read), headers={"Prefer": "return=minimal"})
    written, found = answer.json()["entry"]
    assert "resource" not in written
    assert written["response"]["location"].startswith("Patient/")
    assert written["response"]["etag"] == 'W/"1"'
    assert found["resource"]["type"] == "searchset"


def test_prefer_operation_outcome_tells_of_each_write(fhir: httpx.Client) -> None:
    prefer = {"Prefer": "return=OperationOutcome"}
    (entry,) = fhir.post("/", json=bundle(post({"resourceType": "Patient"})), headers=prefer).json()["entry"]
    assert entry["response"]["outcome"]["issue"][0]["severity"] == "information"
    assert "resource" not in entry


def test_a_full_url_agrees_with_the_id_and_names_no_version(fhir: httpx.Client) -> None:
    other = post({"resourceType": "Patient", "id": "a"}, "http://example.org/fhir/Patient/b")
    version = post({"resourceType": "Patient"}, "http://example.org/fhir/Patient/b/_history/2")
    answer = fhir.post("/", json=bundle(other, version))
    assert answer.status_code == 400
    places = [issue["expression"][0] for issue in answer.json()["issue"]]
    assert places == ["Bundle.entry[0].fullUrl", "Bundle.entry[1].fullUrl"]


def test_one_full_url_twice_is_refused(fhir: httpx.Client) -> None:
    name = f"urn:uuid:{uuid.uuid4()}"
    answer = fhir.post(
        "/", json=bundle(post({"resourceType": "Patient"}, name), post({"resourceType": "Device"}, name))
    )
    assert answer.status_code == 400
    assert [i["expression"][0] for i in answer.json()["issue"]] == [
        "Bundle.entry[0].fullUrl",
        "Bundle.entry[1].fullUrl",
    ]


def test_a_relative_reference_is_relative_to_the_full_url_of_its_entry(fhir: httpx.Client) -> None:
    here = str(uuid.uuid4())
    fhir.put(f"/Patient/{here}", json={"resourceType": "Patient", "id": here})
    entries = [
        post({"resourceType": "Patient"}, f"http://a.example/fhir/Patient/{here}"),
        post(observation(f"Patient/{here}"), "http://a.example/fhir/Observation/1"),
        post(observation(f"Patient/{here}"), f"urn:uuid:{uuid.uuid4()}"),
        post(observation(f"http://a.example/fhir/Patient/{here}"), f"urn:uuid:{uuid.uuid4()}"),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    patient, *observations = located(answer)
    subjects = [fhir.get(f"/{url}").json()["subject"]["reference"] for url in observations]
    assert subjects == [patient, f"Patient/{here}", patient]


def test_urn_oid_names_an_entry_and_a_fragment_of_it(fhir: httpx.Client) -> None:
    name = f"urn:oid:1.2.3.{uuid.uuid4().int}"
    entries = [post({"resourceType": "Patient"}, name), post(observation(name, focus=[{"reference": f"{name}#x"}]))]
    answer = fhir.post("/", json=bundle(*entries))
    patient, url = located(answer)
    stored = fhir.get(f"/{url}").json()
    assert (stored["subject"]["reference"], stored["focus"][0]["reference"]) == (patient, f"{patient}#x")


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        ({"method": "POST", "url": "/"}, "Bundle.entry[0].request.url"),
        ({"method": "PUT", "url": "http://elsewhere.example/fhir/Patient/1"}, "Bundle.entry[0].request.url"),
        ({"method": "POST", "url": "Patient/1"}, "Bundle.entry[0].request.url"),
    ],
)
@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_what_an_entry_cannot_ask_for_is_refused_with_its_place(
    fhir: httpx.Client, kind: str, request_: dict[str, str], place: str
) -> None:
    answer = fhir.post("/", json=bundle({"resource": {"resourceType": "Patient"}, "request": request_}, kind=kind))
    outcome = answer.json()
    if kind == "batch":
        outcome = outcome["entry"][0]["response"]["outcome"]
    assert outcome["issue"][0]["expression"][0].startswith(place.removesuffix(".request.url"))
    assert outcome["issue"][0]["details"]["text"]


def test_a_transaction_is_repeated_under_its_identifier(fhir: httpx.Client) -> None:
    marker = str(uuid.uuid4())
    body = bundle(post({"resourceType": "Patient", "identifier": [{"value": marker}]}))
    body["identifier"] = {"system": "urn:sender", "value": marker}
    answers = [fhir.post("/", json=body) for _ in range(2)]
    assert [a.headers.get("x-ecluse-repeated") for a in answers] == [None, "true"]
    assert answers[0].text == answers[1].text
    assert len(hits(fhir, f"/Patient?identifier={marker}")) == 1
    body["entry"].append(post({"resourceType": "Device"}))
    assert fhir.post("/", json=body).status_code == 409
    assert fhir.post("/", json=body, headers={"X-Ecluse-Sender": "another"}).status_code == 200


def person(kind: str, value: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "identifier": [{"system": "urn:t", "value": value}], **more}


def asked(method: str, url: str, resource: dict[str, Any] | None = None, **request: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"resource": resource} if resource else {}
    return {**entry, "request": {"method": method, "url": url, **request}}


def test_conditional_updates_and_deletes_find_their_resources(fhir: httpx.Client) -> None:
    known, gone, new, never = (str(uuid.uuid4()) for _ in range(4))
    known_id, gone_id = (fhir.post("/Patient", json=person("Patient", v)).json()["id"] for v in (known, gone))
    name = f"urn:uuid:{uuid.uuid4()}"
    entries = [
        asked("PUT", f"Patient?identifier=urn:t|{known}", person("Patient", known, active=True)) | {"fullUrl": name},
        asked("PUT", f"Patient?identifier=urn:t|{new}", person("Patient", new)),
        asked("DELETE", f"Patient?identifier=urn:t|{gone}"),
        asked("DELETE", f"Patient?identifier=urn:t|{never}"),
        post(observation(name)),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 200, answer.text
    answers = answer.json()["entry"]
    assert [e["response"]["status"][:3] for e in answers] == ["200", "201", "204", "204", "201"]
    assert answers[0]["response"]["location"] == f"Patient/{known_id}/_history/2"
    assert answers[4]["resource"]["subject"]["reference"] == f"Patient/{known_id}"
    assert fhir.get(f"/Patient/{gone_id}").status_code == 410
    assert len(hits(fhir, f"/Patient?identifier=urn:t|{new}")) == 1


@pytest.mark.parametrize("plain", [True, False])
def test_two_entries_that_mean_the_same_resource_are_refused(fhir: httpx.Client, plain: bool) -> None:
    one, other = (str(uuid.uuid4()) for _ in range(2))
    patient = person("Patient", one)
    patient["identifier"].append({"system": "urn:t", "value": other})
    resource_id = fhir.post("/Patient", json=patient).json()["id"]
    entries = [
        asked("PUT", f"Patient?identifier=urn:t|{one}", {**patient, "active": True}),
        put({**patient, "id": resource_id}) if plain else post(patient, ifNoneExist=f"identifier=urn:t|{other}"),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 412
    places = [issue["expression"][0] for issue in answer.json()["issue"]]
    assert places == ["Bundle.entry[0]", "Bundle.entry[1]"]
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"1"'


def test_a_condition_with_several_matches_fails_the_whole_and_names_its_entry(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    for _ in range(2):
        fhir.post("/Patient", json=person("Patient", value))
    again = asked("PUT", f"Patient?identifier=urn:t|{value}", person("Patient", value))
    answer = fhir.post("/", json=bundle(post({"resourceType": "Device"}), again))
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]


def test_what_a_transaction_deletes_is_created_again_by_its_conditional_create(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    resource_id = fhir.post("/Patient", json=person("Patient", value)).json()["id"]
    entries = [
        post(person("Patient", value), ifNoneExist=f"identifier=urn:t|{value}"),
        asked("DELETE", f"Patient/{resource_id}"),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["201 Created", "204 No Content"]
    assert hits(fhir, f"/Patient?identifier=urn:t|{value}") not in ([], [resource_id])


def test_a_conditional_reference_finds_what_its_own_transaction_writes(fhir: httpx.Client) -> None:
    value, gone = str(uuid.uuid4()), str(uuid.uuid4())
    fhir.put(f"/Practitioner/{gone}", json=person("Practitioner", value, id=gone))
    wanted = {"reference": f"Practitioner?identifier=urn:t|{value}"}
    entries = [
        post(observation("Patient/x", performer=[wanted])),
        post(person("Practitioner", value)),
        asked("DELETE", f"Practitioner/{gone}"),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 200, answer.text
    made, practitioner, _ = answer.json()["entry"]
    assert f"{made['resource']['performer'][0]['reference']}/_history/1" == practitioner["response"]["location"]
    assert made["resource"]["meta"]["versionId"] == "1"
    found = hits(fhir, f"/Observation?performer=Practitioner/{practitioner['resource']['id']}")
    assert found == [made["resource"]["id"]]


def test_a_conditional_reference_to_one_that_stands_and_one_that_is_written_is_refused(fhir: httpx.Client) -> None:
    value = str(uuid.uuid4())
    fhir.post("/Practitioner", json=person("Practitioner", value))
    wanted = {"reference": f"Practitioner?identifier=urn:t|{value}"}
    entries = [post(observation("Patient/x", performer=[wanted])), post(person("Practitioner", value))]
    assert fhir.post("/", json=bundle(*entries)).status_code == 412
    assert len(hits(fhir, f"/Practitioner?identifier=urn:t|{value}")) == 1


def test_if_none_match_star_creates_only(fhir: httpx.Client) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    entry = put(patient)
    entry["request"]["ifNoneMatch"] = "*"
    assert fhir.post("/", json=bundle(entry)).status_code == 200
    answer = fhir.post("/", json=bundle(entry))
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[0]"]


def json_patch(*operations: dict[str, Any]) -> dict[str, Any]:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


def fhirpath_patch(kind: str, path: str, name: str, **value: Any) -> dict[str, Any]:
    parts = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    parts += [{"name": "name", "valueString": name}, {"name": "value", **value}]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_patches_are_a_binary_or_parameters(fhir: httpx.Client, kind: str) -> None:
    ids = [fhir.post("/Patient", json=person("Patient", str(uuid.uuid4()))).json()["id"] for _ in range(2)]
    entries = [
        asked("PATCH", f"Patient/{ids[0]}", json_patch({"op": "add", "path": "/active", "value": True})),
        asked("PATCH", f"Patient/{ids[1]}", fhirpath_patch("add", "Patient", "active", valueBoolean=True)),
    ]
    answer = fhir.post("/", json=bundle(*entries, kind=kind))
    assert answer.status_code == 200, answer.text
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["200 OK", "200 OK"]
    assert [fhir.get(f"/Patient/{one}").json()["active"] for one in ids] == [True, True]


def test_a_conditional_patch_may_refer_to_what_its_transaction_creates(fhir: httpx.Client) -> None:
    value, name = str(uuid.uuid4()), f"urn:uuid:{uuid.uuid4()}"
    patient_id = fhir.post("/Patient", json=person("Patient", value)).json()["id"]
    reference = {"valueReference": {"reference": name}}
    entries = [
        asked(
            "PATCH",
            f"Patient?identifier=urn:t|{value}",
            fhirpath_patch("add", "Patient", "managingOrganization", **reference),
        ),
        post({"resourceType": "Organization", "name": "x"}, name),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 200, answer.text
    patched, organization = answer.json()["entry"]
    assert patched["response"]["location"] == f"Patient/{patient_id}/_history/2"
    stored = fhir.get(f"/Patient/{patient_id}").json()["managingOrganization"]["reference"]
    assert stored == f"Organization/{organization['resource']['id']}"


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        (json_patch({"op": "test", "path": "/active", "value": False}), 422),
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Binary", "contentType": "text/plain", "data": "AAAA"}, 400),
    ],
)
def test_a_patch_that_cannot_be_made_fails_the_whole_and_names_its_entry(
    fhir: httpx.Client, patch: dict[str, Any], status: int
) -> None:
    marker = str(uuid.uuid4())
    patient_id = fhir.post("/Patient", json=person("Patient", str(uuid.uuid4()))).json()["id"]
    answer = fhir.post(
        "/", json=bundle(post(person("Patient", marker)), asked("PATCH", f"Patient/{patient_id}", patch))
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1]")
    assert hits(fhir, f"/Patient?identifier={marker}") == []


def test_operations_run_after_the_writes_and_with_them(fhir: httpx.Client) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    tag = {"system": "urn:t", "code": "seen"}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [tag]}}]}
    entries = [
        asked("POST", f"Patient/{patient['id']}/$meta-add", parameters),
        asked("GET", f"Patient/{patient['id']}/$everything"),
        put(patient),
    ]
    answer = fhir.post("/", json=bundle(*entries))
    assert answer.status_code == 200, answer.text
    tagged, everything, written = answer.json()["entry"]
    assert tagged["resource"]["parameter"][0]["valueMeta"]["tag"] == [tag]
    assert [entry["resource"]["id"] for entry in everything["resource"]["entry"]] == [patient["id"]]
    assert written["response"]["etag"] == 'W/"1"'
    assert fhir.get(f"/Patient/{patient['id']}").json()["meta"]["versionId"] == "2"
    entries[2] = asked("GET", "Patient/nobody-has-this-id")
    assert fhir.post("/", json=bundle(*entries)).status_code == 404
    assert fhir.get(f"/Patient/{patient['id']}").json()["meta"]["versionId"] == "2"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [("Practitioner?nothing=x", 400), ("Fee?identifier=x", 400), ("Organization?identifier=urn:t|%s", 412)],
)
def test_a_conditional_reference_that_cannot_be_resolved_names_its_entry(
    fhir: httpx.Client, wanted: str, status: int
) -> None:
    value = str(uuid.uuid4())
    for _ in range(2):
        fhir.post("/Organization", json=person("Organization", value))
    reference = {"reference": wanted.replace("%s", value)}
    answer = fhir.post(
        "/", json=bundle(post({"resourceType": "Patient"}), post(observation("x", performer=[reference])))
    )
    assert answer.status_code == status, answer.text
    assert [issue["expression"] for issue in answer.json()["issue"]] == [["Bundle.entry[1].resource"]]
