"""However often and in whatever order events arrive, the recipient ends with the same resources."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.bus.event import Event
from tests.integration.hub.given import Feeding, encounter, event, observation, patient, text_of

STATES = ("final", "amended", "corrected", "early", "undated", "broken", "deleted", "erased")
HISTORIES = st.lists(st.lists(st.sampled_from(STATES), min_size=1, max_size=5), min_size=1, max_size=4)
EMPTY = "TRUNCATE hub.feed, hub.state, hub.subject, bus.ledger, bus.dead_letter, bus.consumer_offset"


def version(number: int, place: int, state: str) -> Event:
    """One version of one of some resources: patients, encounters and observations of two patients."""
    name = f"p{number % 2}"
    kind = (patient, encounter, observation)[number % 3]
    identity = name if kind is patient else f"r{number}"
    epoch = 1 + place // 4
    if state in ("deleted", "erased"):
        type_name = kind(identity)["resourceType"]
        return event(f"{type_name}/{identity}", place, patient=name, op=state, epoch=epoch)
    made: dict[str, Any] = kind(identity) if kind is patient else kind(identity, name)  # type: ignore[operator]
    return event(made | _content(kind, state, place), place, patient=name, epoch=epoch)


def _content(kind: Any, state: str, place: int) -> dict[str, Any]:
    when = {"early": "2023-05-05", "broken": "2024-02-31", "undated": None}.get(state, f"2024-05-{place:02d}")
    if kind is patient:
        return {"deceasedDateTime": when or "2025"}
    if kind is encounter:
        return {"status": "finished", "period": {"start": when} if when else {}}
    return {"status": state if state in STATES[:3] else "final", "effectiveDateTime": when}


class Delivery(NamedTuple):
    """Histories of some resources, and the chance that shuffles, doubles and cuts them."""

    histories: list[list[str]]
    seed: int

    def events(self) -> list[Event]:
        """Every version, in order."""
        named = enumerate(self.histories[:4])
        return [version(number, place, state) for number, history in named for place, state in enumerate(history, 1)]

    def batches(self) -> list[list[Event]]:
        """Every version at least once, in any order, in any cut."""
        chance = random.Random(self.seed)
        events = self.events()
        events += [chance.choice(events) for _ in range(chance.randint(0, len(events)))]
        chance.shuffle(events)
        cuts = sorted(chance.choices(range(len(events) + 1), k=3))
        return [events[low:high] for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.builds(Delivery, HISTORIES, st.integers(0, 1000)))
async def test_any_redelivery_and_reordering_ends_alike(feeding: Feeding, delivery: Delivery) -> None:
    states = []
    for batches in ([[one] for one in delivery.events()], delivery.batches()):
        await feeding.databases.hub.execute(EMPTY)
        for events in batches:
            await feeding.tell(*events)
        state, rows = await feeding.last_state(), await feeding.rows()
        assert [row.seq for row in rows] == sorted({row.seq for row in rows})
        states.append((text_of(state), await feeding.books()))
        for events in batches:
            await feeding.tell(*events)
        assert len(await feeding.rows()) == len(rows), "all of it again is news"
    assert states[0] == states[1]
