"""What is sent beside the resource that an event is about, against a real hook.

Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#notification-shape"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ecluse.core.fhir.types import number_of
from ecluse.related import told as related
from mappers.subscriptions.bundle import MOST_BESIDE
from tests.services.ports import free_port
from tests.services.server import Served
from tests.spec.hooks import Hook, consuming, until
from tests.spec.search_parameters import fresh, parameter, settled
from tests.spec.test_topic_subscriptions import listen, next_event
from tests.spec.topics import R5, basic, bundles, extension, kinds, numbers, standing, subscribe, subscription

FINISHED = "https://topics.example/shape-finished"
SEEN = "https://topics.example/shape-seen"
SHAPE = {
    "resource": "http://hl7.org/fhir/StructureDefinition/Encounter",
    "include": ["Encounter:patient&iterate=Patient.link", "Encounter:location"],
    "revInclude": ["Observation:encounter"],
}


@pytest.fixture(scope="module")
def topics(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two about encounters that are finished or removed, of different shapes."""
    folder: Path = tmp_path_factory.mktemp("topics")
    criteria = {"current": "status=finished", "resultForDelete": "test-passes"}
    finished = {"resource": "Encounter", "queryCriteria": criteria}
    able = [{"filterParameter": "_id"}]
    for url, shape in ((FINISHED, SHAPE), (SEEN, {"resource": "Encounter", "include": ["Encounter:subject"]})):
        told = {"resourceType": "SubscriptionTopic", "url": url, "status": "active", "resourceTrigger": [finished]}
        file = folder / f"{url.rpartition('/')[2]}.json"
        file.write_text(json.dumps(told | {"canFilterBy": able, "notificationShape": [shape]}))
        served.ecluse("subscriptions", "load", str(file))


@pytest.fixture
def hook(topics: None) -> Hook:
    """A hook that does not listen yet."""
    return Hook(free_port())


def put(fhir: httpx.Client, kind: str, own: str, **members: Any) -> str:
    """`Type/id` of what is written."""
    answer = fhir.put(f"/{kind}/{own}", json={"resourceType": kind, "id": own, **members})
    assert answer.status_code in (200, 201), answer.text
    return f"{kind}/{own}"


def encounter(fhir: httpx.Client, own: str, patient: str, status: str = "finished", **members: Any) -> str:
    subject = {"reference": patient}
    return put(fhir, "Encounter", own, status=status, **{"class": {"code": "IMP"}}, subject=subject, **members)


def observation(fhir: httpx.Client, own: str, about: str) -> str:
    return put(fhir, "Observation", own, status="final", code={"text": "x"}, encounter={"reference": about})


def stay(fhir: httpx.Client, name: str, family: str = "here") -> list[str]:
    """A finished encounter, and what its shape leads to: patient, the mother who is linked, location, observation."""
    mother = put(fhir, "Patient", f"{name}-mother", name=[{"family": family}])
    link = [{"other": {"reference": mother}, "type": "seealso"}]
    patient = put(fhir, "Patient", f"{name}-patient", name=[{"family": family}], link=link)
    ward = put(fhir, "Location", f"{name}-ward", name=family)
    place = [{"location": {"reference": ward}}]
    own = encounter(fhir, f"{name}-stay", patient, "in-progress", location=place)
    observed = observation(fhir, f"{name}-observed", own)
    encounter(fhir, f"{name}-stay", patient, location=place)
    return [own, patient, mother, ward, observed]


def places(bundle: dict[str, Any]) -> list[str]:
    """`Type/id` of the entries after the status."""
    return ["/".join(entry["fullUrl"].split("/")[-2:]) for entry in bundle["entry"][1:]]


def context(bundle: dict[str, Any]) -> list[list[str]]:
    """What each event says that goes with it."""
    events = [one["part"] for one in parameters(bundle, "notification-event")]
    named = [[part for part in parts if part["name"] == "additional-context"] for parts in events]
    return [["/".join(one["valueReference"]["reference"].split("/")[-2:]) for one in each] for each in named]


