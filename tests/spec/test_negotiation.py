"""http://hl7.org/fhir/R4/http.html#mime-type: which format an answer has, and which a body may have."""

from __future__ import annotations

import httpx
import pytest

JSON, XML = "application/fhir+json", "application/fhir+xml"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

ACCEPTED = {
    "*/*": JSON,
    "application/*": JSON,
    "application/json": JSON,
    "text/json": JSON,
    "application/xml": XML,
    "text/xml": XML,
    "application/fhir+xml;q=0.5, application/fhir+json;q=0.9": JSON,
    "application/fhir+json;q=0.5, application/fhir+xml": XML,
    "application/fhir+xml, */*": XML,
    "*/*, application/fhir+xml;q=0.1": JSON,
    "application/fhir+json;q=0, */*": XML,
    "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": XML,
    "Application/FHIR+JSON; charset=utf-8": JSON,
    "application/fhir+json, application/fhir+xml": JSON,
    "application/fhir+xml, application/fhir+json": XML,
    "text/turtle, application/fhir+xml;fhirVersion=4.0": f"{XML}; fhirVersion=4.0",
    "application/fhir+json; fhirVersion=4.0": f"{JSON}; fhirVersion=4.0",
}


@pytest.mark.parametrize("accept", ACCEPTED)
def test_accept_chooses_the_format(fhir: httpx.Client, accept: str) -> None:
    answer = fhir.get("/metadata", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{ACCEPTED[accept]}; charset=utf-8"
    assert answer.text.lstrip()[0] == ("<" if "+xml" in ACCEPTED[accept] else "{")
    assert "accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize(
    "accept",
    [
        "text/turtle",
        "text/html",
        "application/fhir+json;q=0",
        "application/fhir+json; fhirVersion=3.0",
        "application/fhir+xml; fhirVersion=5.0, text/html",
    ],
)
def test_what_cannot_be_written_is_a_406_that_names_what_can(fhir: httpx.Client, accept: str) -> None:
    for url in ("/metadata", "/Patient", "/Patient/nobody", "/Binary?contenttype=x"):
        answer = fhir.get(url, headers={"Accept": accept})
        assert answer.status_code == 406
        issue = answer.json()["issue"][0]
        assert issue["code"] == "not-supported"
        assert JSON in issue["details"]["text"] and XML in issue["details"]["text"]
        assert accept in issue["diagnostics"]


def test_a_406_writes_nothing(fhir: httpx.Client) -> None:
    before = fhir.get("/Patient?_summary=count").json()["total"]
    answer = fhir.post("/Patient", json={"resourceType": "Patient"}, headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert fhir.get("/Patient?_summary=count").json()["total"] == before


@pytest.mark.parametrize(
    ("asked", "media"),
    [
        ("json", JSON),
        ("xml", XML),
        ("application/fhir+xml", XML),
        ("application%2Ffhir%2Bxml", XML),
        ("text/xml", XML),
        ("application/json", JSON),
    ],
)
def test_format_wins_over_accept(fhir: httpx.Client, asked: str, media: str) -> None:
    answer = fhir.get(f"/metadata?_format={asked}", headers={"Accept": "text/turtle"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{media}; charset=utf-8")


def test_an_unknown_format_answers_406(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata?_format=ttl")
    assert answer.status_code == 406
    assert "ttl" in answer.json()["issue"][0]["diagnostics"]


def test_several_accept_headers_are_one_list(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata", headers=[("Accept", "text/turtle"), ("Accept", XML)])
    assert answer.headers["content-type"].startswith(XML)


@pytest.mark.parametrize("wanted", ["json", "xml"])
def test_pretty_adds_white_space_and_nothing_else(fhir: httpx.Client, wanted: str) -> None:
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"value": 1}}
    resource_id = fhir.post("/Observation", json=resource).json()["id"]
    plain = fhir.get(f"/Observation/{resource_id}?_format={wanted}").text
    pretty = fhir.get(f"/Observation/{resource_id}?_format={wanted}&_pretty=true").text
    assert "\n  " in pretty and "\n" not in plain
    assert "".join(pretty.split()) == "".join(plain.split())
    assert fhir.get(f"/Observation/{resource_id}?_format={wanted}&_pretty=false").text == plain


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/Patient?_count=1&{}"),
        ("GET", "/Patient/_history?_count=1&{}"),
        ("GET", "/Patient/$everything?_count=1&{}"),
        ("POST", "/Patient/$everything?{}"),
        ("POST", "/Patient?{}"),
        ("POST", "/Patient/_search?{}"),
    ],
)
def test_a_form_of_answer_that_there_is_not_answers_400(fhir: httpx.Client, method: str, url: str) -> None:
    for wrong, choices in (("_pretty=maybe", "true, false"), ("_summary=foo", "true, text, data, count, false")):
        body = None if "_search" in url or method == "GET" else {"resourceType": url[1:].partition("?")[0]}
        body = {"resourceType": "Parameters"} if body and "$" in url else body
        answer = fhir.request(method, url.format(wrong), json=body, headers={} if body else FORM)
        assert answer.status_code == 400, answer.text
        name, _, found = wrong.partition("=")
        (issue,) = answer.json()["issue"]
        assert (issue["details"]["text"], found in issue["diagnostics"]) == (
            f"{name}: write one of {choices}.",
            True,
        )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("text/plain", "text/plain"),
        ("application/fhir+json; charset=iso-8859-1", "iso-8859-1"),
        ("application/fhir+xml; charset=utf-16", "utf-16"),
        ("application/fhir+json; fhirVersion=3.0", "3.0"),
        ("application/fhir+xml; fhirVersion=5.0", "5.0"),
    ],
)
def test_what_cannot_be_read_is_a_415_that_names_what_can(fhir: httpx.Client, given: str, told: str) -> None:
    for method, url in (("POST", "/Patient"), ("PUT", "/Patient/1"), ("POST", "/")):
        answer = fhir.request(method, url, content=b"{}", headers={"Content-Type": given})
        assert answer.status_code == 415, answer.text
        assert told in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "given",
    [
        "application/fhir+json; charset=UTF-8",
        'application/fhir+json; charset="utf-8"',
        "application/fhir+json; fhirVersion=4.0",
        "Application/JSON",
        "text/json",
    ],
)
def test_json_may_be_called_by_each_of_its_names(fhir: httpx.Client, given: str) -> None:
    answer = fhir.post("/Patient", content=b'{"resourceType":"Patient"}', headers={"Content-Type": given})
    assert answer.status_code == 201


