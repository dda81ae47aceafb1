"""What is sent beside the resource that an event is about, as its topic shapes notifications.

Enters: an event, and the includes of a topic. Leaves: keys of the resources that these lead to from this version, at a
delete from the last one, in the Subscription's own site; without those that the gate keeps from this consumer. The
content is read when it is sent.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#notification-shape
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consumers.gate import Gate
from consumers.persons import Persons
from consumers.subscriptions.concern import SQL, Happening
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from ecluse.related.follower import Follower, Resource
from ecluse.related.registries import Registries
from mappers.search.includes import EVERY, Include
from mappers.search.registry import BUILT_IN, Registry, served
from mappers.subscriptions.bundle import MOST_BESIDE

Keys = list[tuple[int, int]]
"""(type, key), in that order"""


class Neighbours:
    """Who asks the store for them, and the gate."""

    def __init__(self, settings: Settings, databases: Databases, consumer: str, purpose: str) -> None:
        self._settings = settings
        self._persons, self._gate = Persons(databases.identity), Gate(databases.identity)
        self._consumer, self._purpose = consumer, purpose
        self._registries = Registries()

    async def of(self, conn: Any, happening: Happening, site: int, shape: Sequence[Sequence[Any]]) -> Keys:
        """The keys, at most MOST_BESIDE and one more.

        site: the number of the event's site; shape: includes as stored"""
        event = happening.event
        includes = [Include(*one) for one in shape]
        pk = await conn.fetchval(SQL["key"], site, happening.type, event.id)
        registry = await self._registry(conn, site, includes)
        rows = await happening.rows(registry)
        follower = Follower(conn, site, self._settings.base(event.site), registry)
        focus = Resource(happening.type, pk or 0, event.id, event.version)
        found = await follower.beside(includes, focus, rows.references if rows else (), MOST_BESIDE + 1)
        withheld = await self._withheld(conn, event.site, site, found) if found else set()
        return [(one.type, one.pk) for one in found if one.pk not in withheld]

    async def _registry(self, conn: Any, site: int, includes: Sequence[Include]) -> Registry:
        """What can be followed at the site now; the store is asked only for what R4 does not have by itself."""
        if all(one.type != EVERY and one.code in served(one.type) for one in includes):
            return BUILT_IN
        return await self._registries.current(conn, site)

    async def _withheld(self, conn: Any, name: str, site: int, found: Sequence[Resource]) -> set[int]:
        """The keys of those whose persons are not to be told of."""
        listed = await conn.fetch(SQL["patients"], site, [one.type for one in found], [one.pk for one in found])
        owners = {row["pk"]: (name, row["patient"]) for row in listed if row["patient"]}
        persons = await self._persons.resolve(owners.values())
        numbers = {identity.person for identity in persons.values()}
        decisions = await self._gate.decisions(numbers, self._consumer, self._purpose)
        answers = {pk: decisions.of(persons[owner].person, name).answer for pk, owner in owners.items()}
        return {pk for pk, answer in answers.items() if answer != "deliver"}
