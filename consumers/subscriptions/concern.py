"""Whether an event is what a Subscription is about: by its criteria, or by the triggers of its topic and its filters.

Enters: an event with what stood before it, and a row of a Subscription. Leaves: yes or no.
Spec: http://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.resourceTrigger.queryCriteria
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from asyncpg import Record

from ecluse.bus.event import Event
from ecluse.core.db import queries
from ecluse.core.fhir import json, types
from mappers.search.index import index_rows
from mappers.search.matches import matches
from mappers.search.rows import IndexRows

SQL = queries.load(__package__, "subscriptions.sql")
INTERACTIONS = {"created": "create", "updated": "update", "deleted": "delete"}


class Happening:
    """One event; what stood before is read when somebody asks, in the transaction that stores what comes of it."""

    def __init__(self, conn: Any, event: Event, resource: dict[str, Any] | None) -> None:
        self.event = event
        self.type = types.number_of[event.type]
        self._conn = conn
        self._resource = resource
        self._before: IndexRows | None = None
        self._known = False

    @cached_property
    def _after(self) -> IndexRows | None:
        """The rows of what came, made when the first Subscription looks at them."""
        return None if self._resource is None else index_rows(self.event.type, self._resource)

    async def concerns(self, row: Record) -> bool:
        """row: of `watching`"""
        if row["site"] != self.event.site or self.event.time < row["since"]:
            return False
        condition = json.decode(row["condition"].encode())
        if row["type"]:
            return row["type"] == self.type and self._after is not None and self._matches(condition, self._after)
        topic = json.decode(row["topic"].encode())
        for trigger in topic["triggers"]:
            if await self._triggers(trigger):
                own = condition.get(self.event.type)
                return own is None or await self._is(own, before=self._resource is None)
        return False

    async def _triggers(self, trigger: dict[str, Any]) -> bool:
        """Whether a trigger fires. A test that a create or delete has no content for, and no result, says nothing."""
        interaction = INTERACTIONS[self.event.op]
        if trigger["type"] != self.event.type or interaction not in trigger["on"]:
            return False
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

    async def _is(self, condition: Any, *, before: bool) -> bool:
        rows = await self._previous() if before else self._after
        return rows is not None and self._matches(condition, rows)

    def _matches(self, condition: Any, rows: IndexRows) -> bool:
        return matches(condition, self.event.id, rows)

    async def _previous(self) -> IndexRows | None:
        if not self._known:
            event = self.event
            body = await self._conn.fetchval(SQL["before"], event.site, self.type, event.id, event.version)
            self._before = None if body is None else index_rows(event.type, json.decode(body))
            self._known = True
        return self._before
