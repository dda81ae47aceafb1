"""A patient whose name, address, telephone, INS and IPP stand wherever FHIR allows: none of it leaves the store.

Not in a column of omop or omop_map, not in a hub record or table, not in a log. A place's own name is public, so
Organization.name and Location.name are left out of the canary.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.canary import STATUS, WORDS, resource
from tests.services.server import Served, serving

TYPES = ("Patient", "Practitioner", "PractitionerRole", "Organization", "Condition", "AllergyIntolerance", *STATUS)
COLUMNS = """
    SELECT table_schema, table_name, column_name FROM information_schema.columns
    WHERE table_schema = ANY($1) AND data_type IN ('text', 'character varying', 'jsonb', 'json')"""


@pytest.fixture(scope="module")
def served(hub_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that has taken the canary in, everywhere."""
    data = tmp_path_factory.mktemp("canary")
    settings = {"ECLUSE_HUB_PROJECTS": str(hub_folder), "ECLUSE_LOG_LEVEL": "info"}
    settings["ECLUSE_VALIDATION"] = "structure"  # words stand where codes should
    with serving(data, "up", **settings) as served:
        patient = str(uuid.uuid4())
        with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as client:
            for name in TYPES:
                made = resource(name, patient if name == "Patient" else str(uuid.uuid4()), patient)
                if name in ("Organization", "Location"):
                    made |= {"name": "Service"}
                answer = client.put(f"/{name}/{made['id']}", json=made)
                assert answer.status_code == 201, answer.text
            client.get(f"/Patient?name={WORDS['name']}")
            client.post("/Patient", json={"resourceType": "Patient", "nom": WORDS["name"]})
        httpx.get(f"{served.url}/search", params={"q": WORDS["name"]})
        served.ecluse("wait", "--timeout", "60")
        yield served


async def _texts(served: Served, schemas: list[str]) -> dict[str, str]:
    """All text of each column of these schemas."""
    conn = await asyncpg.connect(served.ecluse("dsn", "warehouse").strip())
    try:
        columns = await conn.fetch(COLUMNS, schemas)
        return {
            f"{schema}.{table}.{column}": "\n".join(
                str(row[0]) for row in await conn.fetch(f'SELECT "{column}" FROM "{schema}"."{table}"')
            )
            for schema, table, column in columns
        }
    finally:
        await conn.close()


def _found(text: str) -> list[str]:
    return [word for word in WORDS.values() if word.lower() in text.lower()]


async def test_the_canary_is_in_no_column_of_warehouse_or_hub(served: Served) -> None:
    texts = await _texts(served, ["omop", "omop_map", "hub", "bus"])
    assert len(texts) > 100
    waiting = {name for name in texts if name.startswith("omop_map.")}
    assert waiting
    assert {name: _found(text) for name, text in texts.items() if _found(text)} == {}


def test_the_canary_is_in_no_record_that_the_recipient_opens(served: Served, hub_folder: Path) -> None:
    file = str(served.log.parent / "feed.jsonl")
    served.ecluse("hub", "export", "trial", "--out", file)
    opened = served.ecluse("hub", "decrypt", "--key", str(hub_folder.parent / "recipient.jwk"), file)
    assert '"Patient"' in opened
    assert _found(opened) == []


def test_the_canary_is_in_no_log(served: Served) -> None:
    logs = {path: path.read_text("utf-8", "replace") for path in served.log.parent.rglob("*.log") if path.is_file()}
    assert served.log in logs
    assert {str(path): _found(text) for path, text in logs.items() if _found(text)} == {}


async def test_the_store_itself_has_it(served: Served) -> None:
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    try:
        query = "SELECT count(*) FROM fhir.version WHERE convert_from(body, 'UTF8') LIKE $1"
        assert await conn.fetchval(query, f"%{WORDS['name']}%") == len(TYPES)
    finally:
        await conn.close()
