"""Which failures pass by themselves, and how long to wait for that.

Enters: an exception. Leaves: whether trying the same again can help, and delays that grow up to a bound, with jitter,
so that many readers do not come back at the same instant.
"""

from __future__ import annotations

import asyncio
import random

import asyncpg

from ecluse.core.db.pool import is_cut
from ecluse.core.errors import EcluseError

FIRST_S = 0.05
LONGEST_S = 15.0

# Lost connections, and what another session, an operator, a full disk or a migration still to come causes. The
# driver's internal error is a connection that was lost between two of its states.
_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresIOError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def transient(error: BaseException) -> bool:
    """True when the same attempt may succeed later although nothing about the data changes."""
    if isinstance(error, asyncpg.InterfaceError):
        return is_cut(error)
    return error.retry if isinstance(error, EcluseError) else isinstance(error, _PASSING)


class Backoff:
    """Growing delays between attempts."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.attempt = 0

    def next_s(self) -> float:
        """The delay before the next attempt, half of it by chance."""
        bound = min(self._longest_s, self._first_s * 2.0**self.attempt)
        self.attempt = min(self.attempt + 1, 30)
        return bound / 2 + random.random() * bound / 2  # noqa: S311 - spreads load, decides nothing

    def reset(self) -> None:
        """An attempt succeeded."""
        self.attempt = 0


async def pause(stop: asyncio.Event, delay_s: float) -> None:
    """Returns after delay_s, or at once when `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), delay_s)
    except TimeoutError:
        return
