"""What the conditional interactions share: from criteria to the resource that is meant, then written by its id.

Enters: criteria whose locks the caller holds. Leaves: targets and intents that name the version that the search saw;
the write refuses them (`Overtaken`) when somebody changed it since, and `until_settled` searches again. A transaction's
entries use the same functions.
Spec: http://hl7.org/fhir/R4/http.html#cond-update, http://hl7.org/fhir/R4/http.html#3.1.0.7.1
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Conflict, Gone, Issue, NotFound, Overtaken, PreconditionFailed
from fhir_server.store import conditions, resources
from fhir_server.store.resources import Site
from fhir_server.store.write import NO_VERSION, Intent, intent

Outcome = TypeVar("Outcome")
ATTEMPTS = 20


class Target(NamedTuple):
    """Where a conditional write goes. new: under an id that the server gives; seen: the version that the search saw,
    None when nothing matches."""

    id: str
    new: bool = False
    seen: int | None = None


async def until_settled(attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The outcome of the first attempt that no other writer overtook. What an attempt locked stays locked, so each one
    sees more of what it found unchanged."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except Overtaken:
            continue
    return await attempt()


async def update_target(
    conn: Connection, site: Site, resource_type: str, criteria: str, given_id: str | None
) -> Target:
    """The resource that a conditional update means.

    given_id: the id in the body
    Raises: PreconditionFailed (412) when several match, BadRequest (400) when the one that does has another id,
    Conflict (409) when none does and the id is taken"""
    match = await conditions.one_match(conn, site, resource_type, criteria)
    if match is None:
        if given_id is None:
            return Target(clock.new_id(), new=True)
        await _check_free(conn, site.number, resource_type, given_id)
        return Target(given_id)
    if given_id not in (None, match.id):
        text = f"The condition matches {resource_type}/{match.id}: leave the id out, or give that one."
        raise BadRequest(issues=[Issue(text, f"{resource_type}.id", f"id is {given_id!r}", code="value")])
    return Target(match.id, seen=match.version)


def update_intent(resource: dict[str, Any], target: Target, if_match: int | None) -> Intent:
    """The wish to store the resource where the condition leads.

    Raises: PreconditionFailed (412) when a version has to stand and nothing matches"""
    if target.new and if_match:
        raise PreconditionFailed("Nothing matches the condition; leave If-Match out to create it.")
    unless = NO_VERSION if target.seen is None and if_match is None else if_match
    return intent(resource, target.id, new=target.new, if_match=unless)._replace(seen=target.seen)


async def patch_target(conn: Connection, site: Site, resource_type: str, criteria: str) -> Target:
    """The resource that a conditional patch means.

    Raises: PreconditionFailed (412) when several match, NotFound (404) when none does"""
    match = await conditions.one_match(conn, site, resource_type, criteria)
    if match is None:
        raise NotFound(f"No {resource_type} matches the condition: there is nothing to patch.")
    return Target(match.id, seen=match.version)


async def delete_intents(
    conn: Connection, site: Site, resource_type: str, criteria: str, most: int | None
) -> list[Intent]:
    """Deletes of the resources that match, one more than `most` when more do.

    most: None when only one may match
    Raises: PreconditionFailed (412) when several match and only one may"""
    found = await conditions.matching(conn, site, resource_type, criteria, (most or 1) + 1)
    if most is None and len(found) > 1:
        raise conditions.several(resource_type, criteria)
    return [Intent(resource_type, match.id, None, seen=match.version) for match in found]


async def _check_free(conn: Connection, site: int, resource_type: str, resource_id: str) -> None:
    try:
        await resources.current(conn, site, resource_type, resource_id)
    except (NotFound, Gone):
        return
    text = (
        f"{resource_type}/{resource_id} exists and does not match the condition: update it by its id, or give another."
    )
    raise Conflict(text, expression=f"{resource_type}.id")
