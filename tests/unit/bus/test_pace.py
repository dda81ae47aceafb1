"""Parts of history are as large as their readers are fast."""

from __future__ import annotations

import pytest

from ecluse.bus.pace import AIM_S, BEGIN, LEAST, MOST, Pace


@pytest.mark.parametrize("rate", [300, 1_000, 4_000])
def test_a_part_comes_to_take_as_long_as_is_wanted(rate: int) -> None:
    pace = Pace()
    for _ in range(20):
        pace.took(pace.events, pace.events / rate)
    assert pace.events / rate == pytest.approx(AIM_S, rel=0.05)


def test_neither_the_slowest_nor_the_fastest_reader_decides_alone() -> None:
    slow, fast = Pace(), Pace()
    for _ in range(20):
        slow.took(slow.events, 60.0)
        fast.took(fast.events, 0.0)
    assert (slow.events, fast.events) == (LEAST, MOST)


def test_a_part_that_took_long_makes_the_next_one_fit_at_once() -> None:
    pace = Pace()
    pace.took(BEGIN, 2 * AIM_S)
    assert pace.events == BEGIN // 2


def test_a_reader_who_is_always_done_is_given_more() -> None:
    pace = Pace()
    pace.idled()
    assert pace.events > BEGIN
    for _ in range(20):
        pace.idled()
    assert pace.events == MOST
