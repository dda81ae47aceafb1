"""Every write tells its last event by X-Ecluse-Event; /events reads on from there."""

from __future__ import annotations

import json
import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from ecluse.bus.position import position
from tests.spec.bulk import ended

HEADER = "X-Ecluse-Event"
LAST = """
    SELECT (SELECT max(epoch) FROM bus.epoch) || '.' || max(o.seq)
    FROM bus.outbox o JOIN fhir.resource r ON r.pk = o.pk WHERE r.id = ANY ($1)"""


def told(answer: httpx.Response) -> str:
    assert answer.status_code < 300, answer.text
    return answer.headers.get(HEADER, "")


def bundle(kind: str, *resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"Basic/{one['id']}"}} for one in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def basic(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Basic", "id": str(uuid.uuid4()), "code": {"text": "x"}, **more}


async def test_each_kind_of_write_tells_its_event(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    async def last(*ids: str) -> str:
        found: str = await store.fetchval(LAST, ids)
        return found

    made = fhir.post("/Basic", json=basic())
    own = made.json()["id"]
    address = f"/Basic/{own}"
    assert told(made) == await last(own)
    tag = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "t"}]}}]}
    patch = [{"op": "replace", "path": "/code/text", "value": "z"}]
    as_patch = {"Content-Type": "application/json-patch+json"}
    for ask in (
        lambda: fhir.put(address, json=basic(id=own, code={"text": "y"})),
        lambda: fhir.patch(address, json=patch, headers=as_patch),
        lambda: fhir.post(f"{address}/$meta-add", json=tag),
        lambda: fhir.delete(address),
    ):
        assert told(ask()) == await last(own)
    for kind in ("transaction", "batch"):
        both = basic(), basic()
        ids = [one["id"] for one in both]
        assert told(fhir.post("/", json=bundle(kind, *both))) == await last(*ids)
        assert not told(fhir.post("/", json=bundle(kind, *both)))
        for prefer, own in zip(("return=minimal", "return=OperationOutcome"), ids, strict=True):
            assert told(fhir.delete(f"/Basic?_id={own}", headers={"Prefer": prefer})) == await last(own)


