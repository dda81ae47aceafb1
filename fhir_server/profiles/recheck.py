"""Looks at what is stored already: after a guide was installed, or when validation was switched on later.

Enters: a site and a resource type. Leaves: the issues of all its current versions, as if each had been sent with +flag.
Some at a time, in a transaction of their own in which nobody changes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.validation.policy import Depth, Rule
from fhir_server.profiles.loading import MISSING, provide
from fhir_server.profiles.validation import Validation
from fhir_server.server import Server
from fhir_server.store import flags
from fhir_server.store.flags import Flagged, Standing
from fhir_server.store.resources import Site

AT_ONCE = 200


class Rechecked(NamedTuple):
    """How many resources were looked at, and how many have issues."""

    checked: int
    flagged: int


async def recheck(
    server: Server, site: Site, resource_type: str, depth: Depth, resource_id: str | None = None
) -> Rechecked:
    """Replaces the issues of all resources of a type at a site, or of one of them."""
    validation = await server.profile_validation(site.name, Rule(depth, flag=True))
    after, checked, flagged = 0, 0, 0
    while True:
        async with server.transaction() as conn:
            found = await flags.standing(conn, site.number, resource_type, after, AT_ONCE, resource_id)
            rows = [(one, await _issues(server.within(conn), site, validation, one, depth)) for one in found]
            await _replace(conn, site, resource_type, rows)
        if not found:
            return Rechecked(checked, flagged)
        after, checked, flagged = found[-1].pk, checked + len(found), flagged + sum(bool(told) for _, told in rows)


async def _issues(server: Server, site: Site, validation: Validation, one: Standing, depth: Depth) -> list[Issue]:
    resource = json.decode_exactly(one.body)
    while True:
        try:
            return validation.found(resource, depth)
        except MISSING as missing:
            await provide(server, site.number, validation, missing, one.body)


async def _replace(
    conn: Connection, site: Site, resource_type: str, rows: Sequence[tuple[Standing, Sequence[Issue]]]
) -> None:
    by_sender: dict[str, list[Flagged]] = defaultdict(list)
    for one, told in rows:
        by_sender[one.sender].append(Flagged(one.pk, resource_type, one.version, told))
    for sender, flagged in by_sender.items():
        await flags.replace(conn, site.number, sender, clock.now(), flagged)
