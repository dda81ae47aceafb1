"""What passes by itself is told from what does not; delays grow to a bound."""

from __future__ import annotations

import asyncpg
import pytest

from ecluse.bus.backoff import Backoff, transient
from ecluse.core.errors import Fenced, Unavailable, Unmappable


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
        asyncpg.UndefinedTableError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("cannot call Connection.fetchrow(): connection has been released back to the pool"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_what_is_away_passes(error: Exception) -> None:
    assert transient(error)


@pytest.mark.parametrize(
    "error",
    [
        Unmappable(),
        Fenced(),
        asyncpg.CheckViolationError(),
        asyncpg.NotNullViolationError(),
        asyncpg.DataError(),
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"),
        KeyError("x"),
        RecursionError(),
    ],
)
def test_what_is_wrong_does_not_pass(error: Exception) -> None:
    assert not transient(error)


def test_delays_double_up_to_their_bound_and_begin_again() -> None:
    backoff = Backoff(first_s=0.1, longest_s=1.0)
    delays = [backoff.next_s() for _ in range(20)]
    assert all(min(1.0, 0.1 * 2**n) / 2 <= delay <= min(1.0, 0.1 * 2**n) for n, delay in enumerate(delays))
    backoff.reset()
    assert backoff.next_s() <= 0.1
