"""Whether an event is what a Subscription is about: by its criteria, or by the triggers of its topic and its filters.

Enters: an event with what stood before it, and a row of a Subscription. Leaves: yes or no; or, of criteria in FHIRPath
that cannot be evaluated on this resource, why not.
Spec: http://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.resourceTrigger.queryCriteria
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any

from asyncpg import Record

from ecluse.bus.event import Event
from ecluse.core.db import queries
from ecluse.core.errors import EcluseError
from ecluse.core.fhir import json, types
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Item, root
from ecluse.core.fhir.fhirpath.scope import Given
from mappers.search.index import index_rows
from mappers.search.matches import matches
from mappers.search.registry import BUILT_IN, Registry
from mappers.search.rows import IndexRows

SQL = queries.load(__package__, "subscriptions.sql")
INTERACTIONS = {"created": "create", "updated": "update", "deleted": "delete"}
MOST_WORK = 100_000
"""Items that the steps of one expression may take on one event: a tenth of a second, in the consumer's transaction."""


class Undecided(EcluseError):
    """Criteria cannot be evaluated on a resource; the words name their place, and hold no content."""


class Happening:
    """One event; what stood before is read when somebody asks, in the transaction that stores what comes of it."""

    def __init__(self, conn: Any, event: Event, resource: dict[str, Any] | None) -> None:
        self.event = event
        self.type = types.number_of[event.type]
        self._conn = conn
        self._resource = resource
        self._former: dict[str, Any] | None = None
        self._known = False
        self._held: dict[str, bool | str] = {}
        self.beside: dict[bytes, list[tuple[int, int]]] = {}
        """Keys of what is sent beside it, by the shape that asks for it."""

    @cached_property
    def _after(self) -> IndexRows | None:
        """The rows of what came, made when the first Subscription looks at them."""
        return None if self._resource is None else index_rows(self.event.type, self._resource)

    async def concerns(self, row: Record) -> bool:
        """row: of `watching`

        Raises: Undecided when it depends on criteria that cannot be evaluated here"""
        if row["site"] != self.event.site or self.event.time < row["since"]:
            return False
        condition = json.decode(row["condition"].encode())
        if row["type"]:
            return row["type"] == self.type and self._after is not None and self._matches(condition, self._after)
        topic = json.decode(row["topic"].encode())
        undecided = ""
        for number, trigger in enumerate(topic["triggers"]):
            try:
                if await self._triggers(trigger):
                    return await self._passes(condition)
            except FhirPathError as error:
                undecided = undecided or f"resourceTrigger[{number}].fhirPathCriteria: {error}"
        if undecided and await self._passes(condition):
            raise Undecided(undecided)
        return False

    async def rows(self, registry: Registry) -> IndexRows | None:
        """The rows of what is there, at a delete of what was there. registry: BUILT_IN, or what counts beside"""
        if self._resource is None:
            await self._previous()
        if registry is BUILT_IN:
            return self._before if self._resource is None else self._after
        resource = self._former if self._resource is None else self._resource
        return None if resource is None else index_rows(self.event.type, resource, registry)

    async def _passes(self, condition: Any) -> bool:
        """Whether the filters of a Subscription hold for what is there, at a delete for what was there."""
        own = condition.get(self.event.type)
        return own is None or await self._is(own, before=self._resource is None)

    async def _triggers(self, trigger: dict[str, Any]) -> bool:
        """Whether a trigger fires: both its criteria hold, as far as it has them.

        Raises: FhirPathError when they cannot be evaluated"""
        interaction = INTERACTIONS[self.event.op]
        if trigger["type"] != self.event.type or interaction not in trigger["on"]:
            return False
        expression = trigger.get("fhirpath", "")
        return await self._queried(trigger, interaction) and (not expression or await self._holds(expression))

    async def _queried(self, trigger: dict[str, Any], interaction: str) -> bool:
        """Whether the searches hold. A test that a create or delete has no content for, and no result, says nothing."""
        results = []
        if trigger["previous"]:
            asked = interaction != "create"
            results.append(await self._is(trigger["previous"], before=True) if asked else trigger["for_create"])
        if trigger["current"]:
            asked = interaction != "delete"
            results.append(await self._is(trigger["current"], before=False) if asked else trigger["for_delete"])
        if not results:
            return True
        told = [result for result in results if result is not None]
        return bool(told) and (all if trigger["both"] else any)(told)

    async def _holds(self, text: str) -> bool:
        """Whether an expression is true, asked once for all Subscriptions; an empty outcome is not."""
        if text not in self._held:
            asked = "previous" in text and self.event.op != "created"
            self._held[text] = self._evaluated(text, await self._previous() if asked else None)
            await asyncio.sleep(0)  # others want their turn between many of them
        held = self._held[text]
        if isinstance(held, str):
            raise FhirPathError(held)
        return held

    def _evaluated(self, text: str, previous: dict[str, Any] | None) -> bool | str:
        """The outcome, or why there is none."""
        current = _items(self._resource)
        given = Given({"current": current, "previous": _items(previous)}, work=MOST_WORK)
        try:
            return compile(text).holds(current, given) is True
        except FhirPathError as error:
            return str(error)

    async def _is(self, condition: Any, *, before: bool) -> bool:
        if before:
            await self._previous()
        rows = self._before if before else self._after
        return rows is not None and self._matches(condition, rows)

    def _matches(self, condition: Any, rows: IndexRows) -> bool:
        return matches(condition, self.event.id, rows)

    @cached_property
    def _before(self) -> IndexRows | None:
        """The rows of what stood before, once that is read."""
        return None if self._former is None else index_rows(self.event.type, self._former)

    async def _previous(self) -> dict[str, Any] | None:
        if not self._known:
            event = self.event
            body = await self._conn.fetchval(SQL["before"], event.site, self.type, event.id, event.version)
            self._former = None if body is None else json.decode(body)
            self._known = True
        return self._former


def _items(resource: dict[str, Any] | None) -> list[Item]:
    return [] if resource is None else [root(resource)]
