"""SearchParameters made and taken away at two server processes, while clients write: no resource is ever missing."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.services.server import Served, serving
from tests.spec.search import hits
from tests.spec.search_parameters import parameter, settled

EXTENSION = "urn:ward"
WRITERS, ROUNDS = 6, 3


class Writer:
    """A client that creates, moves and deletes Patients; wards: where each one is by what was acknowledged"""

    def __init__(self, url: str, stop: threading.Event) -> None:
        self.url, self.stop = url, stop
        self.wards: dict[str, str] = {}

    def run(self) -> None:
        """Writes until it is told to stop."""
        with httpx.Client(base_url=f"{self.url}/fhir", timeout=60) as client:
            while not self.stop.is_set():
                own = self._put(client.post("/Patient", json=_patient("a")), "a")
                second = self._put(client.post("/Patient", json=_patient("b")), "b")
                self._put(client.put(f"/Patient/{own}", json=_patient("b", id=own)), "b")
                assert client.delete(f"/Patient/{second}").status_code == 204
                del self.wards[second]

    def _put(self, answer: httpx.Response, ward: str) -> str:
        assert answer.status_code in (200, 201), answer.text
        own: str = answer.json()["id"]
        self.wards[own] = ward
        return own


def _patient(ward: str, **members: Any) -> dict[str, Any]:
    coded = {"url": EXTENSION, "valueCoding": {"system": "urn:wards", "code": ward}}
    return {"resourceType": "Patient", "extension": [coded], **members}


def test_no_resource_is_missing_whatever_is_written_meanwhile(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, ECLUSE_WORKERS="2", ECLUSE_DATABASE_URL=empty_database) as served:
        with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir:
            for _ in range(300):
                fhir.post("/Patient", json=_patient("c"))
        for _ in range(ROUNDS):
            _round(served)


def _round(served: Served) -> None:
    """One parameter: asked for while clients write, complete as soon as it is served, and taken away."""
    stop = threading.Event()
    writers = [Writer(served.url, stop) for _ in range(WRITERS)]
    code = "ward-" + uuid.uuid4().hex[:8]
    with ThreadPoolExecutor(WRITERS) as pool, httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir:
        running = [pool.submit(writer.run) for writer in writers]
        try:
            resource = parameter(code, f"Patient.extension('{EXTENSION}').value.as(Coding)")
            own = fhir.post("/SearchParameter", json=resource).json()["id"]
            assert settled(fhir, own)["state"] == "active"
        finally:
            stop.set()
        for one in running:
            one.result()
        expected = {own for writer in writers for own, ward in writer.wards.items() if ward == "b"}
        assert len(expected) > WRITERS
        for _ in range(4):  # whichever process answers
            found = _found(served, code, "b")
            assert sorted(found) == sorted(set(found))
            assert expected <= set(found)
        assert len(_found(served, code, "c")) == 300
        assert not {own for writer in writers for own in writer.wards} & set(_found(served, code, "a"))
        assert fhir.delete(f"/SearchParameter/{own}").status_code == 204
        refused = [httpx.get(f"{served.url}/fhir/Patient?{code}=b", timeout=60).status_code for _ in range(8)]
        assert set(refused) == {400}


def _found(served: Served, code: str, ward: str) -> list[str]:
    """Ids of all matches, over a connection of its own."""
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir:
        return hits(fhir, f"/Patient?{code}={ward}&_count=1000")
