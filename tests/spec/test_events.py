"""Every write tells its last event: X-Ecluse-Event, epoch and number in the order of the store."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import httpx

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
