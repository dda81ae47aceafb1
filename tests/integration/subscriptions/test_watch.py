"""Listeners by websocket are woken by what is new for them, and by nothing else."""

from __future__ import annotations

import asyncio

import pytest

from ecluse.bus.wakeup import NOTIFICATIONS
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from fhir_server.server import Server
from fhir_server.subscriptions.watch import Far, Listener, Watch
from tests.conftest import SettingsFactory

OWN, OTHER = 7, 8
NEVER_S, SOON_S = 3600.0, 0.02
FAR = Far(0, 0, 0)


@pytest.fixture
async def server(databases: Databases, settings: SettingsFactory) -> Server:
    """A server whose store has two Subscriptions by websocket, and nobody who notifies by itself."""
    for pk in (OWN, OTHER):
        await databases.store.execute(
            "INSERT INTO fhir.subscription"
            " (pk, site, id, since, due_at, type, endpoint, payload, condition, headers, channel)"
            " VALUES ($1, 1, $1::bigint::text, $2, $2, 0, '', '', '[]', '[]', 'websocket')",
            pk,
            clock.now(),
        )
    return Server(settings(), databases, lambda: None)


async def _append(server: Server, pk: int, *, notified: bool = True) -> None:
    await server.databases.store.execute("UPDATE fhir.subscription SET last = last + 1 WHERE pk = $1", pk)
    if notified:
        await server.databases.store.execute(f"NOTIFY {NOTIFICATIONS}")


async def _listens(server: Server) -> None:
    """Returns when the watch listens."""
    own = "datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN%'"
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE {own}"
    async with asyncio.timeout(30):
        while not await server.databases.store.fetchval(asked):
            await asyncio.sleep(0.01)


async def _woken(listener: Listener) -> bool:
    began = asyncio.get_running_loop().time()
    await listener.moved(30.0)
    return asyncio.get_running_loop().time() - began < 10.0


async def test_who_listens_is_woken_by_the_notification_and_others_are_not(server: Server) -> None:
    watch = Watch(server, NEVER_S)
    async with watch.listening([OWN]) as own, watch.listening([OTHER]) as other:
        own.seen[OWN] = other.seen[OTHER] = FAR
        await _listens(server)
        for last in (1, 2):
            await _append(server, OWN)
            assert await _woken(own)
            own.seen[OWN] = FAR._replace(last=last)
        waiting = asyncio.create_task(other.moved(None))
        await _append(server, OWN)
        assert await _woken(own)
        assert not waiting.done()
        waiting.cancel()


async def test_a_notification_that_was_lost_is_made_up_for(server: Server) -> None:
    async with Watch(server, SOON_S).listening([OWN]) as own:
        own.seen[OWN] = FAR
        await _append(server, OWN, notified=False)
        assert await _woken(own)


async def test_a_subscription_that_ends_wakes_who_listens_once(server: Server) -> None:
    async with Watch(server, SOON_S).listening([OWN]) as own:
        own.seen[OWN] = FAR
        await server.databases.store.execute("UPDATE fhir.subscription SET state = 'off' WHERE pk = $1", OWN)
        assert await _woken(own)
        own.seen.pop(OWN)
        await own.moved(SOON_S * 5)  # what was on its way
        began = asyncio.get_running_loop().time()
        await own.moved(0.3)
        assert asyncio.get_running_loop().time() - began >= 0.3


async def test_who_listens_hears_that_the_database_is_away(server: Server) -> None:
    async with Watch(server, SOON_S).listening([OWN]) as own:
        own.seen[OWN] = FAR
        await server.databases.store.execute("ALTER TABLE fhir.subscription RENAME TO away")
        with pytest.raises(Exception, match=r"subscription"):
            await own.moved(30.0)
