"""Whatever the order, however often anything comes, wherever batches are cut: the warehouse ends the same."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.warehouse.feeding import Feeding, Told, told
from tests.integration.warehouse.state import empty, state
from tests.integration.warehouse.stories import VERSIONS


def versions(name: str, last: int) -> list[Told]:
    """The versions of a resource up to the last one."""
    kind, _, key = name.partition("/")
    made: list[Told] = []
    for number, resource in enumerate(VERSIONS[name][:last], 1):
        patient = told(resource).patient if resource else made[-1].patient
        made.append(Told(kind, key, number, resource, patient=patient))
    return made


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Told], list[list[Told]]]:
    """The last version of each resource, and a delivery that holds each of them at least once, in batches."""
    stories = [versions(name, draw(st.integers(0, len(VERSIONS[name])), label=name)) for name in VERSIONS]
    stories = [story for story in stories if story]
    last = [story[-1] for story in stories]
    earlier = [each for story in stories for each in story[:-1]]
    extra = draw(st.lists(st.sampled_from(earlier + last), max_size=20)) if last else []
    order = draw(st.permutations(last + extra))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=6)))
    batches = [order[low:high] for low, high in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return last, [batch for batch in batches if batch]


async def told_all(feeding: Feeding, batches: list[list[Told]]) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The state and the books after batches were told to an empty warehouse."""
    async with feeding.pool.acquire() as conn:
        await empty(conn)
    await feeding.tell(*batches)
    async with feeding.pool.acquire() as conn:
        return await state(conn), [_without_losses(row) for row in await feeding.books()]


def _without_losses(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """What was left out of a row is not told again when the row has waited."""
    return row[:3] if row[2] == "mapped" else row


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(delivery=deliveries())
async def test_any_order_any_redelivery_any_cut_ends_in_the_same_state(
    feeding: Feeding, delivery: tuple[list[Told], list[list[Told]]]
) -> None:
    last, batches = delivery
    expected, expected_books = await told_all(feeding, [[each] for each in last])
    found, books = await told_all(feeding, batches)
    assert found == expected
    assert books == expected_books
    again, _ = await told_all(feeding, [*batches, last])
    assert again == expected
