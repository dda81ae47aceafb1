"""http://hl7.org/fhir/R4/binary.html#rest: content in its own format, and as a resource."""

from __future__ import annotations

import base64

import httpx
import pytest

PDF = b"%PDF-1.7\n\x00\xff\xfe\r\n%%EOF"
ANY = {"Accept": "*/*"}
JSON = {"Accept": "application/fhir+json"}
STRUCTURE = {"X-Ecluse-Validation": "structure"}
"""For what only a server that checks no deeper stores."""


def _posted(fhir: httpx.Client, content: bytes, media: str, **headers: str) -> str:
    answer = fhir.post("/Binary", content=content, headers={**ANY, "Content-Type": media, **headers})
    assert answer.status_code == 201, answer.text
    resource = answer.json()
    assert (resource["resourceType"], resource["contentType"]) == ("Binary", media)
    return f"/Binary/{resource['id']}"


def test_content_is_stored_and_served_as_it_is(fhir: httpx.Client) -> None:
    path = _posted(fhir, PDF, "application/pdf")
    for url in (path, f"{path}/_history/1"):
        answer = fhir.get(url, headers={"Accept": "application/pdf"})
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["etag"] == 'W/"1"' and "last-modified" in answer.headers
        assert answer.headers["content-disposition"] == "inline"
    assert fhir.head(path, headers=ANY).headers["content-length"] == str(len(PDF))
    resource = fhir.get(path, headers=JSON).json()
    assert (resource["contentType"], base64.b64decode(resource["data"])) == ("application/pdf", PDF)


@pytest.mark.parametrize("accept", ["*/*", "application/*", "image/png", "application/pdf, */*;q=0.1", "text/html"])
def test_content_is_what_everyone_gets_who_names_no_format_of_fhir(fhir: httpx.Client, accept: str) -> None:
    path = _posted(fhir, PDF, "application/pdf")
    answer = fhir.get(path, headers={"Accept": accept})
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")


@pytest.mark.parametrize(
    ("headers", "query", "begins"),
    [
        (JSON, "", "{"),
        ({"Accept": "application/fhir+xml"}, "", "<"),
        (ANY, "?_format=json", "{"),
        ({"Accept": "application/pdf"}, "?_format=xml", "<"),
    ],
)
def test_the_resource_is_for_those_who_ask_for_it(
    fhir: httpx.Client, headers: dict[str, str], query: str, begins: str
) -> None:
    path = _posted(fhir, PDF, "application/pdf")
    answer = fhir.get(path + query, headers=headers)
    assert "+json" in answer.headers["content-type"] or "+xml" in answer.headers["content-type"]
    assert answer.text.startswith(begins) and base64.b64encode(PDF).decode() in answer.text


def test_an_update_with_content_makes_the_next_version(fhir: httpx.Client) -> None:
    path = _posted(fhir, b"one", "text/plain")
    headers = {**ANY, "Content-Type": "text/plain; charset=iso-8859-1", "If-Match": 'W/"1"'}
    answer = fhir.put(path, content=b"deux \xe9", headers=headers)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"'), answer.text
    got = fhir.get(path, headers=ANY)
    assert (got.content, got.headers["content-type"]) == (b"deux \xe9", "text/plain; charset=iso-8859-1")
    assert fhir.get(f"{path}/_history/1", headers=ANY).content == b"one"
    assert fhir.put(path, content=b"x", headers=headers).status_code == 412
    assert fhir.put("/Binary/of-mine", content=b"x", headers={**ANY, "Content-Type": "text/plain"}).status_code in (
        200,
        201,
    )


def test_a_binary_as_a_resource_is_a_resource(fhir: httpx.Client) -> None:
    json = b'{"resourceType":"Binary","contentType":"text/plain","data":"YWJj"}'
    inside = b'<contentType value="text/plain"/><data value="YWJj"/>'
    xml = b'<?xml version="1.0"?><Binary xmlns="http://hl7.org/fhir">%b</Binary>' % inside
    for body, media in (
        (json, "application/fhir+json"),
        (json, "application/json"),
        (xml, "application/fhir+xml"),
        (xml, "text/xml"),
    ):
        answer = fhir.post("/Binary", content=body, headers={"Content-Type": media})
        assert answer.json()["contentType"] == "text/plain", media
        assert fhir.get(f"/Binary/{answer.json()['id']}", headers=ANY).content == b"abc"


