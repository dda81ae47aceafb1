"""`ecluse replay search --into shadow`: built beside writes and searches, killed and gone on with, in place at once."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import tantivy

from ecluse.index import folder
from ecluse.index.protocol import Entry, Filters
from ecluse.index.tantivy import Reader, Writer
from tests.acceptance.shadowed import SOURCES, bus, killed, left, object_to, purge
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

KEPT = [f"DocumentReference/kept-{number:02}" for number in range(20)]


def report(served: Served, report_id: str, patient: str, text: str, **attachment: str) -> None:
    """Writes a report. attachment: where its text is, unless it is in the report"""
    body = {
        "resourceType": "DocumentReference",
        "id": report_id,
        "status": "current",
        "subject": {"reference": f"Patient/{patient}"},
        "content": [{"attachment": attachment or {"contentType": "text/plain", "data": packed(text)}}],
    }
    write(served, body)


def write(served: Served, body: dict[str, Any]) -> None:
    """Writes a resource."""
    url = f"{served.url}/fhir/{body['resourceType']}/{body['id']}"
    httpx.put(url, json=body, timeout=60).raise_for_status()


def packed(text: str) -> str:
    """In base64."""
    return base64.b64encode(text.encode()).decode()


def fill(served: Served) -> None:
    """Reports with their text, of which one has it in a Binary, and those of two who will go."""
    for patient in ("stays", "objects", "silent", "purged"):
        write(served, {"resourceType": "Patient", "id": patient})
    for number, key in enumerate(KEPT[1:]):
        report(served, key.split("/")[1], "stays", f"Dyspnée depuis {number} jours.")
    write(served, {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": packed("Dyspnée.")})
    report(served, "kept-00", "stays", "", url="Binary/b", contentType="text/plain")
    for patient in ("objects", "silent"):
        report(served, patient, patient, "Opposée.")
    report(served, "purged", "purged", "Canarinette.")
    served.ecluse("wait", "--timeout", "120")


def spoil(home: Path) -> None:
    """Entries lost, changed and made up by hand."""
    writer = Writer(home)
    keys = [f"default/{key}" for key in KEPT]
    writer.delete(keys[:6])
    writer.add(
        [Entry(key=keys[5], site="default", text="Toux."), Entry(key="default/X/x", site="default", text="Dyspnée")]
    )
    writer.commit()
    writer.close()


@contextmanager
def writing(served: Served) -> Iterator[list[str]]:
    """Reports that come, change and go meanwhile; the keys of those that stand."""
    ending, standing = threading.Event(), []

    def work() -> None:
        for number in range(100_000):
            if ending.is_set():
                return
            report(served, f"live-{number}", "stays", "Fracture.")
            report(served, f"live-{number}", "stays", "Fièvre.")
            if number % 3:
                standing.append(f"DocumentReference/live-{number}")
            else:
                httpx.delete(f"{served.url}/fhir/DocumentReference/live-{number}", timeout=60).raise_for_status()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield standing
    finally:
        ending.set()
        thread.join()


@contextmanager
def searching(served: Served) -> Iterator[list[int]]:
    """How many reports were found, again and again."""
    ending, totals = threading.Event(), []

    def work() -> None:
        with httpx.Client(timeout=60) as client:
            while not ending.is_set():
                answer = client.get(f"{served.url}/search", params={"q": "dyspnée", "format": "json"})
                totals.append(answer.raise_for_status().json()["total"])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield totals
    finally:
        ending.set()
        thread.join()


def found(home: Path, query: str) -> list[str]:
    """`Type/id` of what a search finds, sorted."""
    hits = Reader(home).search(query, Filters(), limit=10_000).hits
    return sorted(hit.key.split("/", 1)[1] for hit in hits)


@pytest.mark.parametrize("source", SOURCES, ids="-".join)
async def test_a_shadow_takes_the_place_of_a_spoilt_index(
    source: tuple[str, str], postgres: Postgres, kafka: str, tmp_path: Path
) -> None:
    home, words = tmp_path / "data" / "index", ["search", "--from", source[1], "--into", "shadow"]
    with postgres.database("template0") as url:
        own = {"ECLUSE_DATABASE_URL": url, **bus(source[0], kafka)}
        with serving(tmp_path / "data", "up", **own) as served:
            fill(served)
            assert found(home, "dyspnée") == KEPT
        spoil(home)
        conn = await asyncpg.connect(url)
        await conn.execute("DELETE FROM search.binary_text")
        with serving(tmp_path / "data", "up", **own) as served:
            assert found(home, "dyspnée") == [*KEPT[6:], "X/x"]

            async def meanwhile() -> None:
                for patient in ("objects", "silent"):
                    await object_to(conn, patient)
                report(served, "objects", "objects", "Opposée, encore.")
                purge(served, "purged")

            with searching(served) as totals, writing(served) as standing:
                said = await killed(served, conn, words, meanwhile)
                said += served.ecluse("replay", *words, timeout_s=300)
            assert ("topics of last states" in said) == (source[1] == "topic")
            assert re.search(r"text index\W+5\W+1\W+2\W", said), said
            assert re.search(r"search.binary_text\W+1\W+0\W+0\W", said), said
            # The old, then the new: never half of it.
            turn = totals.index(20)
            assert (set(totals[:turn]), set(totals[turn:])) == ({15}, {20})
            served.ecluse("wait", "--timeout", "120")
            assert found(home, "dyspnée") == KEPT
            assert found(home, "fièvre") == sorted(standing)
            assert (found(home, "fracture"), found(home, "toux"), found(home, "opposée")) == ([], [], [])
            index = tantivy.Index.open(str(folder.present(home)))
            assert index.searcher().terms_with_prefix("words", "canarinette") == []
            # The live consumer is in the new folder, and nothing else is left.
            assert [path.name for path in home.glob("reports-*")] == [folder.present(home).name]
            assert not folder.beside(home).exists()
            assert await left(conn) == []
            consumers = json.loads(served.ecluse("status", "--json"))["consumers"]
            assert all(row["balanced"] and not row["dead"] for row in consumers), consumers
            assert "nothing differed" in served.ecluse("replay", *words)
            report(served, "late", "stays", "Fracture.")
            served.ecluse("wait", "--timeout", "120")
            assert found(home, "fracture") == ["DocumentReference/late"]
        await conn.close()
