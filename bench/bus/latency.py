"""POST → record in Kafka, as any service reads it, at a steady rate of writes.

Enters: a server with a relay that has nothing else to send. Leaves: the time from the request to the committed record.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from bench.client import Call, Connection, Run
from bench.report import Figure
from bench.requests import observation

TOPIC = "fhir.observation.v1"
WRITES_A_SECOND = 20
LONGEST_S = 30
P50_MS, P99_MS = 30, 150


class Reader:
    """Reads one topic from its end in a thread of its own; when each key arrived."""

    def __init__(self, bootstrap: str) -> None:
        config = {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
        }
        self.arrived: dict[str, float] = {}
        self._consumer = Consumer(config)
        partitions = self._consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        self._consumer.assign([TopicPartition(TOPIC, number, OFFSET_END) for number in partitions])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.arrived.setdefault((message.key() or b"").decode().rpartition("/")[2], time.monotonic())

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


async def figures(port: int, bootstrap: str, seconds: float) -> list[Figure]:
    """p50 and p99."""
    reader, sent = Reader(bootstrap), dict[str, float]()
    connection, patient = Connection("127.0.0.1", port), str(uuid.uuid4())
    try:
        await _warm(connection, reader, patient)
        for number in range(int(seconds * WRITES_A_SECOND)):
            resource_id = str(uuid.uuid4())
            sent[resource_id] = time.monotonic()
            await connection.send(_call(patient, number, resource_id))
            await asyncio.sleep(1 / WRITES_A_SECOND)
        await _until(reader, sent)
    finally:
        reader.close()
        connection.close()
    run = Run(latencies=[reader.arrived[key] - at for key, at in sent.items() if key in reader.arrived])
    note = f"{len(run.latencies)} of {len(sent)} records at {WRITES_A_SECOND} writes/s"
    return [
        Figure("POST → Kafka record, p50", run.percentile_ms(0.5), "ms", P50_MS, note=note),
        Figure("POST → Kafka record, p99", run.percentile_ms(0.99), "ms", P99_MS, note=note),
    ]


async def _warm(connection: Connection, reader: Reader, patient: str) -> None:
    """The patient of all, and records until the reader gets them: it stands at the end of its topic then."""
    body = json.dumps({"resourceType": "Patient", "id": patient, "gender": "male"}).encode()
    await connection.send(Call("PUT", f"/fhir/Patient/{patient}", body))
    deadline = time.monotonic() + LONGEST_S
    while not reader.arrived and time.monotonic() < deadline:
        await connection.send(_call(patient, -1, str(uuid.uuid4())))
        await asyncio.sleep(0.2)


def _call(patient: str, number: int, resource_id: str) -> Call:
    return Call("PUT", f"/fhir/Observation/{resource_id}", observation(patient, number, resource_id))


async def _until(reader: Reader, sent: dict[str, float]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not sent.keys() <= reader.arrived.keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
