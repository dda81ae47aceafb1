"""Who a patient is through merges, whatever process hears of them and in whatever order."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from consumers.gate import Gate
from consumers.persons import SQL, Merge, Persons
from ecluse.core.db.databases import Databases

A, B, C = ("default", "a"), ("default", "b"), ("default", "c")
CHAIN = [(A, Merge("b", 1)), (A, Merge("c", 2)), (B, Merge("c", 2)), (A, Merge("b", 3)), (B, Merge("b", 3))]
"""a into b, b into c, then b out of c again: a is b."""


async def test_a_merge_makes_one_person_of_two_in_every_process(databases: Databases) -> None:
    one, other = Persons(databases.identity), Persons(databases.identity)
    before = await one.resolve([A, B])
    assert (await other.resolve([A]))[A] == before[A]
    merged = await one.resolve([A], {A: Merge("b", 1)})
    assert (merged[A].person, merged[A].survivor) == (before[B].person, "b")
    assert (await other.resolve([A, B]))[A].person == before[B].person
    undone = await other.resolve([A], {A: Merge("a", 2)})
    assert (undone[A].person, undone[A].survivor) == (before[A].person, None)
    assert (await one.resolve([A], {A: Merge("b", 1)}))[A].person == before[A].person


@pytest.mark.parametrize("order", list(permutations(range(5)))[::11])
async def test_a_chain_ends_alike_in_every_order(databases: Databases, order: tuple[int, ...]) -> None:
    persons = Persons(databases.identity)
    before = await persons.resolve([A, B, C])
    for number in order:
        key, merge = CHAIN[number]
        await persons.resolve([key], {key: merge})
    after = await persons.resolve([A, B, C])
    assert [after[key].person for key in (A, B, C)] == [before[B].person, before[B].person, before[C].person]
    current = await databases.identity.fetchval("SELECT count(*) FROM identity.person_patient WHERE until IS NULL")
    assert current == 3


async def test_a_decision_about_either_of_two_merged_holds_for_the_person(databases: Databases) -> None:
    persons, gate = Persons(databases.identity), Gate(databases.identity)
    before = await persons.resolve([A, B])
    await databases.identity.execute(
        "INSERT INTO identity.decision (person, decision, reason) VALUES ($1, 'withdraw', 'opposition')",
        before[A].person,
    )
    assert (await gate.decide(before[B].person, "default", "warehouse", "research")).answer == "deliver"
    await persons.resolve([A], {A: Merge("b", 1)})
    told = await gate.decide(before[B].person, "default", "warehouse", "research")
    assert (told.answer, told.reason) == ("withdraw", "opposition")
    assert await gate.held_back("warehouse", "research") == sorted(before[patient].person for patient in (A, B))
    await persons.resolve([A], {A: Merge("a", 2)})
    assert await gate.held_back("warehouse", "research") == [before[A].person]
    assert (await gate.decide(before[B].person, "default", "warehouse", "research")).answer == "deliver"
    assert (await gate.decide(before[A].person, "default", "warehouse", "research")).answer == "withdraw"


async def test_a_merge_that_another_process_applies_meanwhile_is_applied_once(databases: Databases) -> None:
    """Who waited for the row finds it ended: the new one is read, and nothing is done twice."""
    one, other = Persons(databases.identity), Persons(databases.identity)
    before = await one.resolve([A, B])
    async with databases.identity.acquire() as conn:
        async with conn.transaction():
            await conn.fetchval(SQL["lock"], *A)
            waiting = asyncio.create_task(other.resolve([A], {A: Merge("b", 1)}))
            while not await conn.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                assert not waiting.done()
                await asyncio.sleep(0.01)
            await conn.execute(SQL["end"], *A)
            await conn.execute(SQL["begin"], before[B].person, *A, "b", 1, "merged")
    assert (await waiting)[A] == (before[B].person, "b", 1)
    rows = await databases.identity.fetchval("SELECT count(*) FROM identity.person_patient WHERE patient_id = 'a'")
    assert rows == 2
