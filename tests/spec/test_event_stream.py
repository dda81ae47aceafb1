"""`/events` as Server-Sent Events says the same as its pages, and goes on."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.services.event_stream import reading
from tests.services.server import Served

STREAM = {"Accept": "text/event-stream"}


def basic(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Basic", "id": str(uuid.uuid4()), "code": {"text": "x"}, **more}


def present(served: Served) -> str:
    found: str = httpx.get(f"{served.url}/events").json()["next"]
    return found


def test_a_stream_tells_what_a_page_tells_and_then_what_comes(served: Served, fhir: httpx.Client) -> None:
    since = present(served)
    before = fhir.post("/Basic", json=basic()).json()
    page = httpx.get(f"{served.url}/events", params={"since": since, "type": "Basic"}).json()["events"]
    with reading(served.url, since=since, type="Basic") as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream"
        first = stream.next()
        assert (first.name, first.data) == ("message", page[0])
        assert first.data["data"] == before
        written = fhir.delete(f"/Basic/{before['id']}")
        later = stream.next()
        assert later.id == written.headers["X-Ecluse-Event"]
        assert (later.data["subject"], later.data["type"]) == (f"Basic/{before['id']}", "fhir.resource.deleted")
    with reading(served.url, last=first.id, since=since, type="Basic") as stream:
        assert stream.next() == later


def test_without_a_position_a_stream_begins_now_and_says_where_that_is(served: Served, fhir: httpx.Client) -> None:
    fhir.post("/Basic", json=basic())
    with reading(served.url) as stream:
        assert stream.block().id == present(served)
        made = fhir.post("/Basic", json=basic())
        assert stream.next().data["subject"] == f"Basic/{made.json()['id']}"


def test_only_the_types_and_sites_that_are_asked_for_are_told(
    served: Served, fhir: httpx.Client, other_site: httpx.Client
) -> None:
    with reading(served.url, since=present(served), type="Basic,Group", site="north") as stream:
        for site in (fhir, other_site):
            site.post("/Patient", json={"resourceType": "Patient"})
        fhir.post("/Basic", json=basic())
        there = other_site.post("/Basic", json=basic()).json()["id"]
        assert stream.next().data["id"] == f"north/Basic/{there}/_history/1"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_body_of_several_lines_arrives_whole(served: Served, fhir: httpx.Client, line_end: str) -> None:
    body = '{"resourceType": "Basic",  "code": {"text": "a\\n\\nb\u2028c\u0085d"}}'.replace(" ", line_end)
    with reading(served.url, since=present(served)) as stream:
        made = fhir.post("/Basic", content=body.encode(), headers={"Content-Type": "application/fhir+json"})
        assert made.status_code == 201
        assert stream.next().data["data"]["code"]["text"] == "a\n\nb\u2028c\u0085d"


@pytest.mark.parametrize(
    ("query", "last", "status", "said"),
    [
        ("since=7", "", 400, "like 1.4711"),
        ("since=1.0", "yesterday", 400, "like 1.4711"),
        ("", "9.1", 400, "no event 9.1 yet; the last one is 1."),
        ("since=1.999999999", "", 400, "no event 1.999999999 yet"),
        ("count=5", "", 400, "since, site, type"),
        ("type=Nothing", "", 400, "resource types"),
        ("site=nowhere", "", 404, "nowhere"),
    ],
)
def test_a_wrong_question_gets_an_answer_and_no_stream(
    served: Served, query: str, last: str, status: int, said: str
) -> None:
    answer = httpx.get(f"{served.url}/events?{query}", headers=STREAM | ({"Last-Event-ID": last} if last else {}))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert said in answer.json()["issue"][0]["details"]["text"]


def test_head_tells_the_format_and_ends(served: Served) -> None:
    answer = httpx.head(f"{served.url}/events", headers=STREAM)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


def test_who_refuses_streams_gets_a_page(served: Served) -> None:
    answer = httpx.get(f"{served.url}/events", headers={"Accept": "text/event-stream;q=0, */*"})
    assert answer.json()["events"] == []
