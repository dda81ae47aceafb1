"""http://hl7.org/fhir/R4/http.html#history, at instance, type and system level."""

from __future__ import annotations

import asyncio
import concurrent.futures
import uuid
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

TYPE = "Basic"
"""A type that no other test of this server writes."""


def _basic(**given: Any) -> dict[str, Any]:
    return {"resourceType": TYPE, "code": {"text": "x"}, **given}


def _pages(client: httpx.Client, url: str) -> list[dict[str, Any]]:
    """All entries from this page on."""
    entries: list[dict[str, Any]] = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["link"][0]["relation"] == "self"
        entries += page.get("entry", [])
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return entries


def _told(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(e["request"]["method"], e["request"]["url"], e["response"]["etag"]) for e in entries]


def _life(client: httpx.Client) -> tuple[str, str, list[tuple[str, str, str]]]:
    """One resource of the server's id and one of the client's, and their joint history, newest first."""
    given = str(uuid.uuid4())
    server = str(client.post(f"/{TYPE}", json=_basic()).json()["id"])
    client.put(f"/{TYPE}/{given}", json=_basic(id=given))
    client.put(f"/{TYPE}/{server}", json=_basic(id=server, language="fr"))
    client.delete(f"/{TYPE}/{given}")
    client.put(f"/{TYPE}/{given}", json=_basic(id=given, language="fr"))
    expected = [
        ("PUT", f"{TYPE}/{given}", 'W/"3"'),
        ("DELETE", f"{TYPE}/{given}", 'W/"2"'),
        ("PUT", f"{TYPE}/{server}", 'W/"2"'),
        ("PUT", f"{TYPE}/{given}", 'W/"1"'),
        ("POST", TYPE, 'W/"1"'),
    ]
    return server, given, expected


@pytest.mark.parametrize("level", ["type", "system"])
@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_history_of_many_is_newest_first_whole_and_in_pages(fhir: httpx.Client, level: str, count: int) -> None:
    before = _newest(fhir)
    _, _, expected = _life(fhir)
    address = f"/{TYPE}/_history" if level == "type" else "/_history"
    entries = _pages(fhir, f"{address}?_count={count}" + (f"&_since={before}" if before else ""))
    assert _told(entries)[:5] == expected
    assert [e["response"]["status"] for e in entries[:5]] == [
        "201 Created",
        "204 No Content",
        "200 OK",
        "201 Created",
        "201 Created",
    ]
    assert ["resource" in e for e in entries[:5]] == [True, False, True, True, True]
    assert [e["resource"]["meta"]["versionId"] for e in entries[:5] if "resource" in e] == ["3", "2", "1", "1"]


def _newest(client: httpx.Client) -> str:
    entries = client.get("/_history?_count=1").json().get("entry", [])
    return str(entries[0]["response"]["lastModified"]) if entries else ""


def test_history_of_an_instance_tells_the_same_as_that_of_its_type(fhir: httpx.Client) -> None:
    server, given, expected = _life(fhir)
    for resource_id in (server, given):
        own = [line for line in expected if resource_id in line[1] or (line[0] == "POST" and resource_id == server)]
        answer = fhir.get(f"/{TYPE}/{resource_id}/_history").json()
        assert (_told(answer["entry"]), answer["total"]) == (own, len(own))


def test_history_is_not_repeated_or_shifted_while_others_write(fhir: httpx.Client) -> None:
    ids = [str(fhir.post(f"/{TYPE}", json=_basic()).json()["id"]) for _ in range(12)]
    seen: list[str] = []
    url = f"/{TYPE}/_history?_count=3"
    while url and len(seen) < 12:
        page = fhir.get(url).json()
        seen += [entry["fullUrl"].rpartition("/")[2] for entry in page["entry"]]
        url = next(link["url"] for link in page["link"] if link["relation"] == "next")
        for resource_id in ids:
            fhir.put(f"/{TYPE}/{resource_id}", json=_basic(id=resource_id, implicitRules=f"urn:{len(seen)}"))
        fhir.post(f"/{TYPE}", json=_basic())
    assert seen == ids[::-1]


def test_since_keeps_what_was_made_then_or_later(fhir: httpx.Client) -> None:
    first = fhir.post(f"/{TYPE}", json=_basic()).json()
    second = fhir.post(f"/{TYPE}", json=_basic()).json()
    since = second["meta"]["lastUpdated"]
    for address in (f"/{TYPE}/_history", "/_history"):
        urls = [entry["fullUrl"] for entry in _pages(fhir, f"{address}?_since={since}")]
        assert [url.rpartition("/")[2] for url in urls] == [second["id"]]
    assert fhir.get(f"/{TYPE}/{first['id']}/_history?_since={since}").json()["total"] == 0
    assert fhir.get(f"/{TYPE}/{first['id']}/_history?_since=2020").json()["total"] == 1


def test_at_keeps_what_was_current_then(fhir: httpx.Client) -> None:
    resource_id = str(fhir.post(f"/{TYPE}", json=_basic()).json()["id"])
    instants = [
        fhir.put(f"/{TYPE}/{resource_id}", json=_basic(id=resource_id, language=code)).json()["meta"]["lastUpdated"]
        for code in ("fr", "en", "de")
    ]
    for address in (f"/{TYPE}/{resource_id}/_history", f"/{TYPE}/_history", "/_history"):
        entries = _pages(fhir, f"{address}?_at={instants[1]}")
        own = [entry for entry in entries if entry["fullUrl"].endswith(resource_id)]
        assert [entry["resource"]["meta"]["versionId"] for entry in own] == ["3"]
    year = fhir.get(f"/{TYPE}/{resource_id}/_history?_at={instants[0][:4]}").json()
    assert year["total"] == 4
    assert fhir.get(f"/{TYPE}/{resource_id}/_history?_at=2019").json()["total"] == 0


