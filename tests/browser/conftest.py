"""A real Chromium, and a real server with reports in its index."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.services.postgres import Postgres
from tests.services.server import Served, serving

NAMES = ("chromium", "chromium-browser", "google-chrome")
REPORTS = {
    "d1": ("Lettre de liaison", "Hypertension artérielle traitée par amlodipine.\n\nŒdèmes des membres inférieurs."),
    "d2": ("Passage aux urgences", "Douleur thoracique. Pas d'hypertension artérielle connue."),
    "d3": ("<script>document.title='x'</script>", "<img src=x onerror=document.title='x'> fièvre"),
} | {f"n{number}": ("Suivi", f"Consultation de suivi numéro {number}, toux.") for number in range(30)}


@pytest.fixture(scope="session")
def served(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Server and consumers on a database of their own, with a patient's reports in every sink."""
    data: Path = tmp_path_factory.mktemp("data")
    with (
        postgres.database("template0") as url,
        serving(data, "up", ECLUSE_DATABASE_URL=url, ECLUSE_HUB_PROJECTS=str(data / "hub")) as served,
    ):
        entries = [_entry({"resourceType": "Patient", "id": "p1"})] + [
            _entry(_report(*each)) for each in REPORTS.items()
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        assert httpx.post(f"{served.url}/fhir", json=bundle, timeout=60).status_code == 200
        served.ecluse("wait", "--timeout", "60")
        yield served


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


def _report(report_id: str, written: tuple[str, str]) -> dict[str, Any]:
    data = base64.b64encode(written[1].encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "id": report_id,
        "status": "current",
        "description": written[0],
        "type": {"coding": [{"system": "http://loinc.org", "code": "34112-3"}], "text": "Compte rendu"},
        "subject": {"reference": "Patient/p1"},
        "date": "2026-03-01T09:00:00+01:00",
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}],
    }


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Browser]:
    """The browser of this machine.

    While it is open, this thread is inside its loop, and no other loop can run: it opens after the server and closes
    before the tests of another file.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"The browser tests need Chromium; install one of {', '.join(NAMES)}."
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()
