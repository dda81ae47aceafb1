"""The four databases: store, identity, warehouse, hub. One and the same unless addresses say otherwise.

Enters: settings. Leaves: open pools, the same pool where addresses are equal. No SQL joins two of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ecluse.core.db.embedded import attach, running
from ecluse.core.db.migrate import migrate as run_migrations
from ecluse.core.db.pool import Pool, open_pool
from ecluse.core.settings import SecretStr, Settings

AREAS = {
    "store": ("store", "sink", "search"),
    "identity": ("identity",),
    "warehouse": ("sink", "warehouse"),
    "hub": ("sink", "hub"),
}
"""The schema areas of each database."""
SEARCHING = {"plan_cache_mode": "force_generic_plan", "max_parallel_workers_per_gather": "0"}
"""Plans that know no values expect many rows, and starting workers for them would take longer than the search."""


@dataclass(frozen=True, slots=True)
class Databases:
    """Pools by what they hold. search: the store again, by connections that plan each statement once, whatever its
    arguments; searches say themselves where they begin, and planning cost them more than running."""

    store: Pool
    identity: Pool
    warehouse: Pool
    hub: Pool
    search: Pool


async def url_of(settings: Settings, name: str) -> str:
    """The address of a database: its own, else the store's, else the embedded server's.

    name: store, identity, warehouse or hub
    Raises: Unavailable (503) when the embedded server does not run
    """
    return _own_url(settings, name) or await attach(settings.data)


def _own_url(settings: Settings, name: str) -> str:
    own: SecretStr = settings.database_url if name == "store" else getattr(settings, f"{name}_url")
    return own.reveal() or settings.database_url.reveal()


@asynccontextmanager
async def open_databases(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Databases]:
    """Open pools, closed at the end. The embedded server is started when it is needed and does not run yet.

    Raises: Unavailable (503) when one does not answer, MigrationError when its schema is of another release
    """
    async with AsyncExitStack() as stack:
        urls = {name: _own_url(settings, name) for name in AREAS}
        if not all(urls.values()):
            embedded = await stack.enter_async_context(running(settings.data))
            urls = {name: url or embedded for name, url in urls.items()}
        pools: dict[str, Pool] = {}
        for url in dict.fromkeys(urls.values()):
            pools[url] = await open_pool(
                url, size=settings.pool_size, statement_timeout_ms=settings.statement_timeout_ms
            )
            stack.push_async_callback(pools[url].close)
        if migrate:
            for name, areas in AREAS.items():
                async with pools[urls[name]].acquire() as conn:
                    await run_migrations(conn, areas)
        search = await open_pool(
            urls["store"],
            size=settings.pool_size,
            statement_timeout_ms=settings.statement_timeout_ms,
            least=0,
            more=SEARCHING,
        )
        stack.push_async_callback(search.close)
        yield Databases(**{name: pools[url] for name, url in urls.items()}, search=search)