def test_total_of_many_is_told_when_asked_for(fhir: httpx.Client) -> None:
    fhir.post(f"/{TYPE}", json=_basic())
    number = len(_pages(fhir, f"/{TYPE}/_history"))
    assert "total" not in fhir.get(f"/{TYPE}/_history").json()
    nothing = fhir.get(f"/{TYPE}/_history?_count=0").json()
    assert (nothing["total"], "entry" in nothing) == (number, False)
    assert fhir.get(f"/{TYPE}/_history?_total=accurate&_count=1").json()["total"] == number


def test_history_of_a_type_without_resources_is_empty(other_site: httpx.Client) -> None:
    answer = other_site.get("/VerificationResult/_history")
    assert (answer.status_code, "entry" in answer.json()) == (200, False)


def test_a_deleted_resource_has_a_history_and_one_that_never_was_has_none(fhir: httpx.Client) -> None:
    resource_id = fhir.post(f"/{TYPE}", json=_basic()).json()["id"]
    fhir.delete(f"/{TYPE}/{resource_id}")
    assert fhir.get(f"/{TYPE}/{resource_id}/_history").json()["total"] == 2
    assert fhir.get(f"/{TYPE}/nobody/_history").status_code == 404
    assert fhir.get("/Basics/_history").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "_count=-1",
        "_count=x",
        "_since=yesterday",
        "_at=2020-13",
        "_sort=name",
        "_cursor=x",
        "colour=red",
        "_count=1&_count=2",
    ],
)
@pytest.mark.parametrize("address", [f"/{TYPE}/_history", "/_history"])
def test_a_history_parameter_that_cannot_be_obeyed_answers_400(fhir: httpx.Client, address: str, query: str) -> None:
    answer = fhir.get(f"{address}?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["text"]


def test_all_that_is_wrong_with_a_history_is_told_at_once(fhir: httpx.Client) -> None:
    answer = fhir.get(f"/{TYPE}/_history?_cuont=1&_since=yesterday&_total=x&_sort=-_lastUpdated&_sort=-_lastUpdated")
    assert answer.status_code == 400
    texts = [issue["details"]["text"] for issue in answer.json()["issue"]]
    assert len(texts) == 4
    assert (
        texts[0].startswith("A history takes no _cuont; valid, nearest first: _count, ") and "_cursor" not in texts[0]
    )
    assert [text.partition(":")[0] for text in texts[1:]] == ["_since", "_total", "_sort"]


def test_sites_have_histories_of_their_own(fhir: httpx.Client, other_site: httpx.Client) -> None:
    resource_id = fhir.post(f"/{TYPE}", json=_basic()).json()["id"]
    urls = [entry["fullUrl"] for entry in _pages(other_site, "/_history")]
    assert not any(url.endswith(resource_id) for url in urls)


def test_history_of_what_many_write_at_once_has_every_version_once(fhir: httpx.Client) -> None:
    ids = [str(fhir.post(f"/{TYPE}", json=_basic()).json()["id"]) for _ in range(5)]

    def update(number: int) -> None:
        resource_id = ids[number % 5]
        fhir.put(f"/{TYPE}/{resource_id}", json=_basic(id=resource_id, implicitRules=f"urn:{number}"))

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(update, range(60)))
    entries = _pages(fhir, f"/{TYPE}/_history?_count=7")
    for resource_id in ids:
        versions = [e["resource"]["meta"]["versionId"] for e in entries if e["fullUrl"].endswith(resource_id)]
        assert versions == [str(number) for number in range(13, 0, -1)]


async def test_who_asks_on_from_the_timestamp_misses_no_late_commit(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    """A large transaction is under way, held at one row that somebody else has locked."""
    first, late = str(uuid.uuid4()), str(uuid.uuid4())
    assert fhir.put(f"/{TYPE}/{first}", json=_basic(id=first)).status_code == 201
    entries = [
        {"resource": _basic(id=one, language="fr"), "request": {"method": "PUT", "url": f"{TYPE}/{one}"}}
        for one in (first, late)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    transaction = store.transaction()
    await transaction.start()
    await store.execute("SELECT FROM fhir.resource WHERE id = $1 FOR UPDATE", first)
    sending = asyncio.create_task(asyncio.to_thread(fhir.post, "/", json=bundle))
    while not await store.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.01)
    meanwhile = await asyncio.to_thread(_life, fhir)
    seen = fhir.get(f"/{TYPE}/_history").json()
    await transaction.rollback()
    assert (await sending).status_code == 200
    assert meanwhile[2] == _told(seen["entry"])[:5]
    assert late not in {entry["fullUrl"].rpartition("/")[2] for entry in seen["entry"]}
    assert "timestamp" not in fhir.get(f"/{TYPE}/{late}/_history").json()
    for address in (f"/{TYPE}/_history", "/_history"):
        entries = _pages(fhir, f"{address}?_since={quote(seen['timestamp'])}")
        assert late in {entry["fullUrl"].rpartition("/")[2] for entry in entries}
    now = fhir.get("/_history").json()["timestamp"]
    assert now > seen["timestamp"]
