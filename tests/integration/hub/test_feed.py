"""What stands in a feed after what was told."""

from __future__ import annotations

import pytest

from consumers.hub.keys import MasterKeyRefused
from consumers.hub.project import ProjectError
from consumers.hub.seal import header_of
from ecluse.core.db.databases import Databases, open_databases
from ecluse.core.settings import SecretStr
from tests.conftest import SettingsFactory
from tests.integration.hub.given import Feeding, encounter, event, observation, ops, patient
from tests.services.postgres import Postgres
from tests.unit.consumers.hub.given import OTHER_PUBLIC, PUBLIC


async def test_what_was_told_stands_in_order_and_is_linked(feeding: Feeding) -> None:
    seen = observation("o1", encounter={"reference": "Encounter/e1"})
    await feeding.tell(event(patient()), event(encounter("e1")), event(seen))
    contents = await feeding.contents()
    assert ops(contents) == [("recorded", kind, 1) for kind in ("Patient", "Encounter", "Observation")]
    person, stay, measure = (content["resource"] for content in contents)
    assert [content["id"] for content in contents] == [person["id"], stay["id"], measure["id"]]
    assert stay["subject"] == measure["subject"] == {"reference": f"Patient/{person['id']}"}
    assert measure["encounter"] == {"reference": f"Encounter/{stay['id']}"}
    assert [row.seq for row in await feeding.rows()] == [1, 2, 3]


async def test_an_observation_does_not_wait_for_its_patient(feeding: Feeding) -> None:
    await feeding.tell(event(observation("o1")))
    await feeding.tell(event(patient()))
    measure, person = await feeding.contents()
    assert measure["resource"]["subject"] == {"reference": f"Patient/{person['id']}"}


async def test_the_same_version_again_is_not_written_again(feeding: Feeding) -> None:
    for _ in range(3):
        await feeding.tell(event(patient()), event(observation("o1")))
    await feeding.tell(event(patient(), epoch=2))
    assert len(await feeding.rows()) == 2


async def test_an_update_follows_and_an_older_version_does_not(feeding: Feeding) -> None:
    await feeding.tell(event(observation("o1")))
    await feeding.tell(event(observation("o1", status="amended"), 3))
    await feeding.tell(event(observation("o1", status="preliminary"), 2))
    assert [content["resource"]["status"] for content in await feeding.contents()] == ["final", "amended"]
    first, second = await feeding.rows()
    assert (first.key, first.version) == (second.key, 1) and second.version == 3


@pytest.mark.parametrize("op", ["deleted", "erased"])
async def test_what_is_deleted_leaves_the_feed_and_a_sealed_notice_stays(feeding: Feeding, op: str) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    first = await feeding.contents()
    await feeding.tell(event("Observation/o1", 2, op=op))
    await feeding.tell(event("Observation/o1", 2, op=op))
    contents = await feeding.contents()
    assert ops(contents) == [("recorded", "Patient", 1), ("deleted", "Observation", 2)]
    assert contents[1]["id"] == first[1]["id"] and contents[1]["resource"] is None
    assert [row.seq for row in await feeding.rows()] == [1, 3]
    assert [state["type"] for state in await feeding.last_state()] == ["Patient"]
    known = await feeding.databases.hub.fetchval("SELECT count(*) FROM hub.subject")
    assert known == (1 if op == "erased" else 2)


async def test_a_patients_notice_names_the_pseudonym(feeding: Feeding) -> None:
    await feeding.tell(event(patient()))
    first = await feeding.contents()
    await feeding.tell(event("Patient/p1", 2))
    assert [(content["op"], content["id"]) for content in await feeding.contents()] == [("deleted", first[0]["id"])]


async def test_an_erasure_after_a_delete_forgets_whose_record_it_was(feeding: Feeding) -> None:
    await feeding.tell(event(observation("o1")))
    await feeding.tell(event("Observation/o1", 2))
    await feeding.tell(event("Observation/o1", 3, op="erased"))
    assert await feeding.databases.hub.fetchval("SELECT count(*) FROM hub.subject") == 0
    assert ops(await feeding.contents()) == [("deleted", "Observation", 2)]


async def test_nothing_is_told_of_what_never_left(feeding: Feeding) -> None:
    early = observation("o1", effectiveDateTime="2023-12-31")
    await feeding.tell(event(early), event("Encounter/e9", 4))
    await feeding.tell(event("Observation/o1", 2))
    assert await feeding.rows() == []
    assert await feeding.books() == {"Observation/o1": ("removed", ""), "Encounter/e9": ("removed", "")}


