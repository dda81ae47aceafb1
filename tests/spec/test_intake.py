"""What arrived, what was refused, and why: a row for each request that wanted to write."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.services.server import Served
from tests.spec.test_transaction import bundle, post, put

WITHIN_S = 60.0


@pytest.fixture
def sender(fhir: httpx.Client) -> Iterator[str]:
    """A sender of this test alone."""
    name = f"lab-{uuid.uuid4()}"
    fhir.headers["X-Ecluse-Sender"] = name
    yield name
    del fhir.headers["X-Ecluse-Sender"]


def rows(served: Served, count: int, **filters: str) -> list[dict[str, Any]]:
    """The rows of the intake, once there are as many; the oldest first."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = httpx.get(f"{served.url}/intake.json", params=filters, timeout=30)
        assert answer.status_code == 200, answer.text
        found = answer.json()[::-1]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, found
            return found
        time.sleep(0.05)


def test_each_write_leaves_a_row_with_its_counts(served: Served, fhir: httpx.Client, sender: str) -> None:
    patient = {"resourceType": "Patient", "id": str(uuid.uuid4())}
    address = f"/Patient/{patient['id']}"
    body = bundle(post({"resourceType": "Device"}), put({**patient, "active": False}), post({"resourceType": "Device"}))
    fhir.put(address, json=patient)
    fhir.put(address, json={**patient, "active": True})
    fhir.put(address, json={**patient, "active": True})
    fhir.post("/", json=body)
    fhir.delete(address)
    fhir.delete(address)
    found = rows(served, 6, sender=sender)
    told = [
        (r["method"], r["target"], r["status"], r["created"], r["updated"], r["deleted"], r["reason"]) for r in found
    ]
    assert told == [
        ("PUT", "Patient", 201, 1, 0, 0, ""),
        ("PUT", "Patient", 200, 0, 1, 0, ""),
        ("PUT", "Patient", 200, 0, 0, 0, "unchanged"),
        ("POST", "Bundle", 200, 2, 1, 0, ""),
        ("DELETE", "Patient", 204, 0, 0, 1, ""),
        ("DELETE", "Patient", 204, 0, 0, 0, "unchanged"),
    ]
    assert {row["site"] for row in found} == {"default"}
    assert found[3]["entries"] == 3
    assert found[3]["bytes"] > len(json.dumps(body)) // 2
    assert all(row["took_ms"] >= 0 and row["request_id"] for row in found)