async def test_operations_tell_the_last_event_of_all_that_they_did(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    async def last(*ids: str) -> str:
        found: str = await store.fetchval(LAST, ids)
        return found

    def create(**resource: Any) -> str:
        answer = fhir.post(f"/{resource['resourceType']}", json=resource)
        assert answer.status_code == 201, answer.text
        own: str = answer.json()["id"]
        return own

    source, target = create(resourceType="Patient"), create(resourceType="Patient")
    subject = {"reference": f"Patient/{source}"}
    seen = create(resourceType="Observation", status="final", code={"text": "x"}, subject=subject)
    both = [
        {"name": f"{name}-patient", "valueReference": {"reference": f"Patient/{own}"}}
        for name, own in (("source", source), ("target", target))
    ]
    pair, key = {"resourceType": "Parameters", "parameter": both}, {"Idempotency-Key": str(uuid.uuid4())}
    for operation in ("merge", "unmerge"):
        done = told(fhir.post(f"/Patient/${operation}", json=pair))
        assert done == await last(source, target, seen) == await last(seen)
    merged = told(fhir.post("/Patient/$merge", json=pair, headers=key))
    assert not told(fhir.post("/Patient/$merge", json=pair))
    assert position(told(fhir.post("/Patient/$merge", json=pair, headers=key))) <= position(merged)
    purged = told(fhir.post(f"/Patient/{source}/$purge"))
    assert purged == await last(source, target, seen) != merged
    assert not told(fhir.post(f"/Patient/{source}/$purge"))


async def test_an_import_that_ended_tells_an_event_behind_all_that_it_wrote(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    def imported(*resources: dict[str, Any]) -> str:
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in resources)
        headers = {"Content-Type": "application/fhir+ndjson", "Prefer": "respond-async"}
        begun = fhir.post("/$import", content=lines, headers=headers)
        assert begun.status_code == 202, begun.text
        return told(ended(fhir, begun.headers["content-location"]))

    some = [basic() for _ in range(3)]
    first = imported(*some)
    assert position(first) >= position(await store.fetchval(LAST, [one["id"] for one in some]))
    assert position(first) <= position(replayed(fhir.base_url)["next"])
    assert not imported({"resourceType": "Nothing"})


def test_what_writes_nothing_has_no_event_and_what_is_repeated_has_the_first(fhir: httpx.Client) -> None:
    resource = basic()
    address, key = f"/Basic/{resource['id']}", {"Idempotency-Key": str(uuid.uuid4())}
    first = told(fhir.put(address, json=resource, headers=key))
    assert first
    assert told(fhir.put(address, json=resource, headers=key)) == first
    assert not told(fhir.put(address, json=resource))
    assert not told(fhir.get(address))
    assert not told(fhir.delete(f"/Basic/{uuid.uuid4()}"))


def test_later_writes_have_greater_numbers(fhir: httpx.Client) -> None:
    found = [tuple(map(int, told(fhir.post("/Basic", json=basic())).split("."))) for _ in range(5)]
    assert found == sorted(set(found))


def replayed(base: httpx.URL, **query: Any) -> dict[str, Any]:
    answer = httpx.get(base.join("/events"), params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_events_are_read_again_from_a_position_on(fhir: httpx.Client, other_site: httpx.Client) -> None:
    since = replayed(fhir.base_url)["next"]
    decimal = [{"url": "urn:e", "valueDecimal": 1.10}]
    made = fhir.post("/Basic", json=basic(extension=decimal), headers={"X-Ecluse-Sender": "ward"})
    own = made.json()["id"]
    elsewhere = other_site.post("/Basic", json=basic()).json()["id"]
    fhir.delete(f"/Basic/{own}")
    found = replayed(fhir.base_url, since=since, type="Basic")
    assert [event["subject"] for event in found["events"]] == [f"Basic/{own}", f"Basic/{elsewhere}", f"Basic/{own}"]
    assert [event["type"].rpartition(".")[2] for event in found["events"]] == ["created", "created", "deleted"]
    first, *_, last = found["events"]
    assert first["data"] == made.json()
    assert "data" not in last
    assert first["id"] == f"default/Basic/{own}/_history/1"
    assert (first["specversion"], first["source"], first["eclusesender"]) == ("1.0", "/sites/default", "ward")
    assert f"{first['ecluseepoch']}.{first['ecluseseq']}" == told(made)
    assert replayed(fhir.base_url, since=told(made), site="default")["events"][0] == last
    assert replayed(fhir.base_url, since=found["next"]) == {"events": [], "next": found["next"], "more": False}
    pages, at = [], {"next": since, "more": True}
    while at["more"]:
        at = replayed(fhir.base_url, since=at["next"], count=1)
        pages += at["events"]
    assert [event for event in pages if event["subject"].startswith("Basic/")] == found["events"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("since=7", 400, "like 1.4711"),
        ("since=9.1", 400, "There is no event 9.1 yet; the last one is 1."),
        ("since=1.999999999999", 400, "There is no event 1.999999999999 yet; the last one is 1."),
        ("since=1.0&count=0", 400, "from 1 to 1000"),
        ("since=1.0&count=1001", 400, "from 1 to 1000"),
        ("since=1.0&type=Nothing", 400, "resource types"),
        ("since=1.0&site=nowhere", 404, "nowhere"),
        ("from=1.0", 400, "since, site, type, count"),
        ("since=1.0&since=1.1", 400, "since stands there more than once"),
        ("since=1.0&type=Patient&type=Encounter", 400, "type stands there more than once; list with commas."),
    ],
)
def test_a_wrong_question_is_told(fhir: httpx.Client, query: str, status: int, said: str) -> None:
    answer = httpx.get(f"{fhir.base_url.join('/events')}?{query}")
    assert answer.status_code == status
    assert said in answer.json()["issue"][0]["details"]["text"]


def test_a_stream_takes_the_position_of_last_event_id_alone(fhir: httpx.Client) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "1.999999999999"}
    answer = httpx.get(f"{fhir.base_url.join('/events')}?since=1.0&since=1.1", headers=headers)
    assert answer.status_code == 400
    assert "no event 1.999999999999 yet" in answer.json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_all_that_is_wrong_is_told_at_once_as_an_outcome(fhir: httpx.Client, accept: str) -> None:
    query = "since=7&type=Nothing,Patient,Nobody&site=nowhere,default&count=0&from=1.0"
    answer = httpx.get(f"{fhir.base_url.join('/events')}?{query}", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["resourceType"] == "OperationOutcome"
    told = [(issue["code"], issue["details"]["text"]) for issue in answer.json()["issue"]]
    assert [code for code, _ in told] == ["structure", "structure", "not-found", *["structure"] * 3]
    texts = ("not by", "like 1.4711", "'nowhere'; there are default", "resource types", "resource types", "1 to 1000")
    assert [part in text for part, (_, text) in zip(texts, told, strict=True)] == [True] * 6


def test_the_last_event_itself_is_a_position_and_the_next_number_is_none(fhir: httpx.Client) -> None:
    """Whatever others write meanwhile, a number that nobody has drawn is refused, with one that can be asked with."""
    told(fhir.post("/Basic", json=basic()))
    last = replayed(fhir.base_url)["next"]
    assert position(replayed(fhir.base_url, since=last)["next"]) >= position(last)
    refused = httpx.get(fhir.base_url.join("/events"), params={"since": "1.99999999"})
    advised = refused.json()["issue"][0]["details"]["text"].rpartition(" ")[2].rstrip(".")
    assert position(advised) >= position(last)
    assert replayed(fhir.base_url, since=advised)


def test_a_transaction_counts_the_entries_that_make_an_event(fhir: httpx.Client) -> None:
    """Whoever gathers n of m has them all when m have come, also where some entries changed nothing."""
    stands, others, since = basic(), [basic() for _ in range(2)], replayed(fhir.base_url)["next"]
    told(fhir.put(f"/Basic/{stands['id']}", json=stands))
    nothing = {"request": {"method": "DELETE", "url": f"Basic/{uuid.uuid4()}"}}
    whole = bundle("transaction", others[0], stands, others[1])
    whole["entry"].insert(0, nothing)
    told(fhir.post("/", json=whole))
    told(fhir.post("/", json=bundle("transaction", stands, alone := basic())))
    found = {event["subject"]: event.get("bundle", "") for event in replayed(fhir.base_url, since=since)["events"]}
    own, places = zip(*(found[f"Basic/{one['id']}"].split() for one in others), strict=True)
    assert (len(set(own)), sorted(places)) == (1, ["1/2", "2/2"])
    assert found[f"Basic/{alone['id']}"] == ""
