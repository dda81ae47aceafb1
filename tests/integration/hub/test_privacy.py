"""What the host, and whoever looks at its database, logs and files, cannot learn from a feed."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from consumers.hub.keys import PURPOSES, derive
from consumers.hub.reading import read
from consumers.hub.seal import KeyRefused, SealBroken, header_of, holder, unseal
from ecluse.bus.event import Event
from ecluse.core import log
from ecluse.core.db.databases import Databases
from ecluse.core.fhir import dates
from tests.integration.hub.given import Feeding, encounter, event, observation, patient, text_of
from tests.unit.consumers.hub.given import PRIVATE, PUBLIC
from tests.unit.mappers.hub.canary import WORDS
from tests.unit.mappers.hub.test_canary import canary

TABLES = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('hub', 'bus', 'identity', 'omop')"


def canaries(variants: int) -> list[Event]:
    """The person who is named everywhere, in all types, and once where nothing can be mapped."""
    told = []
    for variant in range(variants):
        for kind in ("Patient", "Encounter", "Condition", "Observation"):
            made = canary(kind, variant) | {"id": f"r{variant}"}
            made.pop("focus", None)
            if kind != "Patient":
                made["subject"]["reference"] = f"Patient/r{variant}"
            told.append(event(made, patient=f"r{variant}"))
    nameless = observation("broken", "r0", effectiveDateTime="2024-02-31", note=[{"text": " ".join(WORDS)}])
    return [*told, event(nameless, patient="r0")]


async def everything(databases: Databases) -> str:
    """All rows of all tables that a consumer writes."""
    tables = [row[0] for row in await databases.hub.fetch(TABLES)]
    assert {"hub.feed", "hub.state", "hub.subject", "bus.ledger", "bus.dead_letter"} <= set(tables)
    return text_of([[list(row) for row in await databases.hub.fetch(f"SELECT * FROM {name}")] for name in tables])


async def test_the_canary_is_in_no_record_no_table_and_no_log(
    feeding: Feeding, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        log.Log("hub").info("begins", consumer=feeding.sink.name)
        await feeding.tell(*canaries(12))
        await feeding.tell(event("Encounter/r1", 2, patient="r1"), event("Patient/r2", 2, patient="r2", op="erased"))
    contents = await feeding.contents()
    assert {content["type"] for content in contents} == {"Patient", "Encounter", "Condition", "Observation"}
    assert {content["op"] for content in contents} == {"recorded", "deleted"}
    books = await feeding.books()
    assert books["Observation/broken"][0] == "dead"
    assert sum(state == "mapped" for state, _ in books.values()) >= 30
    logged = text_of([vars(record) for record in caplog.records])
    assert "begins" in logged and "dead letter" in logged
    for place in (text_of(contents), await everything(databases), logged):
        assert [word for word in WORDS if word.lower() in place.lower()] == []


async def test_the_feed_shows_neither_ids_nor_types_nor_persons(feeding: Feeding, databases: Databases) -> None:
    await feeding.tell(event(patient("secret-patient"), patient="secret-patient"))
    await feeding.tell(event(observation("secret-measure", "secret-patient"), patient="secret-patient"))
    rows = [dict(row) for row in await databases.hub.fetch("SELECT * FROM hub.feed")]
    assert [set(row) for row in rows] == [{"seq", "time", "epoch", "version", "project", "key", "record"}] * 2
    pseudonyms = [content["id"] for content in await feeding.contents()]
    for word in ("secret", "Patient", "Observation", *pseudonyms):
        assert word not in text_of([list(row.values()) for row in rows])


async def test_the_host_opens_no_record_with_anything_it_has(feeding: Feeding) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    rows = await feeding.rows()
    with pytest.raises(KeyRefused):
        holder(PUBLIC)
    master = (feeding.settings.data / "hub" / "master.key").read_bytes()
    secrets = [master, *(derive(master, feeding.project, purpose) for purpose in (*PURPOSES, "check"))]
    for row in rows:
        for secret in secrets:
            private = PUBLIC | {"d": urlsafe_b64encode(secret).decode().rstrip("=")}
            with pytest.raises((SealBroken, KeyRefused)):
                unseal(row.record, holder(private))
            with pytest.raises((JoseError, ValueError)):
                jwe.decrypt_compact(row.record, ECKey.import_key(private), algorithms=["ECDH-ES+A256KW", "A256GCM"])


async def test_an_agreement_lasts_a_batch_and_no_longer(feeding: Feeding) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    await feeding.tell(event(observation("o2")), event("Observation/o1", 2))
    shown = [header_of(row.record)["epk"]["x"] for row in await feeding.rows()]
    assert len(shown) == 3
    assert shown[1] == shown[2] != shown[0]


async def test_no_private_key_and_no_plaintext_is_on_the_hosts_disk(feeding: Feeding, tmp_path: Path) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.name for file in files} == {"asthme.yaml", "master.key"}
    for file in files:
        content = file.read_bytes()
        assert PRIVATE["d"].encode() not in content and b"PSEUDED" not in content


async def test_two_projects_share_no_value(feeding: Feeding, databases: Databases) -> None:
    other = await Feeding(feeding.settings, databases, "covid").open()
    told = [event(patient()), event(encounter("e1")), event(observation("o1", encounter={"reference": "Encounter/e1"}))]
    for one in (feeding, other):
        await one.tell(*told)
    for table in ("feed", "state", "subject"):
        keys = [row["key"] for row in await databases.hub.fetch(f"SELECT key FROM hub.{table}")]
        assert len(set(keys)) == 6
    digests = {row["digest"] for row in await databases.hub.fetch("SELECT digest FROM hub.state")}
    assert len(digests) == 6
    mine, theirs = await feeding.contents(), await other.contents()
    assert {content["id"] for content in mine}.isdisjoint(content["id"] for content in theirs)
    assert mine[1]["resource"]["period"] != theirs[1]["resource"]["period"]
    swapped = [line.replace(b'"covid"', b'"asthme"') for line in await other.lines()]
    with pytest.raises(SealBroken, match="another place: covid/"):
        list(read(swapped, holder(PRIVATE)))


async def test_intervals_within_a_person_stay_and_persons_move_apart(feeding: Feeding) -> None:
    days = (
        "2024-02-28T23:59:00+01:00",
        "2024-03-31T01:30:00+01:00",
        "2024-03-31T03:30:00+02:00",
        "2025-01-01T00:00:00Z",
    )
    shifts = set()
    for number in range(20):
        name = f"p{number}"
        told = [observation(f"o{number}-{place}", name, effectiveDateTime=day) for place, day in enumerate(days)]
        await feeding.tell(*(event(one, patient=name) for one in told))
        moved = [content["resource"]["effectiveDateTime"] for content in (await feeding.contents())[-len(days) :]]
        apart = {dates.bounds(after)[0] - dates.bounds(before)[0] for before, after in zip(days, moved, strict=True)}
        assert len(apart) == 1
        shift = apart.pop()
        assert shift.seconds == 0 and 1 <= abs(shift.days) <= 364
        shifts.add(shift.days)
    assert len(shifts) > 15
