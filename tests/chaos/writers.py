"""Hospital systems that never give up: each sends a write until it is acknowledged, and remembers what it was told.

A writer has patients of its own, so that it knows what must stand; some resources are shared by all of them. Every body
carries a number that no other body has: as the value of a measurement, in the words of a report, as an identifier.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from tests.chaos.seen import CREATED, DELETED, UPDATED, Version

PATIENCE_S = 240.0
PAUSE_S = 0.1
BULK = 0.15
"""Share of the writes that come as history, whatever came before or comes after."""
SHARED, SHARED_PATIENT = 10, "Patient/shared"
WORD_OF_ALL = "fièvre"
"""In every report."""
AGAIN = (409, 503)
"""What a write that is sent again may come through after: others were quicker, or something is away."""

Body = dict[str, Any]


class Marks:
    """Numbers for bodies, each given once."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1000)
        self._lock = threading.Lock()

    def next(self) -> int:
        """A number that no other body has."""
        with self._lock:
            return next(self._numbers)


def patient(mark: int) -> Body:
    """A patient with no name."""
    return {
        "resourceType": "Patient",
        "gender": "female",
        "birthDate": "1956-03-02",
        "identifier": [{"system": "urn:example:mark", "value": str(mark)}],
    }


def measurement(subject: str, mark: int) -> Body:
    """A heart rate that nobody could have."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-01-05T09:00:00+01:00",
        "valueQuantity": {"value": mark, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }


def report(subject: str, mark: int) -> Body:
    """A report that says its number in a word."""
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
        "subject": {"reference": subject},
        "conclusion": f"Compte rendu repere{mark} : pas de {WORD_OF_ALL}.",
    }


class Writer(threading.Thread):
    """One sender, with its own patients. acknowledged: what it was told, in order; purged: what it was told is erased;
    error: why it gave up"""

    def __init__(self, base: str, seed: str, marks: Marks, pace: Callable[[], float]) -> None:
        """pace: asked for the seconds to rest before the next write"""
        super().__init__(daemon=True)
        self.acknowledged: list[Version] = []
        self.purged: list[str] = []
        self.error = ""
        self._base = base
        self._random = random.Random(seed)
        self._marks = marks
        self._pace = pace
        self._bodies: dict[str, Body] = {}
        self._patients: list[str] = []
        self._stopped = threading.Event()
        self._turn = threading.Lock()
        self._remembered: tuple[int, int, dict[str, Body], list[str]] = (0, 0, {}, [])

    def hold(self) -> None:
        """Returns when its present write is acknowledged; it begins no other one until `go_on`."""
        self._turn.acquire()

    def go_on(self) -> None:
        """Lets it write again."""
        self._turn.release()

    def remember(self) -> None:
        """Notes what it knows now; only while it is held."""
        self._remembered = len(self.acknowledged), len(self.purged), dict(self._bodies), list(self._patients)

    def go_back(self) -> None:
        """Forgets what it was told since, as the store does; only while it is held."""
        told, purged, self._bodies, self._patients = self._remembered
        del self.acknowledged[told:], self.purged[purged:]

    def stop(self) -> None:
        """Lets it end after the present write."""
        self._stopped.set()

    def run(self) -> None:
        """Writes until it is stopped."""
        ways: list[tuple[int, Callable[[], None]]] = [
            (1, self._admit),
            (6, self._measure),
            (8, self._amend),
            (2, self._move),
            (3, self._retract),
            (3, self._contend),
            (2, self._report),
            (1, self._erase),
        ]
        weights, works = [weight for weight, _ in ways], [work for _, work in ways]
        with httpx.Client(base_url=self._base, timeout=30) as self._client:
            try:
                self._put(SHARED_PATIENT, patient(mark := self._marks.next()), mark)
                self._admit()
                while not self._stopped.wait(self._pace()):
                    (work,) = self._random.choices(works, weights)
                    with self._turn:
                        work()
            except Exception as error:  # whatever it is, the campaign has to hear of it
                self.error = repr(error)

    def _admit(self) -> None:
        """A transaction: a patient, two measurements and a report."""
        name = f"urn:uuid:{uuid.uuid4()}"
        marks = [self._marks.next() for _ in range(4)]
        bodies = [patient(marks[0]), measurement(name, marks[1]), measurement(name, marks[2]), report(name, marks[3])]
        entries = [
            {
                "resource": body,
                "request": {"method": "POST", "url": body["resourceType"]},
                "fullUrl": f"urn:uuid:{uuid.uuid4()}",
            }
            for body in bodies
        ]
        entries[0]["fullUrl"] = name
        answer = self._sent("POST", "/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        keys = [entry["response"]["location"].split("/_history")[0] for entry in answer.json()["entry"]]
        self._patients.append(keys[0])
        for key, mark, body in zip(keys, marks, bodies, strict=True):
            self.acknowledged.append(Version(key, 1, CREATED, mark))
            if body["resourceType"] != "Patient":
                self._bodies[key] = body | {"subject": {"reference": keys[0]}}

    def _measure(self) -> None:
        self._create(measurement(self._somebody(), mark := self._marks.next()), mark)

    def _report(self) -> None:
        self._create(report(self._somebody(), mark := self._marks.next()), mark)

    def _create(self, body: Body, mark: int) -> None:
        answer = self._sent("POST", f"/{body['resourceType']}", body)
        key = "/".join(answer.headers["location"].split("/_history")[0].split("/")[-2:])
        self.acknowledged.append(Version(key, 1, CREATED, mark))
        self._bodies[key] = body

    def _amend(self) -> None:
        """Another value, or other words, in something that stands."""
        key = self._something()
        self._update(key, self._bodies[key]["subject"]["reference"])

    def _move(self) -> None:
        """The same of another patient: it changes its partition."""
        self._update(self._something(), self._somebody())

    def _update(self, key: str, subject: str) -> None:
        make = measurement if key.startswith("Observation/") else report
        self._put(key, make(subject, mark := self._marks.next()), mark)

    def _contend(self) -> None:
        """A measurement that all writers change."""
        mark = self._marks.next()
        self._put(f"Observation/shared-{self._random.randrange(SHARED)}", measurement(SHARED_PATIENT, mark), mark)

    def _put(self, key: str, body: Body, mark: int) -> None:
        answer = self._sent("PUT", f"/{key}", body | {"id": key.split("/")[1]})
        op = CREATED if answer.status_code == 201 else UPDATED
        self.acknowledged.append(Version(key, _version(answer), op, mark))
        if key in self._bodies:
            self._bodies[key] = body

    def _retract(self) -> None:
        key = self._something()
        answer = self._sent("DELETE", f"/{key}", None)
        self.acknowledged.append(Version(key, _version(answer), DELETED, None))
        del self._bodies[key]

    def _erase(self) -> None:
        """A patient with everything that is theirs; the ids of the patient and of one more are then used again."""
        name = self._somebody()
        own = [key for key, body in self._bodies.items() if body["subject"]["reference"] == name]
        self._sent("POST", f"/{name}/$purge", None)
        self.purged += [name, *own]
        for key in own:
            del self._bodies[key]
        self._put(name, patient(mark := self._marks.next()), mark)
        if own:
            self._bodies[own[0]] = {}
            self._update(own[0], name)

    def _somebody(self) -> str:
        return self._random.choice(self._patients)

    def _something(self) -> str:
        if not self._bodies:
            self._measure()
        return self._random.choice(sorted(self._bodies))

    def _sent(self, method: str, path: str, body: Body | None) -> httpx.Response:
        """The answer that acknowledged it, however often it had to be sent."""
        lane = "bulk" if self._random.random() < BULK else "live"
        headers = {
            "X-Ecluse-Lane": lane,
            "Idempotency-Key": str(uuid.uuid4()),
            "Prefer": "return=minimal",
            "Content-Type": "application/fhir+json",
        }
        content = None if body is None else json.dumps(body)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = self._client.request(method, path, content=content, headers=headers)
            except httpx.TransportError:
                time.sleep(PAUSE_S)
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in AGAIN:
                raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
            time.sleep(PAUSE_S)
        raise AssertionError(f"{method} {path} was not acknowledged within {PATIENCE_S} s")


def _version(answer: httpx.Response) -> int:
    return int(answer.headers["etag"].removeprefix('W/"').removesuffix('"'))