@pytest.mark.parametrize("media", [JSON, XML])
@pytest.mark.parametrize("wanted", ["minimal", "representation", "OperationOutcome"])
def test_prefer_return_is_obeyed_in_each_format(fhir: httpx.Client, media: str, wanted: str) -> None:
    headers = {"Prefer": f"return={wanted}", "Accept": media}
    answer = fhir.post("/Patient", json={"resourceType": "Patient"}, headers=headers)
    assert answer.status_code == 201
    assert answer.headers["etag"] == 'W/"1"' and "/Patient/" in answer.headers["location"]
    root = {"minimal": "", "representation": "Patient", "OperationOutcome": "OperationOutcome"}[wanted]
    assert root in answer.text if root else answer.content == b""


def test_prefer_handling_decides_on_unknown_parameters(fhir: httpx.Client) -> None:
    strict = fhir.get("/Patient?shoe=43&_count=1", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    lenient = fhir.get("/Patient?shoe=43&_count=1&_format=xml", headers={"Prefer": "handling=lenient"})
    assert (lenient.status_code, "shoe" in lenient.text) == (200, True)


@pytest.mark.parametrize(
    "prefer", ["wait=10", "respond-async, foo; return=bar", "return=presentation, handling=foo", "x"]
)
def test_other_preferences_say_nothing(fhir: httpx.Client, prefer: str) -> None:
    answer = fhir.post("/Patient", json={"resourceType": "Patient"}, headers={"Prefer": prefer})
    assert (answer.status_code, answer.json()["resourceType"]) == (201, "Patient")


@pytest.mark.parametrize("prefer", ['handling="lenient"', "Handling=lenient", "respond-async; handling=lenient"])
def test_lenient_handling_is_understood_as_it_is_written(fhir: httpx.Client, prefer: str) -> None:
    assert fhir.get("/Patient?shoe=43&_count=1", headers={"Prefer": prefer}).status_code == 200


def test_a_body_is_not_compressed_for_those_who_refuse_it(fhir: httpx.Client) -> None:
    assert "content-encoding" not in fhir.get("/metadata", headers={"Accept-Encoding": "gzip;q=0"}).headers
    assert "content-encoding" not in fhir.get("/metadata", headers={"Accept-Encoding": "identity"}).headers


@pytest.mark.parametrize(
    "url", ["/metadata", "/Patient?_count=1", "/Patient/{id}", "/Patient/{id}/_history", "/Patient/{id}/_history/1"]
)
@pytest.mark.parametrize("accept", [JSON, XML])
def test_head_answers_as_get_without_the_body(fhir: httpx.Client, url: str, accept: str) -> None:
    resource_id = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    url = url.replace("{id}", resource_id)
    got, head = fhir.get(url, headers=headers), fhir.head(url, headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "last-modified", "vary"):
        assert head.headers.get(name) == got.headers.get(name)


def test_options_names_the_methods_of_an_address(fhir: httpx.Client) -> None:
    for url, some in (
        ("/Patient", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/Patient/1", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("/Patient/1/_history/1", {"GET", "HEAD", "OPTIONS"}),
        ("/Patient/_search", {"POST", "OPTIONS"}),
    ):
        answer = fhir.options(url)
        assert (answer.status_code, answer.content) == (204, b"")
        assert some <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("url", ["", "/", "/metadata"])
def test_options_at_the_base_is_another_name_of_metadata(fhir: httpx.Client, url: str) -> None:
    answer = fhir.options(url)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "CapabilityStatement")
    assert {"OPTIONS"} <= set(answer.headers["allow"].split(", "))
    assert set(answer.json()["format"]) == {JSON, "json", XML, "xml"}