def test_another_resource_sent_to_binary_is_its_content(fhir: httpx.Client) -> None:
    body = b'{"resourceType":"Patient"}'
    path = _posted(fhir, body, "application/fhir+json")
    assert fhir.get(path, headers=ANY).content == body
    assert fhir.get(path, headers=JSON).json()["resourceType"] == "Binary"


def test_a_wrong_binary_resource_is_refused_with_its_place(fhir: httpx.Client) -> None:
    for body in (b'{"resourceType":"Binary","data":"YWJj"}', b'{"resourceType":"Binary","contentType":"text/plain",'):
        answer = fhir.post("/Binary", content=body, headers={"Content-Type": "application/fhir+json"})
        assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_the_security_context_travels_in_its_header(fhir: httpx.Client) -> None:
    path = _posted(fhir, b"abc", "text/plain", **{"X-Security-Context": "Patient/example"})
    assert fhir.get(path, headers=JSON).json()["securityContext"] == {"reference": "Patient/example"}
    assert fhir.get(path, headers=ANY).headers["x-security-context"] == "Patient/example"


@pytest.mark.parametrize(
    "media", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript"]
)
def test_what_a_browser_could_run_is_served_to_be_saved(fhir: httpx.Client, media: str) -> None:
    answer = fhir.get(_posted(fhir, b"<script>alert(1)</script>", media), headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


def test_what_is_stored_cannot_split_the_answer(fhir: httpx.Client) -> None:
    for media, reference in (("text/html\n;X-Evil:1", "Patient/1"), ("text/html", "Patient/1\r\nX-Evil: 1")):
        body = {
            "resourceType": "Binary",
            "contentType": media,
            "securityContext": {"reference": reference},
            "data": "YWJj",
        }
        created = fhir.post("/Binary", json=body, headers=STRUCTURE)
        assert created.status_code == 201, created.text
        answer = fhir.get(f"/Binary/{created.json()['id']}", headers=ANY)
        assert (answer.status_code, answer.content) == (200, b"abc")
        assert "x-evil" not in answer.headers
        told = answer.headers["content-type"], answer.headers.get("x-security-context")
        assert told in (("application/octet-stream", "Patient/1"), ("text/html", None))


def test_content_without_a_type_and_no_content_at_all_are_kept(fhir: httpx.Client) -> None:
    answer = fhir.post("/Binary", content=b"abc", headers=ANY)
    assert answer.json()["contentType"] == "application/octet-stream"
    empty = _posted(fhir, b"", "text/plain")
    got = fhir.get(empty, headers=ANY)
    assert (got.status_code, got.content) == (200, b"")


@pytest.mark.parametrize("media", ["foo", "json", "text", "/pdf", "application/", "text/plain, text/html", "a b/c"])
def test_a_content_type_that_is_no_media_type_answers_415(fhir: httpx.Client, media: str) -> None:
    for method, url in (("POST", "/Binary"), ("PUT", "/Binary/odd")):
        answer = fhir.request(method, url, content=b"abc", headers={**JSON, "Content-Type": media})
        assert answer.status_code == 415
        (issue,) = answer.json()["issue"]
        assert "type/subtype, like application/pdf" in issue["details"]["text"]
        assert media in issue["diagnostics"]
    assert fhir.get("/Binary/odd").status_code == 404


def test_content_is_not_sent_again_to_those_who_have_it(fhir: httpx.Client) -> None:
    path = _posted(fhir, PDF, "application/pdf")
    assert fhir.get(path, headers={**ANY, "If-None-Match": 'W/"1"'}).status_code == 304


def test_a_deleted_or_unknown_binary_answers_with_an_outcome(fhir: httpx.Client) -> None:
    path = _posted(fhir, b"abc", "text/plain")
    assert fhir.delete(path).status_code == 204
    for url, status in ((path, 410), ("/Binary/nobody", 404)):
        answer = fhir.get(url, headers={"Accept": "text/plain"})
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


def test_in_a_bundle_a_binary_is_a_resource(fhir: httpx.Client) -> None:
    path = _posted(fhir, b"abc", "text/plain")
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": path[1:]}}]}
    answer = fhir.post("/", json=bundle, headers=JSON)
    assert answer.json()["entry"][0]["resource"]["data"] == "YWJj"


def test_large_content_comes_back_to_the_last_byte(fhir: httpx.Client) -> None:
    content = bytes(range(256)) * 40_000
    path = _posted(fhir, content, "application/zip")
    assert fhir.get(path, headers=ANY).content == content
