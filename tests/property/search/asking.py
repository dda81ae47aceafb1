"""The server's own search, in this process: the request that a client would send, the SQL that it becomes, PostgreSQL.

Enters: resources, then queries. Leaves: ids, as the bundles of all pages have them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from ecluse.core import clock
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import EcluseError
from ecluse.core.fhir.acceptance import accept
from ecluse.core.settings import SecretStr, Settings
from fhir_server.http.request import Request
from fhir_server.interactions.search_type import search
from fhir_server.search import plan
from fhir_server.server import Server
from fhir_server.store.conditions import Match, matching
from fhir_server.store.resources import Site, add_site
from fhir_server.store.write import Context, Intent, Written, intent, write
from tests.property.search.definitions import Resource
from tests.property.search.pools import BASE
from tests.services.postgres import Postgres

NOW = datetime(2022, 6, 1, tzinfo=UTC)
"""The instant at which all queries are asked."""
START = datetime(2021, 12, 30, 22, tzinfo=UTC)
STEP = timedelta(minutes=37, milliseconds=250)
BOUNDS: dict[str, tuple[int, ...]] = {
    "MOST": (0, 2, plan.MOST),
    "MOST_VALUES": (0, 2, plan.MOST_VALUES),
    "MOST_GATHERED": (0, 2, plan.MOST_GATHERED),
    "MOST_BACKWARDS": (0, 2, plan.MOST_BACKWARDS),
    "ENOUGH": (0, plan.ENOUGH),
    "ENOUGH_BESIDE": (0, 1, plan.ENOUGH_BESIDE),
    "ENOUGH_TARGETS": (0, plan.ENOUGH_TARGETS),
    "WALKED": (1, 3, plan.WALKED),
    "WALKED_OF_LEAD": (1, 3, plan.WALKED_OF_LEAD),
    "WALKED_BACKWARDS": (1, 3, plan.WALKED_BACKWARDS),
    "FEW_TARGETS": (0, plan.FEW_TARGETS),
    "WALKED_TARGETS": (1, 3, plan.WALKED_TARGETS),
    "WALKED_TOGETHER": (1, 3, plan.WALKED_TOGETHER),
}
"""What plans hang on, from bounds that nothing stays below to those that are in force."""
AT_ONCE = 7
"""Resources that are written at the same instant."""
T = TypeVar("T")
encoded = msgspec.json.Encoder(decimal_format="number").encode


class Page(NamedTuple):
    """One page of an answer."""

    ids: list[str]
    following: str
    total: int | None


class Refused(Exception):
    """The server takes no such query, or fails at it. args: the query, what it said"""


class Asking:
    """A server with a population in it. resources: as it gives them back, in the order of their creation; elsewhere:
    the same server's other site, empty at first"""

    def __init__(self, postgres: Postgres, server: Server, site: Site, elsewhere: Asking | None = None) -> None:
        self._postgres, self._server, self._site = postgres, server, site
        self.elsewhere = elsewhere
        self.resources: list[Resource] = []
        self._random = Random(0)

    def store(self, resources: Sequence[Resource]) -> None:
        """Writes resources, some at the same instant, each checked as a client's would be."""
        for number in range(0, len(resources), AT_ONCE):
            with frozen(START + number * STEP):
                self.resources += self._postgres.wait(self._written(resources[number : number + AT_ONCE]))

    def store_and_delete(self, resources: Sequence[Resource]) -> None:
        """Writes resources under other ids, and deletes them again."""
        gone = [{**each, "id": f"gone-{each['id']}"} for each in resources]
        self.wait(self._written(gone))
        self.wait(self.write([Intent(each["resourceType"], each["id"], None) for each in gone]))

    async def _written(self, resources: Sequence[Resource]) -> list[Resource]:
        found = await self.write([self.intent(each, new=True) for each in resources])
        return [json.loads(each.body or b"", parse_float=Decimal) for each in found]

    @staticmethod
    def intent(resource: Resource, *, new: bool = False) -> Intent:
        """The wish to store a resource under the id that it has."""
        return intent(accept(None, encoded(resource)), resource["id"], new=new)

    async def write(self, intents: Sequence[Intent]) -> list[Written]:
        """What came of these wishes, in a transaction of their own."""
        context = Context(self._site.number, self._site.name, "", "r", "fhir+json", clock.now())
        async with self._server.transaction() as conn:
            return await write(conn, self._server.keys, intents, context)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns."""
        return self._postgres.wait(work)

    def analyze(self) -> None:
        """Lets the planner see what is there, as it would in a server that runs."""
        self._postgres.wait(self._analyze())

    async def _analyze(self) -> None:
        async with self._server.connection() as conn:
            await conn.execute("ANALYZE")

    def ask(self, asked: Sequence[tuple[str, str]], count: int = 1000) -> list[list[str] | Refused]:
        """The ids of all matches for each type and query, page after page; a refusal stands in its place."""
        with self.any_plan():
            return self._postgres.wait(self._all(asked, count))

    @contextmanager
    def any_plan(self) -> Iterator[None]:
        """Sets what plans hang on to some of `BOUNDS`: answers are the same, whatever is counted, collected, joined,
        walked or given up, and a small population alone would have few of these done."""
        before = {name: getattr(plan, name) for name in BOUNDS}
        for name, values in BOUNDS.items():
            setattr(plan, name, self._random.choice(values))
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(plan, name, value)

    def totalled(self, resource_type: str, query: str) -> int | None:
        """The number of matches, without any of them."""
        return self.wait(self.page(resource_type, f"{query}&_summary=count")).total

    def conditional(self, resource_type: str, query: str) -> list[str]:
        """The ids that a conditional write by this query would see: two at most."""
        return [each.id for each in self.wait(self._matching(resource_type, query))]

    async def _matching(self, resource_type: str, query: str) -> list[Match]:
        async with self._server.connection() as conn:
            return await matching(conn, self._site, resource_type, query)

    async def _all(self, asked: Sequence[tuple[str, str]], count: int) -> list[list[str] | Refused]:
        return list(await asyncio.gather(*(self._each(kind, query, count) for kind, query in asked)))

    async def _each(self, resource_type: str, query: str, count: int) -> list[str] | Refused:
        found: list[str] = []
        following = f"{query}&_count={count}"
        try:
            while following:
                page = await self.page(resource_type, following)
                found += page.ids
                following = page.following
        except EcluseError as error:
            return Refused(f"{resource_type}?{query}", "; ".join(issue.text for issue in error.issues))
        except Exception as error:
            return Refused(f"{resource_type}?{query}", f"500: {error!r}")
        return found

    async def page(self, resource_type: str, query: str) -> Page:
        """One page. Raises: what the interaction raises"""
        request = Request("GET", self._site, BASE, (resource_type,), query, {}, b"", "r", clock.now())
        bundle = json.loads((await search(self._server, request)).body)
        entries = [entry for entry in bundle.get("entry", ()) if entry["search"]["mode"] == "match"]
        links = (link["url"] for link in bundle["link"] if link["relation"] == "next")
        return Page(
            [entry["resource"]["id"] for entry in entries], urlsplit(next(links, "")).query, bundle.get("total")
        )


@contextmanager
def asking(postgres: Postgres, folder: Path, **given: Any) -> Iterator[Asking]:
    """A server on a database of its own."""
    with postgres.database() as url:
        settings = Settings(data=folder, database_url=SecretStr(url), **given)
        stack = AsyncExitStack()
        server, site, other = postgres.wait(_opened(stack, settings))
        yield Asking(postgres, server, site, Asking(postgres, server, other))
        postgres.wait(stack.aclose())


async def _opened(stack: AsyncExitStack, settings: Settings) -> tuple[Server, Site, Site]:
    server = Server(settings, await stack.enter_async_context(open_databases(settings)), lambda: None)
    async with server.connection() as conn:
        await add_site(conn, "north", "", "", "Europe/Paris", "[]")
    return server, await server.site("default"), await server.site("north")


@contextmanager
def frozen(instant: datetime) -> Iterator[None]:
    """Time stands still, for all threads of the process."""
    before = clock._clock
    clock._clock = lambda: instant
    try:
        yield
    finally:
        clock._clock = before
