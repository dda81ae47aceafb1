"""What tests of shadows share: logs and sources, a command that is killed, patients who object."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest

from tests.services.server import Served

REPLAY = [sys.executable, "-m", "ecluse", "replay"]
SOURCES = [
    ("embedded", "store"),
    pytest.param(("kafka", "store"), marks=pytest.mark.kafka),
    pytest.param(("kafka", "topic"), marks=pytest.mark.kafka),
]
"""A log, and what copies are filled from."""


def bus(log: str, kafka: str) -> dict[str, str]:
    """The settings of a log of one's own."""
    own = {
        "ECLUSE_KAFKA_BOOTSTRAP": kafka,
        "ECLUSE_KAFKA_PREFIX": f"shadow-{secrets.token_hex(4)}.",
        "ECLUSE_KAFKA_PARTITIONS": "2",
    }
    return {"ECLUSE_BUS": log, **(own if log == "kafka" else {})}


def refused(served: Served, *words: str) -> str:
    """What `ecluse replay` said when it failed."""
    done = subprocess.run([*REPLAY, *words], env=served.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    return " ".join((done.stdout + done.stderr).split())


async def killed(
    served: Served, conn: asyncpg.Connection, words: list[str], meanwhile: Callable[[], Awaitable[None]]
) -> str:
    """What `ecluse replay` said that was killed while it built a shadow. meanwhile: what is done when it has begun"""
    first = subprocess.Popen([*REPLAY, *words], env=served.environment, stdout=subprocess.PIPE, text=True)
    for table in ("consumer", "ledger"):
        while not await conn.fetchval(f"SELECT count(*) FROM bus.{table} WHERE consumer = $1", f"{words[0]}-shadow"):
            if table == "ledger" and first.poll() is not None:
                break  # held for longer than a connection waits, it has ended by itself
            assert first.poll() is None
            await asyncio.sleep(0.01)
        if table == "consumer":
            first.send_signal(signal.SIGSTOP)
            assert "Another process" in refused(served, *words)
            await meanwhile()
            first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGKILL)
    said = first.communicate()[0]
    assert "differed" not in said and "put right" not in said
    return said


async def object_to(conn: asyncpg.Connection, patient: str) -> None:
    """The patient objects; what is written of them from now on is held back."""
    await conn.execute(
        "INSERT INTO identity.decision (person, decision, reason) "
        "SELECT person, 'withdraw', 'opposition' FROM identity.person_patient WHERE patient_id = $1",
        patient,
    )


def purge(served: Served, patient: str) -> None:
    """Erases a patient and what is theirs."""
    httpx.post(f"{served.url}/fhir/Patient/{patient}/$purge", timeout=60).raise_for_status()


async def left(conn: asyncpg.Connection) -> list[str]:
    """What is left of shadows."""
    found = [row[0] for row in await conn.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%shadow'")]
    for table, name in (
        ("ledger", "consumer"),
        ("consumer_offset", "consumer"),
        ("consumer", "consumer"),
        ("cursor", "name"),
    ):
        count = await conn.fetchval(f"SELECT count(*) FROM bus.{table} WHERE {name} LIKE '%-shadow'")
        found += [table] * count
    return found
