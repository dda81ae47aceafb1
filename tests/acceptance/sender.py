"""A hospital system that never gives up: it sends each bundle until it is acknowledged, and remembers what it was
told."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import httpx

PATIENCE_S = 120


def bundle(number: int) -> dict[str, Any]:
    """One patient with a stay, measurements and a report; a transaction."""
    patient, stay = (f"urn:uuid:{uuid.uuid4()}" for _ in range(2))
    subject = {"subject": {"reference": patient}, "encounter": {"reference": stay}}
    text = f"Compte rendu numéro {number} : pas de fièvre, suspicion de pneumopathie."
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "gender": "female", "birthDate": "1956-03-02"},
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": patient},
            "period": {"start": "2026-01-05T08:00:00+01:00", "end": "2026-01-09T10:00:00+01:00"},
        },
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
            "conclusion": text,
            **subject,
        },
    ]
    resources += [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "effectiveDateTime": f"2026-01-0{5 + place % 4}T09:{place:02}:00+01:00",
            "valueQuantity": {
                "value": 60 + place,
                "unit": "/min",
                "system": "http://unitsofmeasure.org",
                "code": "/min",
            },
            **subject,
        }
        for place in range(17)
    ]
    names = [patient, stay, *("" for _ in resources[2:])]
    entries = [
        {
            **({"fullUrl": name} if name else {}),
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for name, resource in zip(names, resources, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


class Sender:
    """Sends bundles from several threads."""

    def __init__(self, base: str, bundles: int, threads: int = 3) -> None:
        self.acknowledged: list[str] = []
        self.sent_resources = 0
        self.errors: list[str] = []
        self._base = base
        self._numbers = iter(range(bundles))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def start(self) -> Sender:
        """Begins to send."""
        for thread in self._threads:
            thread.start()
        return self

    def wait_for(self, count: int) -> None:
        """Returns when so many resources are acknowledged."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.acknowledged) < count and time.monotonic() < deadline and not self.errors:
            time.sleep(0.01)
        assert len(self.acknowledged) >= count, self.errors

    def finish(self) -> None:
        """Returns when everything is acknowledged."""
        for thread in self._threads:
            thread.join(PATIENCE_S)
        assert not self.errors, self.errors
        assert len(self.acknowledged) == self.sent_resources

    def _work(self) -> None:
        with httpx.Client(timeout=30) as client:
            while True:
                with self._lock:
                    number = next(self._numbers, None)
                if number is None or self.errors:
                    return
                self._send(client, bundle(number))

    def _send(self, client: httpx.Client, body: dict[str, Any]) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "return=minimal"}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = client.post(f"{self._base}/", json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                with self._lock:
                    self.sent_resources += len(body["entry"])
                    self.acknowledged += [entry["response"]["location"] for entry in answer.json()["entry"]]
                return
            if answer.status_code != 503:
                self.errors.append(answer.text)
                return
            time.sleep(0.1)
        self.errors.append("not acknowledged in time")