REFUSED = {
    "broken JSON": ("POST", "/Patient", b'{"resourceType":"Patient"', {}, 400, "structure"),
    "not FHIR": ("POST", "/Patient", b'{"resourceType":"Patient","name":"Dupont"}', {}, 400, "structure"),
    "no JSON": ("POST", "/Patient", b"<x/>", {"Content-Type": "text/plain"}, 415, "not-supported"),
    "too large": ("POST", "/", gzip.compress(b"0" * (70 << 20)), {"Content-Encoding": "gzip"}, 413, "too-long"),
    "no such type": ("PUT", "/Person1/x", b"{}", {}, 404, "not-found"),
    "another version": (
        "PUT",
        "/Patient/%s",
        b'{"resourceType":"Patient","id":"%s"}',
        {"If-Match": 'W/"9"'},
        412,
        "conflict",
    ),
    "no such method": ("DELETE", "/metadata", b"", {}, 405, "not-supported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_leaves_a_row_that_says_why(served: Served, fhir: httpx.Client, sender: str, case: str) -> None:
    method, address, body, headers, status, reason = REFUSED[case]
    resource_id = str(uuid.uuid4())
    address, body = address.replace("%s", resource_id), body.replace(b"%s", resource_id.encode())
    headers = {"Content-Type": "application/fhir+json", "X-Request-Id": f"refused {resource_id}", **headers}
    answer = fhir.request(method, address, content=body, headers=headers)
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, f"refused {resource_id}")
    (row,) = rows(served, 1, sender=sender)
    assert (row["method"], row["status"], row["reason"], row["refused"]) == (method, status, reason, 1)
    assert row["request_id"] == f"refused {resource_id}"
    assert row["issues"][0]["text"]
    assert row["issues"][0]["severity"] == "error"
    assert "Dupont" not in json.dumps(row)
    assert resource_id not in json.dumps(row["issues"])
    assert [] == rows(served, 0, sender=sender, status="2xx")
    assert len(rows(served, 1, sender=sender, status=str(status), reason=reason, site="default")) == 1


def test_a_request_to_a_site_that_there_is_not_is_noted_without_one(served: Served) -> None:
    name = str(uuid.uuid4())
    answer = httpx.post(f"{served.url}/sites/nowhere/fhir/Patient", json={}, headers={"X-Ecluse-Sender": name})
    assert answer.status_code == 404
    (row,) = rows(served, 1, sender=name)
    assert (row["site"], row["status"], row["target"]) == (None, 404, "Patient")


def test_reads_searches_and_validations_leave_no_row(served: Served, fhir: httpx.Client, sender: str) -> None:
    fhir.get("/Patient/nobody")
    fhir.post("/Patient/_search", data={"nothing": "x"})
    fhir.get("/Patient?nothing=x")
    fhir.post("/", json=bundle({"request": {"method": "GET", "url": "Patient/nobody"}}, kind="batch"))
    fhir.post("/Patient", json={"resourceType": "Patient"})
    (row,) = rows(served, 1, sender=sender)
    assert row["status"] == 201


def test_a_batch_is_one_row_with_the_reasons_of_its_entries(served: Served, fhir: httpx.Client, sender: str) -> None:
    bad, good = post({"resourceType": "Patient", "name": "Dupont"}), post({"resourceType": "Patient"})
    fhir.post("/", json=bundle(good, bad, good, kind="batch"))
    (row,) = rows(served, 1, sender=sender)
    assert (row["target"], row["entries"], row["created"], row["refused"]) == ("Bundle", 3, 2, 1)
    assert row["issues"][0]["expression"] == "Bundle.entry[1].resource.name"
    assert [part["part"] for part in rows(served, 3, sender=sender, parts="true")] == [0, 2, None]


def test_a_request_that_was_answered_before_is_noted_as_repeated(
    served: Served, fhir: httpx.Client, sender: str
) -> None:
    for _ in range(2):
        fhir.post("/Patient", json={"resourceType": "Patient"}, headers={"Idempotency-Key": sender})
    assert [(r["status"], r["reason"], r["created"]) for r in rows(served, 2, sender=sender)] == [
        (201, "", 1),
        (201, "repeated", 0),
    ]


def test_the_command_shows_what_the_address_shows(served: Served, fhir: httpx.Client, sender: str) -> None:
    request_id = f"r-{uuid.uuid4()}"
    fhir.post("/Patient", json={"resourceType": "Patient", "active": "yes"}, headers={"X-Request-Id": request_id})
    (row,) = rows(served, 1, sender=sender)
    assert json.loads(served.ecluse("intake", "list", "--sender", sender, "--json")) == [row]
    assert json.loads(served.ecluse("intake", "show", request_id, "--json")) == [row]
    shown = served.ecluse("intake", "show", request_id)
    assert "Patient.active" in shown
    assert row["issues"][0]["text"] in shown
    assert "structure" in served.ecluse("intake", "list", "--since", "10m", "--status", "4xx")


@pytest.mark.parametrize(
    "filters", [{"nothing": "x"}, {"since": "yesterday"}, {"status": "bad"}, {"count": "0"}, {"count": "9" * 5000}]
)
def test_a_filter_that_cannot_be_read_answers_400(served: Served, filters: dict[str, str]) -> None:
    answer = httpx.get(f"{served.url}/intake.json", params=filters)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize(("sent", "echoed"), [("a-1", "a-1"), ("x" * 300, "x" * 200), ("a\tb é", "ab "), ("é", None)])
def test_the_request_id_is_echoed_without_control_characters(fhir: httpx.Client, sent: str, echoed: str | None) -> None:
    for address in ("/Patient/nobody", "/Patient?_count=0", "/metadata"):
        given = fhir.get(address, headers={"X-Request-Id": sent.encode("latin-1")}).headers["x-request-id"]
        assert given == (echoed.strip() if echoed else given)
        assert given.isprintable() and given.isascii() and given


def test_an_operation_that_changes_something_leaves_a_row_and_others_leave_none(
    served: Served, fhir: httpx.Client, sender: str
) -> None:
    patient_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    fhir.post("/Patient/nobody/$everything")
    fhir.post(f"/Patient/{patient_id}/$purge")
    fhir.post("/Patient/nobody-has-this-id/$purge")
    told = [(row["target"], row["status"], row["deleted"]) for row in rows(served, 3, sender=sender)]
    assert told == [("Patient", 201, 0), ("Patient/$purge", 200, 1), ("Patient/$purge", 404, 0)]


def test_pages_of_the_list_follow_each_other_and_counts_tell_its_sums(
    served: Served, fhir: httpx.Client, sender: str
) -> None:
    parts = bundle(*(post({"resourceType": "Device"}) for _ in range(3)))
    fhir.post("/", json={**parts, "type": "batch"})
    fhir.post("/Device", json={"resourceType": "Device"})
    fhir.post("/Device", json={"resourceType": "Device", "nosuch": 1})
    every = rows(served, 6, sender=sender, parts="true")[::-1]
    seen: list[dict[str, Any]] = []
    while len(seen) < len(every):
        given = {"sender": sender, "parts": "true", "count": "2", "after": seen[-1]["cursor"] if seen else ""}
        page = httpx.get(f"{served.url}/intake.json", params=given, timeout=30).json()
        assert len(page) == 2
        seen += page
    assert seen == every
    assert rows(served, 0, sender=sender, parts="true", after=seen[-1]["cursor"]) == []
    counts = httpx.get(f"{served.url}/intake/counts.json", params={"sender": sender}, timeout=30)
    told = {(row["status"], row["reason"], row["requests"], row["created"], row["refused"]) for row in counts.json()}
    assert counts.status_code == 200
    assert told == {(200, "", 1, 3, 0), (201, "", 1, 1, 0), (400, "structure", 1, 0, 1)}


@pytest.mark.parametrize("address", ["/intake.json", "/intake/counts.json", "/issues", "/issues/counts"])
def test_a_site_that_there_is_not_answers_404_with_those_there_are(served: Served, address: str) -> None:
    answer = httpx.get(f"{served.url}{address}?site=nowhere", timeout=30)
    assert answer.status_code == 404
    (issue,) = answer.json()["issue"]
    assert (issue["code"], issue["expression"]) == ("not-found", ["site"])
    assert "no site 'nowhere'; there are default, north" in issue["details"]["text"]
    assert httpx.get(f"{served.url}{address}?site=north", timeout=30).status_code == 200


@pytest.mark.parametrize("words", ["intake list", "issues list", "issues count"])
def test_the_command_names_the_sites_there_are_too(served: Served, words: str) -> None:
    told = served.refused(*words.split(), "--site", "nowhere")
    assert "default, north" in told


def test_all_filters_that_are_wrong_are_told_at_once(served: Served) -> None:
    for address, parts in (
        (
            "/intake.json?site=nowhere&colour=red&since=x&status=y&count=0&after=z",
            ("not by colour", "since", "after", "status", "count", "no site"),
        ),
        (
            "/issues?site=nowhere&colour=red&type=Patients&severity=bad&_count=0&after=z",
            ("colour", "Patients", "severity", "_count", "after", "no site"),
        ),
    ):
        answer = httpx.get(f"{served.url}{address}", timeout=30)
        assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
        texts = [issue["details"]["text"] for issue in answer.json()["issue"]]
        assert len(texts) == len(parts), texts
        assert all(part in text for part, text in zip(parts, texts, strict=True)), texts


def test_a_place_in_the_list_or_a_filter_that_is_none_is_a_400(served: Served) -> None:
    for address, told in (
        ("/intake.json?after=1.2", "`cursor`"),
        ("/intake.json?after=999999999999999999.1.1", "`cursor`"),
        ("/intake.json?after=1.9999999999.1", "`cursor`"),
        ("/intake/counts.json?parts=true", "not by parts"),
    ):
        answer = httpx.get(f"{served.url}{address}", timeout=30)
        assert answer.status_code == 400, address
        assert told in answer.json()["issue"][0]["details"]["text"], address
