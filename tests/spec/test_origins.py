"""https://fetch.spec.whatwg.org/#http-cors-protocol: which web pages may call the server."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.services.server import serving

PREFLIGHT = {
    "Origin": "https://app.example",
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "content-type,if-match",
}


def test_nobody_is_allowed_unless_an_operator_says_so(fhir: httpx.Client) -> None:
    answer = fhir.get("/metadata", headers={"Origin": "https://app.example"})
    events = httpx.get(fhir.base_url.join("/events"), headers={"Origin": "https://app.example"})
    assert not [name for name in (*answer.headers, *events.headers) if name.startswith("access-control")]
    preflight = fhir.options("/Patient/1", headers=PREFLIGHT)
    assert preflight.status_code == 204
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def opened(empty_database_url: str, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A server that two origins may call."""
    data: Path = tmp_path_factory.mktemp("opened")
    origins = "https://app.example, http://localhost:3000/"
    with (
        serving(data, ECLUSE_DATABASE_URL=empty_database_url, ECLUSE_CORS_ORIGINS=origins) as served,
        httpx.Client(base_url=served.url, timeout=60) as client,
    ):
        yield client


def test_a_named_origin_may_call_and_read_the_headers_of_fhir(opened: httpx.Client) -> None:
    for origin in ("https://app.example", "http://localhost:3000"):
        answer = opened.get("/fhir/metadata", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        readable = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {
            "ETag",
            "Location",
            "Content-Location",
            "X-Request-Id",
            "Retry-After",
            "Last-Modified",
            "X-Ecluse-Event",
        } <= readable
        assert "access-control-allow-credentials" not in answer.headers


def test_events_may_be_read_by_the_same_origins_as_pages_and_as_a_stream(opened: httpx.Client) -> None:
    own = {"Origin": "https://app.example"}
    page = opened.get("/events", headers=own)
    assert (page.status_code, page.headers["access-control-allow-origin"]) == (200, own["Origin"])
    with opened.stream("GET", "/events", headers={**own, "Accept": "text/event-stream"}) as stream:
        assert stream.headers["access-control-allow-origin"] == own["Origin"]
        assert {"accept", "origin"} <= {name.strip().lower() for name in stream.headers["vary"].split(",")}
    refused = opened.get("/events?since=x", headers=own)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, own["Origin"])
    asks = {**own, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    assert opened.options("/events", headers=asks).headers["access-control-allow-headers"] == "last-event-id"
    assert (
        "access-control-allow-origin" not in opened.get("/events", headers={"Origin": "https://other.example"}).headers
    )
    assert "access-control-allow-origin" not in opened.get("/status.json", headers=own).headers


def test_the_preflight_of_a_named_origin_is_granted(opened: httpx.Client) -> None:
    answer = opened.options("/fhir/Patient/1", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert {"PUT", "PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "if-match" in answer.headers["access-control-allow-headers"]
    assert opened.options("/sites/default/fhir/Patient/1", headers=PREFLIGHT).status_code in (200, 404)


def test_another_origin_is_not_granted(opened: httpx.Client) -> None:
    other = {**PREFLIGHT, "Origin": "https://evil.example"}
    answer = opened.options("/fhir/Patient/1", headers=other)
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (400, False)
    assert (
        "access-control-allow-origin"
        not in opened.get("/fhir/metadata", headers={"Origin": "https://evil.example"}).headers
    )


def test_errors_can_be_read_by_a_named_origin_too(opened: httpx.Client) -> None:
    answer = opened.get("/fhir/Patient/nobody", headers={"Origin": "https://app.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "https://app.example")


def test_an_options_request_that_is_no_preflight_is_fhirs(opened: httpx.Client) -> None:
    answer = opened.options("/fhir/Patient/1")
    assert (answer.status_code, "allow" in answer.headers) == (204, True)