def parameters(bundle: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Those of a name in the status."""
    return [one for one in bundle["entry"][0]["resource"]["parameter"] if one["name"] == name]


def test_a_full_resource_comes_with_what_the_shape_includes_and_only_of_its_site(
    served: Served, fhir: httpx.Client, other_site: httpx.Client, hook: Hook
) -> None:
    hooks = {content: Hook(free_port()) for content in ("id-only", "empty")}
    own = subscribe(fhir, hook.url, FINISHED, "full-resource", "_id=shape-full-stay")
    for content, other in hooks.items():
        subscribe(fhir, other.url, FINISHED, content, "_id=shape-full-stay")
    stay(other_site, "shape-full", "elsewhere")
    observation(other_site, "shape-full-only-there", "Encounter/shape-full-stay")
    with hook.listening(), hooks["id-only"].listening(), hooks["empty"].listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"] and all(other.received for other in hooks.values()))
        focus, *beside = stay(fhir, "shape-full")
        until(lambda: numbers(hook) == [1] and all(numbers(other) == [1] for other in hooks.values()))
        asked = fhir.get(f"/Subscription/{own}/$events?content=full-resource").json()
    full, named, empty = bundles(hook)[1], bundles(hooks["id-only"])[1], bundles(hooks["empty"])[1]
    for bundle in (full, named, asked):
        assert places(bundle)[0] == focus and sorted(places(bundle)[1:]) == sorted(beside)
        assert [sorted(each) for each in context(bundle)] == [sorted(beside)]
        for place, entry in zip(places(bundle)[1:], bundle["entry"][2:], strict=True):
            assert entry["fullUrl"] == f"{fhir.base_url}{place}"
            assert entry["request"] == {"method": "GET", "url": place}
            assert entry["response"] == {"status": "200"}
    for bundle in (full, asked):
        texts = [json.dumps(entry["resource"]) for entry in bundle["entry"][1:]]
        assert sum("here" in text for text in texts) == 3 and not any("elsewhere" in text for text in texts)
    assert not any("resource" in entry for entry in named["entry"][1:])
    assert len(empty["entry"]) == 1 and "additional-context" not in json.dumps(empty)


def test_each_event_comes_with_what_its_own_version_leads_to(served: Served, fhir: httpx.Client, hook: Hook) -> None:
    first, second = (put(fhir, "Patient", f"shape-version-{each}") for each in "ab")
    subscribe(fhir, hook.url, SEEN, "id-only", "_id=shape-version", max_count=5)
    encounter(fhir, "shape-version", first)
    encounter(fhir, "shape-version", second)
    assert fhir.delete("/Encounter/shape-version").is_success
    with hook.listening(), consuming(served):
        until(lambda: numbers(hook) == [1, 2, 3])
    told = [each for one in bundles(hook)[1:] for each in context(one)]
    assert told == [[first], [second], [second]], "a delete comes with what was there"


@pytest.mark.usefixtures("topics")
def test_a_websocket_brings_the_same(served: Served, fhir: httpx.Client) -> None:
    sent = subscription("", FINISHED, "full-resource", "_id=shape-socket-stay", timeout=5)
    sent["channel"] |= {"type": "websocket"}
    del sent["channel"]["endpoint"]
    own = fhir.post("/Subscription", json=sent).json()["id"]
    with consuming(served), listen(fhir, own) as socket:
        focus, *beside = stay(fhir, "shape-socket")
        told = next_event(socket)
    assert places(told)[0] == focus and sorted(places(told)[1:]) == sorted(beside)
    assert all(entry["resource"] for entry in told["entry"])


def test_no_more_than_so_many_come_with_an_event_and_that_is_told(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    subscribe(fhir, hook.url, FINISHED, "full-resource", "_id=shape-many,shape-just")
    patient = put(fhir, "Patient", "shape-many-patient")
    for own, count in (("shape-just", MOST_BESIDE - 1), ("shape-many", MOST_BESIDE)):
        encounter(fhir, own, patient, "in-progress")
        observed = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "encounter": {"reference": f"Encounter/{own}"},
        }
        entries = [{"resource": observed, "request": {"method": "POST", "url": "Observation"}}] * count
        sent = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        assert fhir.post("/", json=sent).status_code == 200
        encounter(fhir, own, patient)
    with hook.listening(), consuming(served):
        until(lambda: numbers(hook) == [1, 2])
    just, many = bundles(hook)[1:]
    assert len(places(just)) == len(places(many)) == 1 + MOST_BESIDE
    assert [one["valueCodeableConcept"]["text"] for one in parameters(many, "error")] == [
        "Event 2 leads to more than 100 resources that go with it; the others are left out."
    ]
    assert not parameters(just, "error")


def test_what_was_erased_or_deleted_meanwhile_does_not_come(served: Served, fhir: httpx.Client, hook: Hook) -> None:
    own = subscribe(fhir, hook.url, FINISHED, "full-resource", "_id=shape-erased-stay")
    with consuming(served):
        focus, patient, mother, ward, observed = stay(fhir, "shape-erased")
        until(lambda: standing(fhir, own)["events-since-subscription-start"] == "1")
        assert fhir.post(f"/{mother}/$purge").is_success
        assert fhir.delete(f"/{observed}").is_success
        with hook.listening():
            until(lambda: numbers(hook) == [1])
    told = bundles(hook)[1]
    assert sorted(places(told)) == sorted([focus, patient, ward])
    assert [sorted(each) for each in context(told)] == [sorted([patient, ward])]
    assert b"shape-erased-observed" not in hook.received[-1].body


async def test_whom_the_gate_keeps_back_does_not_come_either(
    served: Served, fhir: httpx.Client, hook: Hook, store: asyncpg.Connection
) -> None:
    subscribe(fhir, hook.url, FINISHED, "full-resource", "_id=shape-gate-stay")
    with hook.listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"])
        put(fhir, "Patient", "shape-gate-mother", name=[{"family": "first"}])
        known = "SELECT person FROM identity.person_patient WHERE patient_id = 'shape-gate-mother'"
        person = None
        while person is None:
            person = await store.fetchval(known)
        await store.execute(
            "INSERT INTO identity.decision (person, purpose, decision, reason) VALUES ($1, 'care', 'withhold', 'test')",
            person,
        )
        focus, patient, _, ward, observed = stay(fhir, "shape-gate")
        until(lambda: numbers(hook) == [1])
    assert sorted(places(bundles(hook)[1])) == sorted([focus, patient, ward, observed])


async def test_bodies_beyond_the_bytes_of_a_notification_are_named_alone(
    fhir: httpx.Client, store: asyncpg.Connection
) -> None:
    for name in ("a", "b"):
        put(fhir, "Patient", f"shape-bytes-{name}", name=[{"family": "x" * 500}])
    kind = number_of["Patient"]
    keys = await store.fetch("SELECT type, pk FROM fhir.resource WHERE id LIKE 'shape-bytes-_' ORDER BY pk")
    site = await store.fetchval("SELECT site FROM fhir.site WHERE name = 'default'")
    row = {"number": 1, "made_at": None, "type": kind, "id": "focus", "op": 1, "body": b"{}"}
    row["beside"] = json.dumps([list(one) for one in keys])
    (told,) = await related.events(store, site, "full-resource", [row], most_bytes=1000)
    assert [(one.id, one.body is None) for one in told.beside] == [("shape-bytes-a", False), ("shape-bytes-b", True)]


def test_a_shape_follows_parameters_made_at_run_time_as_long_as_they_are_there(
    served: Served, fhir: httpx.Client, other_site: httpx.Client, hook: Hook
) -> None:
    code, url = fresh("lent-to"), f"urn:topic:{fresh('lent')}"
    made = parameter(
        code,
        "Device.extension.where(url = 'urn:lent').value.as(Reference)",
        base=["Device"],
        type="reference",
        target=["Patient"],
    )
    own = fhir.post("/SearchParameter", json=made).json()["id"]
    assert settled(fhir, own)["state"] == "active"
    topic = basic(url, "Device")
    shape = [extension("resource", valueUri="Device"), extension("include", valueString=f"Device:{code}")]
    topic["extension"].append(extension(f"{R5}notificationShape", extension=shape))
    refused = other_site.post("/Basic", json=topic)
    assert (refused.status_code, f"no reference parameter {code}" in refused.text) == (422, True), "it is not theirs"
    assert fhir.post("/Basic", json=topic).status_code == 201
    subscribe(fhir, hook.url, url, "full-resource")
    patient = put(fhir, "Patient", fresh("lent"))
    lent = {"extension": [{"url": "urn:lent", "valueReference": {"reference": patient}}]}
    device = fresh("device")
    with hook.listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"])
        place = put(fhir, "Device", device, **lent)
        until(lambda: numbers(hook) == [1])
        assert fhir.delete(f"/Device/{device}").is_success
        until(lambda: numbers(hook) == [1, 2])
        assert fhir.delete(f"/SearchParameter/{own}").is_success
        put(fhir, "Device", device, **lent)
        until(lambda: numbers(hook) == [1, 2, 3])
    told = [one for one in bundles(hook) if numbers_of(one)]
    assert [places(one) for one in told] == [[place, patient], [place, patient], [place]]


def numbers_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a bundle."""
    return parameters(bundle, "notification-event")