async def test_what_is_no_longer_in_scope_is_withdrawn_and_may_come_back(feeding: Feeding) -> None:
    await feeding.tell(event(observation("o1")))
    await feeding.tell(event(observation("o1", effectiveDateTime="2023-12-31"), 2))
    assert await feeding.books() == {"Observation/o1": ("excluded", "before the project's start")}
    assert ops(await feeding.contents()) == [("withdrawn", "Observation", 2)]
    await feeding.tell(event(observation("o1"), 3))
    assert ops(await feeding.contents()) == [("withdrawn", "Observation", 2), ("recorded", "Observation", 3)]


@pytest.mark.parametrize("answer", ["withhold", "withdraw"])
async def test_an_objection_withdraws_and_its_end_brings_back(feeding: Feeding, answer: str) -> None:
    told = [event(patient()), event(observation("o1"))]
    await feeding.tell(*told)
    before = await feeding.last_state()
    identity = feeding.databases.identity
    person = await identity.fetchval("SELECT person FROM identity.person_patient WHERE patient_id = 'p1'")
    await identity.execute(
        "INSERT INTO identity.decision (person, purpose, decision, reason) VALUES ($1, 'research', $2, 'objection')",
        person,
        answer,
    )
    await feeding.tell(*told)
    assert await feeding.last_state() == []
    assert ops(await feeding.contents()) == [("withdrawn", "Patient", 1), ("withdrawn", "Observation", 1)]
    assert set((await feeding.books()).values()) == {("withheld", "objection")}
    await identity.execute("UPDATE identity.decision SET until = now()")
    await feeding.tell(*told)
    assert await feeding.last_state() == before


async def test_a_date_that_is_none_is_a_dead_letter_without_content(feeding: Feeding) -> None:
    await feeding.tell(event(observation("o1", effectiveDateTime="2024-02-31")))
    assert await feeding.books() == {"Observation/o1": ("dead", "a date is not one of the calendar")}


async def test_a_person_who_is_found_to_be_another_is_told_again(feeding: Feeding) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    before = await feeding.contents()
    await feeding.databases.identity.execute("UPDATE identity.person_patient SET person = person + 1000")
    await feeding.databases.identity.execute("UPDATE identity.generation SET generation = generation + 1")
    await feeding.tell(event(patient()), event(observation("o1")))
    after = (await feeding.contents())[2:]
    assert ops(after) == ops(before)
    assert after[0]["id"] != before[0]["id"] and after[1]["id"] == before[1]["id"]
    assert after[1]["resource"]["subject"]["reference"] == f"Patient/{after[0]['id']}"


async def test_a_new_recipient_is_told_what_is_told_again(feeding: Feeding, databases: Databases) -> None:
    await feeding.tell(event(observation("o1")))
    rotated = await Feeding(feeding.settings, databases, recipient=OTHER_PUBLIC).open()
    await rotated.tell(event(observation("o1")))
    first, second = await rotated.rows()
    assert first.key == second.key
    assert [header_of(row.record)["kid"] for row in (first, second)] == [PUBLIC["kid"], OTHER_PUBLIC["kid"]]


async def test_a_feed_does_not_go_on_under_another_master_key(feeding: Feeding, databases: Databases) -> None:
    file = feeding.settings.data / "hub" / "master.key"
    file.chmod(0o600)
    file.write_bytes(b"another key of thirty-two bytes.")
    with pytest.raises(ProjectError, match="begun under another master key"):
        await Feeding(feeding.settings, databases).open()


async def test_a_feed_does_not_go_on_with_another_range_of_shifts(feeding: Feeding, databases: Databases) -> None:
    with pytest.raises(ProjectError, match=r"begun with date_shift \[-364, 364\]"):
        await Feeding(feeding.settings, databases, date_shift=[1, 30]).open()


async def test_no_feed_begins_with_an_open_key(settings: SettingsFactory, databases: Databases) -> None:
    file = settings().data / "hub" / "master.key"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"k" * 32)
    file.chmod(0o644)
    with pytest.raises(MasterKeyRefused, match="is open to others"):
        await Feeding(settings(), databases).open()
    assert await databases.hub.fetchval("SELECT count(*) FROM hub.project") == 0


async def test_the_hub_may_have_a_database_of_its_own(settings: SettingsFactory, postgres: Postgres) -> None:
    with postgres.database() as url:
        apart = settings(hub_url=SecretStr(url))
        async with open_databases(apart) as databases:
            feeding = await Feeding(apart, databases).open()
            await feeding.tell(event(patient()), event(observation("o1")))
            assert len(await feeding.last_state()) == 2
            count = "SELECT (SELECT count(*) FROM hub.feed), (SELECT count(*) FROM identity.person_patient)"
            assert tuple(await databases.hub.fetchrow(count)) == (2, 0)
            assert tuple(await databases.store.fetchrow(count)) == (0, 1)
