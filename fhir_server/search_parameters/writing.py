"""What a write means for search parameters made at run time.

Enters: what a write changes, in its transaction, and the registry of the site. Leaves: index rows of paths made at run
time, claims of values that only one resource may have, and parameters when SearchParameters are written themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ecluse.core.db.pool import Connection
from ecluse.core.fhir import types
from fhir_server.search_parameters import claims, taking
from fhir_server.search_parameters.claims import Claimed
from fhir_server.search_parameters.taking import SEARCH_PARAMETER, Stored
from mappers.search.claims import claims as claims_of
from mappers.search.index import index_rows
from mappers.search.registry import Registry


class Altered(NamedTuple):
    """One resource that a write changes. entry: of the write; before, after: None where nothing stands"""

    entry: int
    pk: int
    type: str
    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def settle(conn: Connection, site: int, registry: Registry, altered: Sequence[Altered]) -> None:
    """Claims and gives up what only one resource may have, and takes SearchParameters in.

    Raises: Conflict (409) when another resource has a value, Unprocessable (422) when a SearchParameter cannot be
    served
    """
    concerned = [one for one in altered if one.type in registry.unique]
    if concerned:
        await _claim(conn, site, registry, concerned)
    stored = [Stored(one.entry, one.pk, one.id, one.after) for one in altered if one.type == SEARCH_PARAMETER]
    if stored:
        await taking.follow(conn, site, stored)


async def _claim(conn: Connection, site: int, registry: Registry, altered: Sequence[Altered]) -> None:
    gone: list[Claimed] = []
    wanted: list[Claimed] = []
    for one in altered:
        before, after = (_claims(one, resource, registry) for resource in (one.before, one.after))
        gone += (claim for claim in before if claim not in after)
        wanted += (claim for claim in after if claim not in before)
    await claims.release(conn, site, gone)
    if shared := await claims.claim(conn, site, wanted):
        names = {rule.parameter: rule.name for rules in registry.unique.values() for rule in rules}
        raise claims.refused(shared, names)


def _claims(one: Altered, resource: dict[str, Any] | None, registry: Registry) -> list[Claimed]:
    if resource is None:
        return []
    tokens = index_rows(one.type, resource, registry).tokens
    found = sorted(claims_of(one.type, tokens, registry))
    return [Claimed(one.entry, one.pk, types.number_of[one.type], one.id, claim) for claim in found]
