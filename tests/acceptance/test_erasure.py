"""A patient that is purged is in no database, in no file of the text index and in no state topic, on both logs.

Only what the design keeps stays: skeletons (site, type, id, version), and the records of the topics of events, which
Kafka drops when their time is over.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import confluent_kafka
import httpx
import pytest
import tantivy

from ecluse.index.folder import FORMAT
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

WORD = "canarinette" + uuid.uuid4().hex[:8]
DOCUMENT = "Compte rendu pour " + WORD
DATABASES = ("store", "identity", "warehouse", "hub")


class Running:
    """A server with databases and folders of its own."""

    def __init__(self, served: Served, urls: dict[str, str], kafka: tuple[str, str] | None) -> None:
        self.served = served
        self.urls = urls
        self.kafka = kafka


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def running(
    request: pytest.FixtureRequest, postgres: Postgres, hub_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Everything in one process group, on this log."""
    folder = tmp_path_factory.mktemp("erasure")
    with ExitStack() as stack:
        urls = {name: stack.enter_context(postgres.database("template0")) for name in DATABASES}
        settings = {"ECLUSE_DATABASE_URL": urls["store"], "ECLUSE_HUB_PROJECTS": str(hub_folder)}
        settings |= {f"ECLUSE_{name.upper()}_URL": urls[name] for name in DATABASES[1:]}
        kafka = None
        if request.param == "kafka":
            kafka = (request.getfixturevalue("kafka"), f"erasure-{secrets.token_hex(4)}.")
            settings |= {"ECLUSE_BUS": "kafka", "ECLUSE_KAFKA_BOOTSTRAP": kafka[0], "ECLUSE_KAFKA_PREFIX": kafka[1]}
            settings |= {"ECLUSE_KAFKA_PARTITIONS": "2"}
        yield Running(stack.enter_context(serving(folder, "up", **settings)), urls, kafka)


def _fill(fhir: httpx.Client) -> str:
    """The canary's id; its word stands wherever a sink may keep it."""
    patient = str(uuid.uuid4())
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    name = [{"family": WORD, "given": [WORD]}]
    code = {"coding": [{"system": f"urn:{WORD}", "code": WORD, "display": WORD}], "text": WORD}
    encounter = {"resourceType": "Encounter", "id": f"e-{patient}", "status": "finished", "class": {"code": "IMP"}}
    period = {"start": "2024-01-01", "end": "2024-01-02"}
    attachment = {"contentType": "text/plain", "data": _base64(DOCUMENT), "title": WORD}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": patient, "name": name, "gender": "female", "birthDate": "1956"},
        {**encounter, **subject, "period": period},
        {"resourceType": "Condition", "id": f"c-{patient}", "code": code, "onsetDateTime": "2024-01-01", **subject},
        {
            "resourceType": "Observation",
            "id": f"o-{patient}",
            "status": "final",
            "code": code,
            "valueString": WORD,
            "effectiveDateTime": "2024-01-01",
            **subject,
        },
        {
            "resourceType": "DocumentReference",
            "id": f"d-{patient}",
            "status": "current",
            "type": code,
            "date": "2024-01-01T00:00:00Z",
            "content": [{"attachment": attachment}],
            **subject,
        },
    ]
    for resource in resources:
        headers = {"Idempotency-Key": resource["id"]}
        kind = resource["resourceType"]
        assert fhir.put(f"/{kind}/{resource['id']}", json=resource, headers=headers).status_code == 201
    return patient


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


async def _columns(url: str, word: str) -> set[str]:
    """The columns of a database that hold the word, as it is or as the base64 of a document."""
    conn = await asyncpg.connect(url)
    found: set[str] = set()
    try:
        columns = await conn.fetch(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
            "JOIN information_schema.tables USING (table_schema, table_name) WHERE table_type = 'BASE TABLE' "
            "AND table_schema NOT IN ('pg_catalog', 'information_schema') "
            "AND data_type IN ('text', 'character varying', 'bytea', 'jsonb', 'json')"
        )
        for schema, table, column, kind in columns:
            text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            query = f'SELECT count(*) FROM "{schema}"."{table}" WHERE {text} ILIKE ANY ($1)'
            if await conn.fetchval(query, [f"%{word}%", f"%{_base64(DOCUMENT)[:-6]}%"]):
                found.add(f"{schema}.{table}.{column}")
    finally:
        await conn.close()
    return found


def _terms(served: Served) -> int:
    index = tantivy.Index.open(str(Path(served.environment["ECLUSE_DATA"]) / "index" / FORMAT))
    return len(index.searcher().terms_with_prefix("words", WORD))


def _states(kafka: tuple[str, str], kinds: list[str]) -> dict[str, bytes | None]:
    """The last record of each key of the state topics, read to their ends."""
    bootstrap, prefix = kafka
    # The end is told by an event: behind the last record there is the mark of its transaction, which nobody is given.
    own = {"group.id": secrets.token_hex(4), "enable.partition.eof": True}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, **own})
    last: dict[str, bytes | None] = {}
    try:
        for kind in kinds:
            for number in (0, 1):
                topic = f"{prefix}fhir.{kind.lower()}.state.v1"
                consumer.assign([confluent_kafka.TopicPartition(topic, number, 0)])
                while (message := consumer.poll(20)) is not None and message.error() is None:
                    last[message.key().decode()] = message.value()
                assert message is not None and message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
    finally:
        consumer.close()
    return last


async def test_a_purged_patient_is_nowhere(running: Running) -> None:
    served = running.served
    with httpx.Client(base_url=f"{served.url}/fhir", timeout=60) as fhir:
        patient = _fill(fhir)
        served.ecluse("wait", "--timeout", "60")
        assert await _columns(running.urls["store"], WORD)
        assert await _columns(running.urls["warehouse"], WORD)
        assert _terms(served) == 1
        answer = fhir.post(f"/Patient/{patient}/$purge")
        assert answer.status_code == 200, answer.text
        assert "1 Condition, 1 DocumentReference, 1 Encounter, 1 Observation, 1 Patient" in answer.text
    served.ecluse("wait", "--timeout", "60")
    for name, url in running.urls.items():
        assert await _columns(url, WORD) == set(), name
    assert _terms(served) == 0
    for consumer in json.loads(served.ecluse("status", "--json"))["consumers"]:
        assert consumer["balanced"], consumer
    await _no_rows(running, patient)
    if running.kafka:
        states = _states(running.kafka, ["Patient", "Observation", "DocumentReference"])
        assert len(states) >= 3
        assert {value for key, value in states.items() if key.endswith(patient)} == {None}


async def _no_rows(running: Running, patient: str) -> None:
    """Neither the warehouse nor the hub knows of the patient."""
    warehouse = await asyncpg.connect(running.urls["warehouse"])
    hub = await asyncpg.connect(running.urls["hub"])
    try:
        assert (
            await warehouse.fetchval("SELECT count(*) FROM omop_map.id_map WHERE resource_id LIKE $1", f"%{patient}")
            == 0
        )
        for table in ("person", "visit_occurrence", "condition_occurrence", "observation", "note"):
            assert await warehouse.fetchval(f"SELECT count(*) FROM omop.{table}") == 0, table
        assert await hub.fetchval("SELECT count(*) FROM hub.subject") == 0
        assert {row["op"] for row in await hub.fetch("SELECT op FROM hub.state")} == {"deleted"}
    finally:
        await warehouse.close()
        await hub.close()
