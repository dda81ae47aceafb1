"""Criteria of topics in FHIRPath, against a real hook.

Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#fhirpath-criteria"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.ports import free_port
from tests.services.server import Served
from tests.spec.hooks import Hook, consuming, until
from tests.spec.topics import basic, bundles, extension, kinds, numbers, standing, subscribe

ENDED = "https://topics.example/fhirpath-ended"
BOTH = "https://topics.example/fhirpath-and-query"
BRITTLE = "https://topics.example/fhirpath-brittle"
OF_THE_BACKPORT = "(%previous.id.empty() or (%previous.status != 'finished')) and (%current.status = 'finished')"
WAS_ENDED = "%current.empty() and %previous.status = 'finished'"


def topic(url: str, *triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"resourceType": "SubscriptionTopic", "url": url, "status": "active", "resourceTrigger": list(triggers)}
    return told | more


def load(served: Served, folder: Path, told: dict[str, Any]) -> None:
    file = folder / "topic.json"
    file.write_text(json.dumps(told))
    served.ecluse("subscriptions", "load", str(file))


def observe(fhir: httpx.Client, own: str, code: str, *texts: str) -> str:
    body = {
        "resourceType": "Observation",
        "id": own,
        "status": "final",
        "code": {"coding": [{"system": "urn:t", "code": code}]},
        "component": [{"code": {"text": text}, "valueInteger": 1} for text in texts],
    }
    answer = fhir.put(f"/Observation/{own}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.headers["X-Ecluse-Event"]


@pytest.fixture
def hook() -> Hook:
    """A hook that does not listen yet."""
    return Hook(free_port())


def test_an_expression_compares_what_was_with_what_is(
    served: Served, fhir: httpx.Client, hook: Hook, tmp_path: Path
) -> None:
    changed = {
        "resource": "Encounter",
        "supportedInteraction": ["create", "update"],
        "fhirPathCriteria": OF_THE_BACKPORT,
    }
    removed = {"resource": "Encounter", "supportedInteraction": ["delete"], "fhirPathCriteria": WAS_ENDED}
    load(served, tmp_path, topic(ENDED, changed, removed))
    subscribe(fhir, hook.url, ENDED, "id-only")

    def encounter(own: str, status: str, length: int) -> None:
        body = {
            "resourceType": "Encounter",
            "id": own,
            "status": status,
            "class": {"code": "IMP"},
            "length": {"value": length},
        }
        assert fhir.put(f"/Encounter/{own}", json=body).is_success

    with hook.listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"])
        encounter("path-goes-on", "in-progress", 1)
        encounter("path-goes-on", "finished", 2)
        encounter("path-goes-on", "finished", 3)
        encounter("path-at-once", "finished", 1)
        encounter("path-open", "in-progress", 1)
        assert fhir.delete("/Encounter/path-open").is_success
        assert fhir.delete("/Encounter/path-goes-on").is_success
        encounter("path-last", "finished", 1)
        until(lambda: any("path-last" in one.body.decode() for one in hook.received))
    told = [one["entry"][1]["request"] for one in bundles(hook)[1:]]
    assert told == [
        {"method": "PUT", "url": "Encounter/path-goes-on"},
        {"method": "POST", "url": "Encounter"},
        {"method": "DELETE", "url": "Encounter/path-goes-on"},
        {"method": "POST", "url": "Encounter"},
    ]


def test_both_criteria_of_a_trigger_hold(served: Served, fhir: httpx.Client, hook: Hook, tmp_path: Path) -> None:
    trigger = {
        "resource": "Observation",
        "supportedInteraction": ["create", "update"],
        "queryCriteria": {"current": "code=urn:t|both"},
        "fhirPathCriteria": "%current.component.count() > 1",
    }
    load(served, tmp_path, topic(BOTH, trigger))
    subscribe(fhir, hook.url, BOTH, "id-only")
    with hook.listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"])
        observe(fhir, "path-query-alone", "both", "a")
        observe(fhir, "path-path-alone", "neither", "a", "b")
        observe(fhir, "path-both", "both", "a", "b")
        until(lambda: numbers(hook) == [1])
    assert bundles(hook)[1]["entry"][1]["fullUrl"].endswith("/Observation/path-both")


def test_what_cannot_be_evaluated_is_counted_and_stops_nobody(
    served: Served, fhir: httpx.Client, hook: Hook, tmp_path: Path
) -> None:
    trigger = {"resource": "Observation", "fhirPathCriteria": "%current.component.code.text.startsWith('a')"}
    load(served, tmp_path, topic(BRITTLE, trigger, canFilterBy=[{"filterParameter": "code"}]))
    everything = "https://topics.example/beside-brittle"
    assert fhir.post("/Basic", json=basic(everything, "Observation")).status_code == 201
    other = Hook(free_port())
    own = subscribe(fhir, hook.url, BRITTLE, "id-only")
    elsewhere = subscribe(fhir, other.url, everything, "id-only", "code=urn:t|brittle")
    filtered = subscribe(fhir, other.url, BRITTLE, "id-only", "code=urn:t|of-nobody")
    with hook.listening(), other.listening(), consuming(served):
        until(lambda: kinds(hook) == ["handshake"] and len(other.received) == 2)
        observe(fhir, "path-brittle-1", "brittle", "abc")
        last = observe(fhir, "path-brittle-2", "brittle", "abc", "axy")
        observe(fhir, "path-brittle-3", "brittle", "xyz")
        observe(fhir, "path-brittle-4", "brittle", "abd")
        until(lambda: numbers(hook) == [1, 2] and numbers(other) == [1, 2, 3, 4])
        told = standing(fhir, own)
        read = fhir.get(f"/Subscription/{own}").json()
    why = "resourceTrigger[0].fhirPathCriteria: startsWith takes a single item, not 2"
    assert f"not told: 1; the last {last}, {why}" in told["error"]["text"]
    assert "path-brittle" not in told["error"]["text"], "what is erased must not stay here"
    assert read["error"] == told["error"]["text"] and read["status"] == "active"
    assert "error" not in standing(fhir, elsewhere) and "error" not in standing(fhir, filtered)
    assert "startsWith" in served.ecluse("subscriptions", "list").replace("\n", "")
    assert "ecluse_subscriptions_undecided 1.0\n" in httpx.get(f"{served.url}/metrics").text
    log = Path(f"{served.log}.subscriptions").read_text()
    (line,) = [json.loads(one) for one in log.splitlines() if "criteria cannot be evaluated" in one]
    assert (line["topic"], line["resource_type"], line["count"]) == (BRITTLE, "Observation", 1)
    assert fhir.put(f"/Subscription/{own}", json=read | {"status": "requested"}).is_success
    assert "error" not in standing(fhir, own)


def test_a_file_that_cannot_be_served_is_refused_in_words(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "topic.json"
    file.write_text(json.dumps(topic(ENDED, {"resource": "Encounter", "fhirPathCriteria": "%current.frist()"})))
    command = [sys.executable, "-m", "ecluse", "subscriptions", "load", str(file)]
    done = subprocess.run(command, env=served.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    place = f"{ENDED}, SubscriptionTopic.resourceTrigger[0].fhirPathCriteria: "
    assert f"{place}FHIRPath has no function frist(): did you mean first()?" in done.stderr


def test_a_basic_is_refused_with_the_place_of_its_event(fhir: httpx.Client) -> None:
    told = basic("https://topics.example/event", "Encounter")
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A01"}
    event = [extension("event", valueCodeableConcept={"coding": [coding]}), extension("resource", valueUri="Encounter")]
    url = told["extension"][0]["url"].replace(".url", ".eventTrigger")
    answer = fhir.post("/Basic", json=told | {"extension": [*told["extension"], extension(url, extension=event)]})
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == ["Basic.eventTrigger"]
    assert issue["diagnostics"] == "http://terminology.hl7.org/CodeSystem/v2-0003|A01"
    assert "resourceTrigger" in issue["details"]["text"]
