"""A merge reaches every sink, and an unmerge takes it back, on both logs."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def served(
    request: pytest.FixtureRequest, postgres: Postgres, hub_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Everything in one process group, on this log."""
    with ExitStack() as stack:
        settings = {"ECLUSE_DATABASE_URL": stack.enter_context(postgres.database("template0"))}
        settings["ECLUSE_HUB_PROJECTS"] = str(hub_folder)
        if request.param == "kafka":
            settings |= {"ECLUSE_BUS": "kafka", "ECLUSE_KAFKA_BOOTSTRAP": request.getfixturevalue("kafka")}
            settings |= {"ECLUSE_KAFKA_PREFIX": f"merge-{secrets.token_hex(4)}.", "ECLUSE_KAFKA_PARTITIONS": "2"}
        yield stack.enter_context(serving(tmp_path_factory.mktemp("merge"), "up", **settings))


def _fill(fhir: httpx.Client, patient: str) -> None:
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    attachment = {"contentType": "text/plain", "data": "UsOpc3Vtw6k="}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": patient, "gender": "female", "birthDate": "1956"},
        {"resourceType": "Condition", "id": f"c-{patient}", "code": code, "onsetDateTime": "2024-01-01", **subject},
        {
            "resourceType": "DocumentReference",
            "id": f"d-{patient}",
            "status": "current",
            "date": "2024-01-01T00:00:00Z",
            "content": [{"attachment": attachment}],
            **subject,
        },
    ]
    for resource in resources:
        assert fhir.put(f"/{resource['resourceType']}/{resource['id']}", json=resource).status_code == 201


async def _state(served: Served, patients: tuple[str, str]) -> dict[str, Any]:
    """Which patient each sink says the source's resources are of, and how many persons there are."""
    conn = await asyncpg.connect(served.ecluse("dsn").strip())
    source = patients[0]
    try:
        persons = await conn.fetch(
            "SELECT resource_id FROM omop_map.id_map WHERE omop_table = 'person' AND resource_id = ANY ($1)", patients
        )
        condition = await conn.fetchval(
            "SELECT m.resource_id FROM omop.condition_occurrence c "
            "JOIN omop_map.id_map i ON i.omop_table = 'condition_occurrence' AND i.omop_id = c.condition_occurrence_id "
            "JOIN omop_map.id_map m ON m.omop_table = 'person' AND m.omop_id = c.person_id WHERE i.resource_id = $1",
            f"c-{source}",
        )
        subjects = await conn.fetch(
            "SELECT DISTINCT patient FROM hub.subject JOIN hub.state USING (project, key) WHERE op = 'recorded'"
        )
        told = await conn.fetch("SELECT op, count(*) FROM hub.state GROUP BY op")
    finally:
        await conn.close()
    hits = httpx.get(f"{served.url}/search", params={"patient": patients[1]}, headers={"Accept": "application/json"})
    return {
        "persons": sorted(row["resource_id"] for row in persons),
        "condition": condition,
        "subjects": {row["patient"] for row in subjects},
        "told": {row["op"]: row["count"] for row in told},
        "reports": hits.json()["total"],
    }


def _call(fhir: httpx.Client, name: str, **given: str) -> None:
    sent = [
        {"name": key.replace("_", "-"), "valueReference": {"reference": f"Patient/{value}"}}
        for key, value in given.items()
    ]
    answer = fhir.post(f"/Patient/${name}", json={"resourceType": "Parameters", "parameter": sent})
    assert answer.status_code == 200, answer.text


async def test_a_merge_reaches_every_sink_and_an_unmerge_takes_it_back(served: Served) -> None:
    patients = (f"s-{uuid.uuid4()}", f"t-{uuid.uuid4()}")
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir:
        for patient in patients:
            _fill(fhir, patient)
        served.ecluse("wait", "--timeout", "60")
        before = await _state(served, patients)
        assert before["persons"] == sorted(patients)
        assert (before["condition"], before["subjects"]) == (patients[0], set(patients))
        _call(fhir, "merge", source_patient=patients[0], target_patient=patients[1])
        served.ecluse("wait", "--timeout", "60")
        merged = await _state(served, patients)
        assert merged["persons"] == [patients[1]]
        assert (merged["condition"], merged["subjects"]) == (patients[1], {patients[1]})
        assert (before["reports"], merged["reports"]) == (1, 2)
        assert merged["told"]["withdrawn"] == 1
        _call(fhir, "unmerge", source_patient=patients[0])
        served.ecluse("wait", "--timeout", "60")
        after = await _state(served, patients)
        assert {**after, "told": None} == {**before, "told": None}
    for consumer in json.loads(served.ecluse("status", "--json"))["consumers"]:
        assert consumer["balanced"], consumer
