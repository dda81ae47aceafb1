"""`X-Ecluse-Lane: bulk` with `X-Ecluse-Keep: live`: history comes in beside the live flow and never over it."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.server import Served
from tests.spec.search import hits
from tests.spec.test_profiles import of
from tests.spec.test_transaction import bundle, observation, post, put

HISTORY = {"X-Ecluse-Lane": "bulk", "X-Ecluse-Keep": "live", "X-Ecluse-Sender": "archive"}
KEPT = ("information", "business-rule")
LANES = "SELECT o.lane FROM bus.outbox o JOIN fhir.resource USING (pk) WHERE id = $1 ORDER BY seq"
MINIMAL = {"Prefer": "return=minimal"}


def person(resource_id: str, city: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": resource_id, "address": [{"city": city}], "identifier": [{"value": city}]}


def put_by(fhir: httpx.Client, resource_id: str, city: str, **headers: str) -> httpx.Response:
    return fhir.put(f"/Patient/{resource_id}", json=person(resource_id, city), headers=headers)


def test_history_leaves_what_came_live_and_says_so(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    put_by(fhir, resource_id, "Lyon")
    answer = put_by(fhir, resource_id, "Nantes", **HISTORY)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')
    assert answer.headers["x-ecluse-kept"] == "live"
    assert answer.json()["address"][0]["city"] == "Lyon"
    assert "x-ecluse-event" not in answer.headers
    assert fhir.get(f"/Patient/{resource_id}").headers["etag"] == 'W/"1"'


def test_history_leaves_what_live_changed_after_history_made_it(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    assert put_by(fhir, resource_id, "Brest", **HISTORY).status_code == 201
    assert put_by(fhir, resource_id, "Lyon").headers["etag"] == 'W/"2"'
    assert put_by(fhir, resource_id, "Nantes", **HISTORY).headers["x-ecluse-kept"] == "live"
    assert fhir.get(f"/Patient/{resource_id}").json()["address"][0]["city"] == "Lyon"


async def test_history_goes_on_with_its_own_in_its_lane(fhir: httpx.Client, store: asyncpg.Connection) -> None:
    resource_id = str(uuid.uuid4())
    put_by(fhir, resource_id, "Brest", **HISTORY)
    answer = put_by(fhir, resource_id, "Nantes", **HISTORY)
    assert (answer.headers["etag"], "x-ecluse-kept" in answer.headers) == ('W/"2"', False)
    assert [row["lane"] for row in await store.fetch(LANES, resource_id)] == [1, 1]


def test_what_was_deleted_live_stays_deleted(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    put_by(fhir, resource_id, "Brest", **HISTORY)
    fhir.delete(f"/Patient/{resource_id}")
    answer = put_by(fhir, resource_id, "Nantes", **HISTORY)
    assert (answer.status_code, answer.headers["x-ecluse-kept"], answer.content) == (200, "live", b"")
    assert fhir.get(f"/Patient/{resource_id}").status_code == 410


def test_what_was_erased_in_either_lane_stays_erased(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    put_by(fhir, resource_id, "Brest", **HISTORY)
    assert fhir.post(f"/Patient/{resource_id}/$purge", headers=HISTORY).status_code == 200
    assert put_by(fhir, resource_id, "Brest", **HISTORY).headers["x-ecluse-kept"] == "live"
    assert fhir.get(f"/Patient/{resource_id}").status_code == 410


def test_the_lane_alone_writes_over_as_an_import_does(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    put_by(fhir, resource_id, "Lyon")
    assert put_by(fhir, resource_id, "Nantes", **{"X-Ecluse-Lane": "bulk"}).headers["etag"] == 'W/"2"'


@pytest.mark.parametrize("kind", ["transaction", "batch"])
@pytest.mark.parametrize("prefer", [{}, MINIMAL])
def test_entries_of_a_bundle_tell_what_was_left(fhir: httpx.Client, kind: str, prefer: dict[str, str]) -> None:
    live, old = str(uuid.uuid4()), str(uuid.uuid4())
    put_by(fhir, live, "Lyon")
    sent = bundle(
        put(person(live, "Nantes")), put(person(old, "Brest")), post(observation(f"Patient/{live}")), kind=kind
    )
    entries = fhir.post("/", json=sent, headers=HISTORY | prefer).json()["entry"]
    assert [entry["response"]["status"][:3] for entry in entries] == ["200", "201", "201"]
    told = [[(i["severity"], i["code"]) for i in e["response"].get("outcome", {}).get("issue", ())] for e in entries]
    assert told == [[KEPT], [], []]
    assert fhir.get(f"/Patient/{live}").json()["address"][0]["city"] == "Lyon"
    assert fhir.get(f"/Patient/{old}").json()["address"][0]["city"] == "Brest"


def test_a_conditional_create_tells_whether_it_found_what_came_live(fhir: httpx.Client) -> None:
    live, old = str(uuid.uuid4()), str(uuid.uuid4())
    put_by(fhir, live, live)
    put_by(fhir, old, old, **HISTORY)
    found = [
        fhir.post(
            "/Patient", json={"resourceType": "Patient"}, headers=HISTORY | {"If-None-Exist": f"identifier={name}"}
        )
        for name in (live, old)
    ]
    assert [answer.json()["id"] for answer in found] == [live, old]
    assert [answer.headers.get("x-ecluse-kept") for answer in found] == ["live", None]


def test_a_conditional_update_and_a_patch_leave_what_came_live(fhir: httpx.Client) -> None:
    live = str(uuid.uuid4())
    put_by(fhir, live, live)
    updated = fhir.put(f"/Patient?identifier={live}", json={"resourceType": "Patient"}, headers=HISTORY)
    patch = [{"op": "add", "path": "/active", "value": True}]
    media = {"Content-Type": "application/json-patch+json"}
    patched = fhir.patch(f"/Patient/{live}", json=patch, headers=HISTORY | media)
    assert [(one.status_code, one.headers["x-ecluse-kept"]) for one in (updated, patched)] == [(200, "live")] * 2
    assert len(hits(fhir, f"/Patient?identifier={live}")) == 1
    assert "active" not in fhir.get(f"/Patient/{live}").json()


def test_history_deletes_nothing_that_came_live(fhir: httpx.Client) -> None:
    live = str(uuid.uuid4())
    put_by(fhir, live, live)
    answers = [
        fhir.delete(f"/Patient/{live}", headers=HISTORY),
        fhir.delete(f"/Patient?identifier={live}", headers=HISTORY),
    ]
    assert [answer.headers["x-ecluse-kept"] for answer in answers] == ["live", "live"]
    assert fhir.get(f"/Patient/{live}").status_code == 200
    told = fhir.delete(f"/Patient/{live}", headers=HISTORY | {"Prefer": "return=OperationOutcome"}).json()
    assert "nothing was deleted" in told["issue"][0]["details"]["text"]


def test_what_was_left_is_not_flagged_for_what_history_brought(fhir: httpx.Client, served: Served) -> None:
    live = str(uuid.uuid4())
    put_by(fhir, live, "Lyon")
    wrong = {**person(live, "Nantes"), "contact": [{"gender": "male"}]}
    answer = fhir.put(f"/Patient/{live}", json=wrong, headers=HISTORY | {"X-Ecluse-Validation": "base+flag"})
    assert answer.headers["x-ecluse-kept"] == "live"
    old = str(uuid.uuid4())
    fhir.put(f"/Patient/{old}", json={**wrong, "id": old}, headers=HISTORY | {"X-Ecluse-Validation": "base+flag"})
    with httpx.Client(base_url=served.url, timeout=60) as issues:
        flagged = [bool(of(issues, f"Patient/{one}")) for one in (live, old)]
    assert flagged == [False, True]


def test_an_unknown_wish_to_keep_is_refused(fhir: httpx.Client) -> None:
    resource_id = str(uuid.uuid4())
    answer = put_by(fhir, resource_id, "Lyon", **{"X-Ecluse-Keep": "all"})
    assert answer.status_code == 400
    assert "X-Ecluse-Keep takes `live`" in answer.json()["issue"][0]["details"]["text"]
    assert fhir.get(f"/Patient/{resource_id}").status_code == 404
