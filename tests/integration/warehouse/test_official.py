"""Every official example of a mapped type is written, waits or is left out with a reason; none is a dead letter."""

from __future__ import annotations

from ecluse.core.fhir import json
from mappers.warehouse.mapping import MAPPERS
from tests.integration.warehouse.feeding import Feeding, Told, told
from tests.integration.warehouse.state import state
from tests.official import official_files

BATCH = 100


def official() -> list[Told]:
    """The examples of mapped types, one a key."""
    found = {}
    for path in official_files():
        if path.name.split("-")[0] in MAPPERS:
            each = json.decode(path.read_bytes())
            found[each["resourceType"], each["id"]] = told(each)
    return list(found.values())


async def test_every_official_example_is_taken(feeding: Feeding) -> None:
    examples = official()
    assert len(examples) > 300
    batches = [examples[start : start + BATCH] for start in range(0, len(examples), BATCH)]
    await feeding.tell(*batches)
    books = await feeding.books()
    assert len(books) == len(examples)
    assert {row[2] for row in books} <= {"mapped", "excluded", "waiting"}
    async with feeding.pool.acquire() as conn:
        forward = await state(conn)
    await feeding.tell(*reversed(batches))
    async with feeding.pool.acquire() as conn:
        assert await state(conn) == forward
