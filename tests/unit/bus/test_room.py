"""How much history the relay sends at once is learnt from the brokers as well as from the consumers."""

from __future__ import annotations

import pytest

from ecluse.bus.pace import BEGIN
from ecluse.bus.room import Room
from ecluse.core.settings import Settings


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room whose consumers have always taken everything."""
    monkeypatch.setattr(Room, "_farthest", lambda _: 0)
    return Room(Settings(), ["warehouse"])


async def test_brokers_that_are_slow_get_smaller_parts(room: Room) -> None:
    room.sent(BEGIN, 0.4)
    assert await room.free()
    assert room.part == BEGIN // 2


async def test_brokers_that_are_quick_get_larger_parts(room: Room) -> None:
    room.sent(BEGIN, 0.01)
    assert await room.free()
    assert room.part > BEGIN
