"""Issues of stored resources as JSON: which hospital sends what that does not pass.

Enters: GET /issues and /issues/counts with site, profile, type, severity, code, path, id. Leaves: rows as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecluse.core.clock import instant_text
from ecluse.core.errors import BadRequest, Gathering, Issue
from ecluse.core.fhir import types
from fhir_server.http.listing import number
from fhir_server.server import Server
from fhir_server.store import flags
from fhir_server.store.flags import Filter, Flag
from fhir_server.store.resources import check_site

PAGED = ("_count", "after")
MOST = 1000
USUAL = 100
MOST_SKIPPED = 1_000_000
SEVERITIES = ("error", "warning", "information")


async def issues(server: Server, query: Mapping[str, str]) -> dict[str, Any]:
    """One row an issue, with `_count` and `after`, the `next` of the answer before.

    Raises: BadRequest (400) with all that cannot be read, NotFound (404) for a site that there is not
    """
    wrong = Gathering()
    wanted, limit = wrong.read(read_filter, query, PAGED), wrong.read(_number, query, "_count", USUAL)
    after = wrong.read(_after, query.get("after", ""))
    async with server.connection() as conn:
        await wrong.found(check_site(conn, query.get("site") or None))
        wrong.check()
        found = await flags.found(conn, wanted, after=after, limit=limit + 1)
    told = {"issues": [as_json(flag) for flag in found[:limit]]}
    return {**told, "next": f"{found[limit - 1].pk}.{found[limit - 1].position}"} if len(found) > limit else told


async def counts(server: Server, query: Mapping[str, str]) -> dict[str, Any]:
    """How many resources have which issue, by site and profile, with `_count` and `after`, the `next` of the answer
    before: how many kinds of issues came already.

    Raises: BadRequest (400) with all that cannot be read, NotFound (404) for a site that there is not
    """
    wrong = Gathering()
    wanted, limit = wrong.read(read_filter, query, PAGED), wrong.read(_number, query, "_count", MOST)
    skipped = wrong.read(_skipped, query.get("after", ""))
    async with server.connection() as conn:
        await wrong.found(check_site(conn, query.get("site") or None))
        wrong.check()
        found = await flags.counts(conn, wanted, skipped=skipped, limit=limit + 1)
    told = {"counts": [count._asdict() for count in found[:limit]]}
    return {**told, "next": str(skipped + limit)} if len(found) > limit else told


def as_json(flag: Flag) -> dict[str, Any]:
    """A flag as it is told: the resource by its address, the instant as FHIR writes it."""
    told = flag._asdict()
    return {
        "site": told.pop("site"),
        "resource": f"{told.pop('type')}/{told.pop('id')}",
        **{name: value for name, value in told.items() if name not in ("pk", "position")},
        "flagged_at": instant_text(flag.flagged_at),
    }


def read_filter(query: Mapping[str, str], extra: tuple[str, ...] = ()) -> Filter:
    """Which issues a query asks for.

    Raises: BadRequest (400) with each parameter, resource type or severity that does not exist
    """
    listed = ", ".join((*Filter._fields, *extra))
    unknown = sorted(set(query) - {*Filter._fields, *extra})
    issues = [Issue(f"There is no parameter {name[:80]}; there are {listed}.") for name in unknown]
    wanted = Filter(**{name: query[name] for name in Filter._fields if query.get(name)})
    if wanted.type is not None and wanted.type not in types.number_of:
        issues.append(Issue(types.unknown(wanted.type), "type"))
    if wanted.severity not in (None, *SEVERITIES):
        issues.append(Issue(f"severity is {', '.join(SEVERITIES[:-1])} or {SEVERITIES[-1]}.", "severity"))
    if issues:
        raise BadRequest(issues=issues)
    return wanted


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    found = number(query.get(name, str(usual)), MOST)
    if found is None:
        raise BadRequest(f"{name} is a whole number from 1 to {MOST}.", expression=name)
    return found


def _skipped(text: str) -> int:
    found = number(text, MOST_SKIPPED) if text else 0
    if found is None:
        raise BadRequest("after is the `next` of the answer before.", expression="after")
    return found


def _after(text: str) -> tuple[int, int]:
    if not text:
        return 0, -1
    pk, _, position = text.partition(".")
    if not (text.isascii() and pk.isdigit() and position.isdigit() and len(pk) < 19 and len(position) < 5):
        raise BadRequest("after is the `next` of the answer before.", expression="after")
    return int(pk), int(position)
