"""What HTTP itself can have wrong: each is a 4xx with an OperationOutcome, and the next request is served."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from typing import Any

import httpx
import pytest

from tests.services.server import Served


def _raw(served: Served, method: str, target: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    """The answer to a request whose target goes over the wire as it is written here."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(body or b"null")


BAD = {
    "/fhir/Patient/%zz": (400, "%25"),
    "/fhir/Patient/%": (400, "%25"),
    "/fhir/Patient/%ff": (400, "UTF-8"),
    "/fhir/Patient/a%00b": (400, "control"),
    "/fhir/Patient/a%0Ab": (400, "control"),
    "/fhir/Patient?name=%zz": (400, "%25"),
    "/fhir/Patient?name=%c3%28": (400, "UTF-8"),
    "/fhir/Patient?name=a%00b": (400, "control"),
    "/fhir/Patient?%00=a": (400, "control"),
    "/fhir/Patient/x?_format=%ff": (400, "UTF-8"),
    "/fhir/" + "a" * 70_000: (414, "_search"),
    "/fhir/Patient?name=" + "a" * 70_000: (414, "_search"),
    "/fhir/Patient/1/2/3": (404, "Patient/1/2/3"),
    "/fhir/nothing": (404, "nothing"),
    "/sites/nowhere/fhir/Patient": (404, "nowhere"),
    "/sites/default": (404, "/fhir"),
}


@pytest.mark.parametrize("target", BAD, ids=lambda target: target[:40])
def test_a_bad_address_is_a_4xx_that_says_why(served: Served, target: str) -> None:
    status, headers, body = _raw(served, "GET", target)
    assert (status, BAD[target][0]) == (BAD[target][0], status), body
    assert headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert body["resourceType"] == "OperationOutcome"
    assert BAD[target][1] in json.dumps(body, ensure_ascii=False)
    assert _raw(served, "GET", "/fhir/metadata")[0] == 200


def test_a_search_of_a_thousand_ids_is_served(served: Served) -> None:
    ids = ",".join(f"00000000-0000-0000-0000-{number:012}" for number in range(1000))
    status, _, body = _raw(served, "GET", f"/fhir/Patient?_id={ids}")
    assert (status, body["type"]) == (200, "searchset")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PROPFIND", "DELETE"])
def test_a_wrong_method_is_a_405_with_allow(served: Served, method: str) -> None:
    status, headers, body = _raw(served, method, "/fhir/Patient/1/_history/1")
    assert status == 405
    assert headers["allow"] == "GET, HEAD, OPTIONS"
    assert body["issue"][0]["code"] == "not-supported"
    assert "GET, HEAD, OPTIONS" in body["issue"][0]["details"]["text"]


def test_what_is_served_nowhere_is_an_outcome_and_a_page_for_browsers(served: Served) -> None:
    for address in ("/nope", "/Patient/1", "/events/more"):
        for accept in ("*/*", "application/fhir+json", "application/json"):
            status, headers, body = _raw(served, "GET", address, Accept=accept)
            assert (status, headers["content-type"]) == (404, "application/json")
            assert (body["resourceType"], body["issue"][0]["code"]) == ("OperationOutcome", "not-found")
            assert address in body["issue"][0]["details"]["text"] and "/fhir" in body["issue"][0]["details"]["text"]
    page = httpx.get(f"{served.url}/nope", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>" in page.text


def test_a_wrong_method_beside_fhir_is_an_outcome_with_allow(served: Served) -> None:
    status, headers, body = _raw(served, "DELETE", "/events")
    assert status == 405
    assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert (body["resourceType"], body["issue"][0]["code"]) == ("OperationOutcome", "not-supported")


def test_an_error_of_the_address_comes_in_the_clients_format(served: Served) -> None:
    answer = httpx.get(f"{served.url}/fhir/nothing", headers={"Accept": "application/fhir+xml"})
    assert answer.status_code == 404
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?><OperationOutcome')


def test_a_bad_form_is_a_400(fhir: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for form in (b"name=%zz", b"name=%ff", b"name=a%00", b"name=\xff"):
        answer = fhir.post("/Patient/_search", content=form, headers=headers)
        assert answer.status_code == 400, form
        assert "form" in answer.json()["issue"][0]["details"]["text"]


def test_a_form_in_utf_8_need_not_be_percent_encoded(fhir: httpx.Client) -> None:
    family = f"Zoé-{uuid.uuid4()}"
    fhir.post("/Patient", json={"resourceType": "Patient", "name": [{"family": family}]})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    found = fhir.post("/Patient/_search", content=f"family={family}".encode(), headers=form).json()
    assert len(found["entry"]) == 1


@pytest.mark.parametrize("target", ["/fhir/Patient?family=Zoé", "/fhir/Patient?family=a b", "/fhir/Patient\x01"])
def test_what_is_no_http_is_answered_with_an_outcome(served: Served, target: str) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 30) as wire:
        wire.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: wire.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert "percent-encode" in json.loads(body)["issue"][0]["details"]["text"]
