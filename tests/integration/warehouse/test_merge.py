"""A merged patient's rows belong to the survivor's person, in whatever order the events come, and come back."""

from __future__ import annotations

from itertools import permutations

import pytest

from ecluse.core.db.databases import Databases
from tests.integration.warehouse.feeding import Feeding, Told, told
from tests.integration.warehouse.stories import encounter, observation, patient

SOURCE, TARGET = patient("source"), patient("target")
STAY = encounter("stay", "Patient/source", "2024-01-01T08:00:00Z", "2024-01-03T08:00:00Z")
VALUE = observation("value", "Patient/source", "2024-01-02")
OTHER = observation("other", "Patient/target", "2024-02-02")
BEFORE = [told(each) for each in (SOURCE, TARGET, STAY, VALUE, OTHER)]


def _merged(of: Told, version: int, survivor: str = "target", number: int = 1) -> Told:
    """The same after a merge: a Patient in its next version, others sent again."""
    return of._replace(version=version, survivor=survivor, merge=number)


MERGE = [_merged(BEFORE[0], 2), told(TARGET, 2), _merged(BEFORE[2], 1), _merged(BEFORE[3], 1)]
UNMERGE = [
    _merged(BEFORE[0], 3, "source", 2),
    told(TARGET, 3),
    _merged(BEFORE[2], 1, "source", 2),
    _merged(BEFORE[3], 1, "source", 2),
]


@pytest.fixture
def feeding(databases: Databases) -> Feeding:
    """The consumer of the warehouse."""
    return Feeding(databases)


async def _persons(feeding: Feeding) -> dict[str, str | None]:
    """Type/id of what has rows → the Patient whose person they belong to."""
    owners = {
        row["omop_id"]: row["resource_id"]
        for row in await feeding.pool.fetch("SELECT * FROM omop_map.id_map WHERE omop_table = 'person'")
    }
    found: dict[str, str | None] = {}
    for table, key in (("visit_occurrence", "visit_occurrence_id"), ("measurement", "measurement_id")):
        rows = await feeding.pool.fetch(
            f"SELECT m.resource_type, m.resource_id, t.person_id FROM omop.{table} t "
            f"JOIN omop_map.id_map m ON m.omop_table = $1 AND m.omop_id = t.{key}",
            table,
        )
        found |= {f"{row[0]}/{row[1]}": owners.get(row["person_id"]) for row in rows}
    return found | {"persons": ",".join(sorted(owners.values()))}


ONE = {"Encounter/stay": "target", "Observation/value": "target", "Observation/other": "target", "persons": "target"}
TWO = {
    "Encounter/stay": "source",
    "Observation/value": "source",
    "Observation/other": "target",
    "persons": "source,target",
}


async def test_rows_move_to_the_survivor_and_back(feeding: Feeding) -> None:
    await feeding.tell(BEFORE)
    assert await _persons(feeding) == TWO
    await feeding.tell(MERGE)
    assert await _persons(feeding) == ONE
    assert ("Patient", "source", "excluded", "merged into another Patient") in await feeding.books()
    await feeding.tell(UNMERGE)
    assert await _persons(feeding) == TWO


@pytest.mark.parametrize("order", list(permutations(range(4)))[::3])
async def test_the_order_of_what_a_merge_sends_does_not_matter(feeding: Feeding, order: tuple[int, ...]) -> None:
    await feeding.tell(BEFORE)
    await feeding.tell(*[[MERGE[number]] for number in order])
    assert await _persons(feeding) == ONE
    await feeding.tell(*[[UNMERGE[number]] for number in reversed(order)])
    assert await _persons(feeding) == TWO


async def test_what_was_sent_before_the_merge_and_comes_after_it_changes_nothing(feeding: Feeding) -> None:
    await feeding.tell(BEFORE, MERGE, BEFORE[2:], [told(SOURCE)])
    assert await _persons(feeding) == ONE
    await feeding.tell(UNMERGE, MERGE[2:])
    assert await _persons(feeding) == TWO
