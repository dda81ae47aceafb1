"""Subscriptions with a rest-hook, against a real hook: every notification arrives, in order and numbered without gaps.

Spec: http://hl7.org/fhir/R4/subscription.html"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest

from tests.services.ports import free_port
from tests.services.server import Served
from tests.spec.hooks import Hook, consuming, until


@pytest.fixture
def hook() -> Hook:
    """A hook that does not listen yet."""
    return Hook(free_port())


def _subscription(endpoint: str, criteria: str, channel: dict[str, Any]) -> dict[str, Any]:
    told = {"type": "rest-hook", "endpoint": endpoint} | channel
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": criteria,
        "channel": told,
    }


def _subscribe(fhir: httpx.Client, endpoint: str, code: str, **channel: Any) -> str:
    answer = fhir.post("/Subscription", json=_subscription(endpoint, f"Observation?code=urn:t|{code}", channel))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _observe(fhir: httpx.Client, code: str, own: str, value: int, **headers: str) -> str:
    coding = {"coding": [{"system": "urn:t", "code": code}]}
    body = {
        "resourceType": "Observation",
        "id": own,
        "status": "final",
        "code": coding,
        "valueInteger": value,
    }
    answer = fhir.put(f"/Observation/{own}", json=body, headers=headers)
    assert answer.status_code in (200, 201)
    return answer.headers["X-Ecluse-Event"]


def _status(fhir: httpx.Client, own: str) -> dict[str, Any]:
    bundle = fhir.get(f"/Subscription/{own}/$status").json()
    (entry,) = bundle["entry"]
    return {
        one["name"]: next(value for key, value in one.items() if key != "name")
        for one in entry["resource"]["parameter"]
    }


def test_every_version_arrives_in_order_with_headers_that_nobody_reads(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    secret = {"payload": "application/fhir+json", "header": ["Authorization: Bearer s3cret"]}
    own = _subscribe(fhir, hook.url, "every", **secret)
    with consuming(served), hook.listening():
        for value in range(12):
            _observe(fhir, "every", "every-1", value)
            _observe(fhir, "other", "every-2", value)
        until(lambda: len(hook.received) == 12)
        read = fhir.get(f"/Subscription/{own}")
    assert hook.numbers == list(range(1, 13))
    assert [httpx.Response(200, content=one.body).json()["valueInteger"] for one in hook.received] == list(range(12))
    assert {one[1:3] for one in hook.received} == {("PUT", "/hook/Observation/every-1")}
    assert {one.secret for one in hook.received} == {"Bearer s3cret"}
    assert read.json()["status"] == "active"
    texts = [read.text, fhir.get("/Subscription").text, fhir.get(f"/Subscription/{own}/_history").text]
    assert not any("s3cret" in text for text in texts)


def test_history_notifies_nobody(served: Served, fhir: httpx.Client, hook: Hook) -> None:
    own = _subscribe(fhir, hook.url, "past", payload="application/fhir+json")
    past = [_observe(fhir, "past", f"past-{value}", value, **{"X-Ecluse-Lane": "bulk"}) for value in range(3)]
    _observe(fhir, "past", "past-now", 7)
    with consuming(served), hook.listening():
        until(lambda: hook.received)
        knowing = replace(served, environment={**served.environment, "ECLUSE_SUBSCRIPTIONS": "on"})
        knowing.ecluse("wait", "--event", past[-1], "--consumer", "subscriptions")
        assert _status(fhir, own)["events-since-subscription-start"] == "1"
    assert [one.path for one in hook.received] == ["/hook/Observation/past-now"]


def test_a_hook_that_is_down_then_answers_500_then_recovers_gets_all_numbers(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    other = Hook(free_port())
    own = _subscribe(fhir, hook.url, "down")
    _subscribe(fhir, other.url, "down")
    with consuming(served), other.listening():
        for value in range(5):
            _observe(fhir, "down", "down-1", value)
        until(lambda: other.numbers == [1, 2, 3, 4, 5])
        until(lambda: _status(fhir, own)["status"] == "error")
        assert "does not answer" in fhir.get(f"/Subscription/{own}").json()["error"]
        hook.status = 500
        with hook.listening():
            until(lambda: hook.refused)
            until(lambda: "500" in _status(fhir, own).get("error", {}).get("text", ""))
            hook.status, hook.slow_s = 200, 0.1
            until(lambda: len(hook.received) == 5)
            until(lambda: _status(fhir, own)["status"] == "active")
    assert hook.numbers == [1, 2, 3, 4, 5]
    assert {(one.method, one.path, one.body) for one in hook.received} == {("POST", "/hook", b"")}
    assert _status(fhir, own)["events-delivered"] == "5"


def test_a_consumer_that_is_killed_between_write_and_delivery_loses_nothing(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    own = _subscribe(fhir, hook.url, "killed")
    with consuming(served) as process:
        for value in range(7):
            _observe(fhir, "killed", "killed-1", value)
        until(lambda: _status(fhir, own)["events-since-subscription-start"] == "7")
        process.kill()
        process.wait()
    _observe(fhir, "killed", "killed-1", 7)
    with hook.listening(), consuming(served):
        until(lambda: len(hook.received) >= 8)
    assert hook.numbers == list(range(1, 9))


def test_what_is_erased_before_it_was_sent_says_nothing(served: Served, fhir: httpx.Client, hook: Hook) -> None:
    own = _subscribe(fhir, hook.url, "erased", payload="application/fhir+json")
    patient = fhir.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "urn:t", "code": "erased"}]},
        "subject": {"reference": f"Patient/{patient}"},
    }
    with consuming(served):
        written = fhir.post("/Observation", json=body).json()["id"]
        until(lambda: _status(fhir, own).get("error"))
        purged = fhir.post(f"/Patient/{patient}/$purge")
        assert purged.status_code < 300, purged.text
        with hook.listening():
            until(lambda: hook.received)
    (only,) = hook.received
    assert (only.number, only.method, only.path, only.body) == (1, "POST", "/hook", b"")
    assert written not in only.path


@pytest.mark.parametrize("endpoint", ["https://127.0.0.1/hook", "https://[::1]/hook", "http://localhost:1/hook"])
def test_a_private_or_unencrypted_hook_is_not_called(served: Served, fhir: httpx.Client, endpoint: str) -> None:
    own = _subscribe(fhir, endpoint, "private")
    with consuming(served, ECLUSE_HOOK_HOSTS=""):
        _observe(fhir, "private", "private-1", hash(endpoint) % 1000)
        until(lambda: _status(fhir, own).get("error"))
        assert "ECLUSE_HOOK_HOSTS" in _status(fhir, own)["error"]["text"]
        fhir.delete(f"/Subscription/{own}")


@pytest.mark.parametrize(
    ("criteria", "channel", "place"),
    [
        ("Nothing?code=1", {}, "criteria"),
        ("Observation?nothing=1", {}, "criteria"),
        ("Observation?subject.name=x", {}, "criteria"),
        ("Subscription?status=active", {}, "criteria"),
        ("Binary?", {}, "criteria"),
        ("Observation?code=1", {"type": "sms"}, "channel.type"),
        ("Observation?code=1", {"endpoint": "ftp://x/y"}, "channel.endpoint"),
        ("Observation?code=1", {"endpoint": "https://[::1/"}, "channel.endpoint"),
        ("Observation?code=1", {"endpoint": "https://[::g]/"}, "channel.endpoint"),
        ("Observation?code=1", {"endpoint": "https://x:70000/"}, "channel.endpoint"),
        ("Observation?code=1", {"endpoint": "https://x:port/"}, "channel.endpoint"),
        ("Observation?code=1", {"payload": "text/html"}, "channel.payload"),
        ("Observation?code=1", {"header": ["no colon"]}, "channel.header"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(
    fhir: httpx.Client, criteria: str, channel: dict[str, Any], place: str
) -> None:
    answer = fhir.post("/Subscription", json=_subscription("https://app.example/hook", criteria, channel))
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"] == [f"Subscription.{place}"]


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://app.example/hook", "by https"),
        ("https://10.0.0.7/hook", "private or local"),
        ("https://127.0.0.2/hook", "private or local"),
        ("https://[fd00::1]:8443/hook", "private or local"),
        ("https://[::ffff:192.168.1.4]/hook", "private or local"),
        ("https://app.localhost/hook", "private or local"),
        ("https://169.254.169.254/latest", "private or local"),
        ("https://app.example:none/hook", "https address"),
    ],
)
def test_a_hook_that_can_never_be_called_is_refused_with_the_setting_that_would_allow_it(
    fhir: httpx.Client, endpoint: str, why: str
) -> None:
    wanted = _subscription(endpoint, "Observation?code=urn:t|never", {})
    put = {"resource": {**wanted, "id": "never"}, "request": {"method": "PUT", "url": "Subscription/never"}}
    fine = {"resource": {"resourceType": "Device"}, "request": {"method": "POST", "url": "Device"}}
    for answer, place in (
        (fhir.post("/Subscription", json=wanted), "Subscription"),
        (
            fhir.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": [fine, put]}),
            "Bundle.entry[1].resource",
        ),
    ):
        assert answer.status_code == 422, answer.text
        (issue,) = answer.json()["issue"]
        text = issue["details"]["text"]
        assert why in text and ("ECLUSE_HOOK_HOSTS" in text or "none" in endpoint)
        assert (issue["expression"], issue["diagnostics"]) == ([f"{place}.channel.endpoint"], endpoint)
    assert fhir.get("/Subscription/never").status_code == 404
    written = fhir.post("/Subscription", json=wanted | {"status": "off"})
    assert written.status_code == 201
    asked = fhir.get(f"/Subscription/{written.json()['id']}/$status")
    assert asked.status_code == 200, asked.text
    assert {"name": "status", "valueCode": "off"} in asked.json()["entry"][0]["resource"]["parameter"]


def test_an_app_gets_the_trace_of_who_wrote_and_nothing_that_is_none(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    _subscribe(fhir, hook.url, "traced", header=["Traceparent: 00-" + "9" * 32 + "-" + "9" * 16 + "-01"])
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with hook.listening(), consuming(served):
        _observe(fhir, "traced", "traced-1", 1, traceparent=trace)
        _observe(fhir, "traced", "traced-1", 2, traceparent="not a trace")
        _observe(fhir, "traced", "traced-1", 3)
        until(lambda: len(hook.received) == 3)
    assert [one.traceparent for one in hook.received] == [trace, None, None]


@pytest.mark.parametrize("endpoint", ["https://app.example/hook", "https://8.8.8.8/hook", "http://127.0.0.1:9/hook"])
def test_what_a_name_or_the_operator_decides_is_taken(fhir: httpx.Client, endpoint: str) -> None:
    own = _subscribe(fhir, endpoint, "taken")
    patched = fhir.patch(
        f"/Subscription/{own}",
        json=[{"op": "replace", "path": "/channel/endpoint", "value": "http://app.example/hook"}],
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert (patched.status_code, "ECLUSE_HOOK_HOSTS" in patched.text) == (422, True)
    fhir.delete(f"/Subscription/{own}")


def test_an_erased_subscription_leaves_neither_secrets_nor_what_waited(
    served: Served, fhir: httpx.Client, hook: Hook
) -> None:
    own = _subscribe(fhir, hook.url, "purged", header=["Authorization: Bearer s3cret-of-the-purged"])
    with psycopg.connect(served.environment["ECLUSE_DATABASE_URL"]) as conn:
        kept = "SELECT count(*) FROM fhir.subscription WHERE headers::text LIKE '%s3cret-of-the-purged%'"
        assert conn.execute(kept).fetchone() == (1,)
        with consuming(served):
            _observe(fhir, "purged", "purged-1", 1)
            until(lambda: _status(fhir, own).get("error"))
            purged = fhir.post(f"/Subscription/{own}/$purge")
        assert purged.status_code < 300, purged.text
        assert conn.execute(kept).fetchone() == (0,)
        waiting = "SELECT count(*) FROM fhir.notification n WHERE n.id = 'purged-1'"
        assert conn.execute(waiting).fetchone() == (0,)
    assert fhir.get(f"/Subscription/{own}").status_code == 410
