"""Subscriptions to topics, against a real hook: handshake, notifications, heartbeat, and what is asked for again.

Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.services.ports import free_port
from tests.services.server import Served
from tests.spec.hooks import Hook, consuming, until
from tests.spec.topics import (
    BACKPORT,
    basic,
    bundles,
    extension,
    kinds,
    numbers,
    standing,
    subscribe,
    subscription,
    told,
)

COMPLETED = "https://topics.example/encounter-completed"
ANY = "https://topics.example/any-observation"
FINISHED: dict[str, Any] = {
    "resourceType": "SubscriptionTopic",
    "url": COMPLETED,
    "version": "1.0",
    "status": "active",
    "title": "An encounter ends",
    "resourceTrigger": [
        {
            "resource": "http://hl7.org/fhir/StructureDefinition/Encounter",
            "supportedInteraction": ["create", "update"],
            "queryCriteria": {
                "previous": "status:not=finished",
                "resultForCreate": "test-passes",
                "current": "Encounter?status=finished",
                "requireBoth": True,
            },
        }
    ],
    "canFilterBy": [{"resource": "Encounter", "filterParameter": "patient"}],
}


@pytest.fixture(scope="module")
def topics(served: Served, fhir: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two topics: one loaded by the operator, one posted."""
    file: Path = tmp_path_factory.mktemp("topics") / "completed.json"
    file.write_text(json.dumps(FINISHED))
    served.ecluse("subscriptions", "load", str(file))
    answer = fhir.post("/Basic", json=basic(ANY, "Observation"))
    assert answer.status_code == 201, answer.text


@pytest.fixture
def hook(topics: None) -> Hook:
    """A hook that does not listen yet."""
    return Hook(free_port())


@pytest.fixture
def consumer(served: Served) -> Iterator[None]:
    """The consumer, running."""
    with consuming(served):
        yield


def observe(fhir: httpx.Client, own: str, code: str, value: int = 0) -> None:
    coding = {"coding": [{"system": "urn:t", "code": code}]}
    body = {"resourceType": "Observation", "id": own, "status": "final", "code": coding, "valueInteger": value}
    assert fhir.put(f"/Observation/{own}", json=body).status_code in (200, 201)


@pytest.mark.usefixtures("consumer")
def test_a_handshake_comes_first_then_every_create_update_and_delete_then_a_heartbeat(
    fhir: httpx.Client, hook: Hook
) -> None:
    own = subscribe(fhir, hook.url, ANY, "full-resource", "Observation?code=urn:t|first", heartbeat_period=5)
    with hook.listening():
        until(lambda: kinds(hook))
        until(lambda: fhir.get(f"/Subscription/{own}").json()["status"] == "active")
        observe(fhir, "topic-1", "first", 1)
        observe(fhir, "topic-2", "other")
        observe(fhir, "topic-1", "first", 2)
        assert fhir.delete("/Observation/topic-1").is_success
        until(lambda: len(numbers(hook)) == 3 and kinds(hook)[-1] == "heartbeat")
    shaking, *others, beating = bundles(hook)
    created, updated, deleted = [one for one in others if told(one)["events"]]  # between them there may be heartbeats
    assert told(shaking) | {"events": []} == {
        "type": "handshake",
        "status": "requested",
        "topic": ANY,
        "total": "0",
        "events": [],
    }
    assert numbers(hook) == [1, 2, 3]
    entries = [one["entry"][1] for one in (created, updated, deleted)]
    place = f"{fhir.base_url}Observation/topic-1"
    assert {entry["fullUrl"] for entry in entries} == {place}
    assert {told(one)["events"][0]["focus"]["reference"] for one in (created, updated, deleted)} == {place}
    assert [entry["request"] for entry in entries] == [
        {"method": "POST", "url": "Observation"},
        {"method": "PUT", "url": "Observation/topic-1"},
        {"method": "DELETE", "url": "Observation/topic-1"},
    ]
    assert [entry.get("resource", {}).get("valueInteger") for entry in entries] == [1, 2, None]
    assert (told(beating)["total"], told(beating)["status"]) == ("3", "active")


