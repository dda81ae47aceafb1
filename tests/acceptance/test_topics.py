"""The topic that the guide of the backport publishes, end to end: loaded, subscribed to, told with its shape, though
the consumer is killed.

Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/SubscriptionTopic-r4b-encounter-complete.html"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.test_kill import process_of
from tests.services.ports import free_port
from tests.services.postgres import Postgres
from tests.services.server import Served, serving
from tests.spec.hooks import Hook, until
from tests.spec.topics import kinds, subscribe, told

URL = "http://hl7.org/fhir/uv/subscriptions-backport/SubscriptionTopic/r4b-encounter-complete"
TOPIC: dict[str, Any] = {
    "resourceType": "SubscriptionTopic",
    "url": URL,
    "status": "draft",
    "resourceTrigger": [
        {
            "resource": "Encounter",
            "supportedInteraction": ["create", "update"],
            "queryCriteria": {
                "previous": "status:not=finished",
                "resultForCreate": "test-passes",
                "current": "status=finished",
                "resultForDelete": "test-fails",
                "requireBoth": True,
            },
            "fhirPathCriteria": "(%previous.id.empty() or (%previous.status != 'finished')) "
            "and (%current.status = 'finished')",
        }
    ],
    "canFilterBy": [{"resource": "Encounter", "filterParameter": name} for name in ("subject", "_in", "length")],
    "notificationShape": [
        {
            "resource": "Encounter",
            "include": [
                "Encounter:patient&iterate=Patient.link",
                *(
                    f"Encounter:{name}"
                    for name in ("practitioner", "service-provider", "account", "diagnosis", "location")
                ),
            ],
        }
    ],
}
"""As published, but for the include `Encounter:observation`: R4 has no such parameter."""
STAYS, KILLS = 12, 2


@pytest.fixture
def served(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    """A whole Écluse that serves Subscriptions."""
    variables = {"ECLUSE_SUBSCRIPTIONS": "on", "ECLUSE_HOOK_HOSTS": "127.0.0.1"}
    with postgres.database("template0") as url, serving(tmp_path, "up", ECLUSE_DATABASE_URL=url, **variables) as served:
        yield served


def _put(fhir: httpx.Client, kind: str, own: str, **members: Any) -> str:
    answer = fhir.put(f"/{kind}/{own}", json={"resourceType": kind, "id": own, **members})
    assert answer.status_code in (200, 201), answer.text
    return f"{kind}/{own}"


def _stay(fhir: httpx.Client, number: int, ward: str) -> list[str]:
    """An encounter from its start to its end; and what comes with it."""
    mother = _put(fhir, "Patient", f"mother-{number}")
    link = [{"other": {"reference": mother}, "type": "seealso"}]
    child = _put(fhir, "Patient", f"child-{number}", link=link)
    for status, length in (("in-progress", 1), ("finished", 2), ("finished", 3)):
        _put(
            fhir,
            "Encounter",
            f"stay-{number}",
            status=status,
            subject={"reference": child},
            location=[{"location": {"reference": ward}}],
            length={"value": length},
            **{"class": {"code": "IMP"}},
        )
    return [f"Encounter/stay-{number}", *sorted([mother, child, ward])]


def _has(hook: Hook, number: int) -> bool:
    return number in hook.numbers


def test_the_published_topic_is_told_with_its_shape_though_the_consumer_is_killed(
    served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "topic.json"
    file.write_text(json.dumps(TOPIC))
    assert URL in served.ecluse("subscriptions", "load", str(file)).replace("\n", "")
    hook = Hook(free_port())
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir, hook.listening():
        subscribe(fhir, hook.url, URL, "full-resource")
        until(lambda: kinds(hook) == ["handshake"])
        ward = _put(fhir, "Location", "ward")
        stays = []
        for number in range(STAYS):
            stays.append(_stay(fhir, number, ward))
            if number % (STAYS // KILLS) == 1:
                until(partial(_has, hook, number))
                process_of(served, "subscriptions").send_signal(signal.SIGKILL)
        until(lambda: set(hook.numbers) == set(range(STAYS + 1)))
    once = {one.number: json.loads(one.body) for one in hook.received if one.number}
    for number, (focus, *beside) in enumerate(stays, 1):
        bundle = once[number]
        places = ["/".join(entry["fullUrl"].split("/")[-2:]) for entry in bundle["entry"][1:]]
        assert [places[0], *sorted(places[1:])] == [focus, *beside]
        assert bundle["entry"][1]["resource"]["length"]["value"] == 2, (
            "the version that was told is the one that ended it"
        )
        assert all("resource" in entry for entry in bundle["entry"])
        assert told(bundle)["type"] == "event-notification"