@pytest.mark.usefixtures("consumer")
def test_a_subscription_whose_topic_is_gone_says_so_until_it_is_back(fhir: httpx.Client, hook: Hook) -> None:
    url = "urn:topic:going"
    topic = fhir.post("/Basic", json=basic(url, "Observation")).json()
    own = subscribe(fhir, hook.url, url, "id-only", "Observation?code=urn:t|going")
    with hook.listening():
        until(lambda: fhir.get(f"/Subscription/{own}").json()["status"] == "active")
        assert fhir.delete(f"/Basic/{topic['id']}").is_success
        silent = fhir.get(f"/Subscription/{own}").json()
        assert (silent["status"], "not served any more" in silent["error"]) == ("error", True)
        asked = fhir.get(f"/Subscription/{own}/$status").json()["entry"][0]["resource"]["parameter"]
        assert "not served any more" in json.dumps(asked)
        assert fhir.put(f"/Basic/{topic['id']}", json=topic).is_success
        back = fhir.get(f"/Subscription/{own}").json()
        assert back["status"] == "active" and "error" not in back
        observe(fhir, "topic-going", "going")
        until(lambda: numbers(hook) == [1])


@pytest.mark.usefixtures("consumer")
def test_a_topic_compares_what_was_with_what_is(fhir: httpx.Client, hook: Hook) -> None:
    patients = [fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"] for _ in range(2)]
    subscribe(fhir, hook.url, f"{COMPLETED}|1.0", "id-only", f"Encounter?patient=Patient/{patients[0]}")

    def encounter(own: str, status: str, patient: str, length: int) -> None:
        body = {
            "resourceType": "Encounter",
            "id": own,
            "status": status,
            "class": {"code": "IMP"},
            "subject": {"reference": f"Patient/{patient}"},
            "length": {"value": length},
        }
        assert fhir.put(f"/Encounter/{own}", json=body).is_success

    with hook.listening():
        until(lambda: kinds(hook) == ["handshake"])
        encounter("goes-on", "in-progress", patients[0], 1)
        encounter("goes-on", "finished", patients[0], 2)
        encounter("goes-on", "finished", patients[0], 3)
        encounter("others", "finished", patients[1], 1)
        encounter("begun-finished", "finished", patients[0], 1)
        until(lambda: len(numbers(hook)) == 2)
    assert numbers(hook) == [1, 2]
    entries = [one["entry"][1] for one in bundles(hook)[1:]]
    names = [entry["fullUrl"].rpartition("/")[2] for entry in entries]
    assert names == ["goes-on", "begun-finished"]
    assert not any("resource" in entry for entry in entries)


def test_a_hook_that_is_down_and_answers_500_gets_every_number_in_bundles_of_the_size_it_asked_for(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    own = subscribe(fhir, hook.url, ANY, "empty", "code=urn:t|down", max_count=3)
    with consuming(served) as process:
        until(lambda: "does not answer" in fhir.get(f"/Subscription/{own}").json().get("error", ""))
        for number in range(5):
            observe(fhir, "topic-down", "down", number)
        until(lambda: standing(fhir, own)["events-since-subscription-start"] == "5")
        process.kill()
        process.wait()
    observe(fhir, "topic-down", "down", 5)
    hook.status = 500
    with hook.listening(), consuming(served):
        until(lambda: hook.refused)
        hook.status = 200
        until(lambda: numbers(hook) == [1, 2, 3, 4, 5, 6])
        until(lambda: standing(fhir, own)["status"] == "active")
    assert kinds(hook)[0] == "handshake"
    assert max(len(told(one)["events"]) for one in bundles(hook)) == 3
    assert {len(one["entry"]) for one in bundles(hook)} == {1}
    assert not any("focus" in event for one in bundles(hook) for event in told(one)["events"])


def test_events_are_read_again_and_sent_again_and_what_was_erased_is_in_neither(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    own = subscribe(fhir, hook.url, ANY, "full-resource", "code=urn:t|again")
    with hook.listening(), consuming(served):
        for number in range(4):
            observe(fhir, f"topic-again-{number}", "again", number)
        until(lambda: numbers(hook) == [1, 2, 3, 4])
        assert fhir.post("/Observation/topic-again-1/$purge").is_success
        until(lambda: "focus" not in _events(fhir, own)[1])
        found = fhir.get(f"/Subscription/{own}/$events?eventsSinceNumber=2&eventsUntilNumber=3&content=id-only").json()
        assert told(found)["type"] == "query-event"
        assert [event["event-number"] for event in told(found)["events"]] == ["2", "3"]
        assert [entry["fullUrl"] for entry in found["entry"][1:]] == [f"{fhir.base_url}Observation/topic-again-2"]
        asked = {"resourceType": "Parameters", "parameter": [{"name": "eventsSinceNumber", "valueString": "2"}]}
        answer = fhir.post(f"/Subscription/{own}/$resend", json=asked)
        assert answer.status_code == 200, answer.text
        until(lambda: numbers(hook) == [1, 2, 3, 4, 2, 3, 4])
    again = bundles(hook)[-3]
    assert len(again["entry"]) == 1 and b"topic-again-1" not in hook.received[-3].body
    back = "eventsSinceNumber=3&eventsUntilNumber=2"
    for query in ("eventsSinceNumber=x", "content=all", "eventsSinceNumber=0", back):
        assert fhir.get(f"/Subscription/{own}/$events?{query}").status_code == 400
    assert told(fhir.get(f"/Subscription/{own}/$events?eventsSinceNumber=5").json())["events"] == []
    for refused in (
        fhir.get(f"/Subscription/{own}/$events?eventsSinceNumber=6"),
        fhir.post(f"/Subscription/{own}/$resend?eventsSinceNumber=6"),
        fhir.post(f"/Subscription/{own}/$resend?eventsSinceNumber=5"),
    ):
        assert refused.status_code == 400
        assert "yet; the last one is 4." in refused.json()["issue"][0]["details"]["text"]


def test_who_asks_again_while_a_notification_is_on_its_way_is_heard(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    own = subscribe(fhir, hook.url, ANY, "id-only", "code=urn:t|underway")
    with hook.listening(), consuming(served):
        for number in range(2):
            observe(fhir, f"topic-underway-{number}", "underway", number)
        until(lambda: standing(fhir, own)["events-delivered"] == "2")
        begun, hook.slow_s = hook.begun, 1.0
        observe(fhir, "topic-underway-2", "underway", 2)
        until(lambda: hook.begun > begun)
        assert fhir.post(f"/Subscription/{own}/$resend?eventsSinceNumber=1").status_code == 200
        assert numbers(hook) == [1, 2], "the third is still on its way"
        hook.slow_s = 0.0
        until(lambda: numbers(hook) == [1, 2, 3, 1, 2, 3])


def _events(fhir: httpx.Client, own: str) -> list[dict[str, Any]]:
    return list(told(fhir.get(f"/Subscription/{own}/$events").json())["events"])


def test_a_message_has_the_notification_as_its_focus(fhir: httpx.Client, hook: Hook, consumer: None) -> None:
    sent = subscription(hook.url, ANY, "id-only", "code=urn:t|message", timeout=5)
    sent["channel"]["type"] = "message"
    assert fhir.post("/Subscription", json=sent).status_code == 201
    with hook.listening():
        until(lambda: hook.received)
        observe(fhir, "topic-message", "message")
        until(lambda: len(hook.received) == 2)
    for one, kind in zip(bundles(hook), ["handshake", "event-notification"], strict=True):
        header, focus = (entry["resource"] for entry in one["entry"])
        assert (one["type"], header["resourceType"], header["eventUri"]) == ("message", "MessageHeader", ANY)
        assert header["focus"][0]["reference"] == one["entry"][1]["fullUrl"] == f"urn:uuid:{focus['id']}"
        assert told(focus)["type"] == kind


@contextmanager
def listen(fhir: httpx.Client, own: str) -> Iterator[ClientConnection]:
    """A websocket that is bound to a Subscription and has got its handshake."""
    given = fhir.get(f"/Subscription/{own}/$get-ws-binding-token").json()["parameter"]
    found = {one["name"]: next(told for name, told in one.items() if name != "name") for one in given}
    assert found["subscription"] == own
    with connect(found["websocket-url"], proxy=None) as socket:
        socket.send(f"bind-with-token: {found['token']}")
        assert told(heard(socket))["type"] == "handshake"
        yield socket


def heard(socket: ClientConnection) -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads(socket.recv(30))
    return bundle


def next_event(socket: ClientConnection) -> dict[str, Any]:
    """What is heard next beside heartbeats."""
    while not told(bundle := heard(socket))["events"]:
        pass
    return bundle


def test_a_websocket_is_told_what_happens_and_what_happened_while_nobody_listened(
    served: Served, fhir: httpx.Client, consumer: None, topics: None
) -> None:
    sent = subscription("", ANY, "full-resource", "code=urn:t|socket", heartbeat_period=5)
    sent["channel"] |= {"type": "websocket"}
    del sent["channel"]["endpoint"]
    own = fhir.post("/Subscription", json=sent).json()["id"]
    assert standing(fhir, own)["status"] == "requested"
    with listen(fhir, own) as socket:
        observe(fhir, "topic-socket", "socket", 1)
        assert next_event(socket)["entry"][1]["resource"]["valueInteger"] == 1
        assert told(heard(socket))["type"] == "heartbeat"
    assert standing(fhir, own)["status"] == "active"
    for number in (2, 3, 4):
        observe(fhir, "topic-socket", "socket", number)
    until(lambda: standing(fhir, own)["events-since-subscription-start"] == "4")
    with listen(fhir, own) as socket:
        again = [next_event(socket) for _ in range(3)]
        assert [told(one)["events"][0]["event-number"] for one in again] == ["2", "3", "4"]
        until(lambda: standing(fhir, own)["events-delivered"] == "4")
        assert fhir.post(f"/Subscription/{own}/$resend?eventsSinceNumber=3").status_code == 200
        again = [next_event(socket) for _ in range(2)]
        assert [told(one)["events"][0]["event-number"] for one in again] == ["3", "4"]
        assert fhir.delete(f"/Subscription/{own}").is_success
        with pytest.raises(ConnectionClosed):
            next_event(socket)
    with connect(f"ws{served.url.removeprefix('http')}/subscriptions/websocket", proxy=None) as socket:
        socket.send("bind-with-token: guessed")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
    answer = fhir.get(f"/Subscription/$get-ws-binding-token?id={own}")
    assert (answer.status_code, "channel is websocket" in answer.text) == (400, True)


@pytest.mark.usefixtures("consumer", "topics")
async def test_servers_are_woken_by_what_is_new_for_websockets_and_by_what_is_asked_for_again(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    sent = subscription("", ANY, "id-only", "code=urn:t|woken", heartbeat_period=60)
    sent["channel"] |= {"type": "websocket"}
    del sent["channel"]["endpoint"]
    own = fhir.post("/Subscription", json=sent).json()["id"]
    woken = asyncio.Event()
    await store.add_listener("ecluse_notification", lambda *_: woken.set())
    observe(fhir, "topic-woken", "woken")
    await asyncio.wait_for(woken.wait(), 30)
    woken.clear()
    assert fhir.post(f"/Subscription/{own}/$resend?eventsSinceNumber=1").status_code == 200
    await asyncio.wait_for(woken.wait(), 30)


CANNOT = [
    ({"criteria": "https://topics.example/none"}, "criteria", "No topic has this address"),
    ({"criteria": f"{COMPLETED}|2.0"}, "criteria", "version 1.0"),
    ({"_criteria": {"extension": [extension(f"{BACKPORT}filter-criteria", valueString="Encounter?date=2024")]}},
     "criteria", "can be filtered by patient"),
    ({"_criteria": {"extension": [extension(f"{BACKPORT}filter-criteria", valueString="patient:missing=true")]}},
     "criteria", "modifiers of patient in filters of this topic: none; not :missing"),
    ({"_criteria": {"extension": [extension(f"{BACKPORT}filter-criteria", valueString="Patient?name=x")]}},
     "criteria", "about Encounter"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "place", "text"), CANNOT, ids=range(len(CANNOT)))
@pytest.mark.usefixtures("topics")
def test_what_a_topic_does_not_offer_is_refused_with_its_place(
    fhir: httpx.Client, change: dict[str, Any], place: str, text: str
) -> None:
    sent = subscription("https://app.example/hook", COMPLETED, "empty", "patient=Patient/1", timeout=5) | change
    answer = fhir.post("/Subscription", json=sent)
    assert answer.status_code == 422, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == [f"Subscription.{place}"] and text in issue["details"]["text"]


@pytest.mark.usefixtures("topics")
def test_the_channel_says_what_is_sent_and_within_which_bounds(fhir: httpx.Client) -> None:
    for more, content in (({"timeout": 3600}, "empty"), ({"heartbeat_period": 1}, "empty"), ({"timeout": 5}, "all")):
        sent = subscription("https://app.example/hook", COMPLETED, content, "patient=Patient/1", **more)
        answer = fhir.post("/Subscription", json=sent)
        assert answer.status_code == 422, answer.text
        assert answer.json()["issue"][0]["expression"][0].startswith("Subscription.channel")


def test_a_topic_that_cannot_be_evaluated_is_refused_where_it_is_wrong(
    served: Served, fhir: httpx.Client, tmp_path: Path
) -> None:
    wrong = basic("https://topics.example/wrong", "Observation")
    wrong["extension"][2]["extension"].append(extension("fhirPathCriteria", valueString="%current.status = "))
    answer = fhir.post("/Basic", json=wrong)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Basic.resourceTrigger[0].fhirPathCriteria"]
    other = fhir.post("/Basic", json=basic(ANY, "Patient"))
    assert (other.status_code, "Another resource" in other.text) == (422, True)


@pytest.mark.usefixtures("topics")
def test_the_capabilities_name_the_topics(fhir: httpx.Client, other_site: httpx.Client) -> None:
    def named(client: httpx.Client) -> set[str]:
        (rest,) = client.get("/metadata").json()["rest"]
        (own,) = [one for one in rest["resource"] if one["type"] == "Subscription"]
        return {one["valueCanonical"] for one in own.get("extension", ())}

    assert {COMPLETED, ANY} <= named(fhir)
    assert COMPLETED in named(other_site) and ANY not in named(other_site), "what a site posted is its own"


@pytest.mark.usefixtures("topics")
def test_a_topic_goes_with_its_basic_and_comes_back(served: Served, fhir: httpx.Client) -> None:
    url = "urn:topic:short"
    stored = fhir.post("/Basic", json=basic(url, "Patient")).json()
    assert url in served.ecluse("subscriptions", "topics")
    assert fhir.delete(f"/Basic/{stored['id']}").is_success
    assert url not in served.ecluse("subscriptions", "topics")
    assert fhir.put(f"/Basic/{stored['id']}", json=stored).status_code == 201
    assert url in served.ecluse("subscriptions", "topics")
    assert fhir.post(f"/Basic/{stored['id']}/$purge").is_success
    assert url not in served.ecluse("subscriptions", "topics")
    subscribe(fhir, "https://app.example/hook", ANY, "empty")
    table = served.ecluse("subscriptions", "list", "--site", "default")
    assert "https:" in table
