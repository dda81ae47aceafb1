"""Issues of stored resources as JSON: which hospital sends what that does not pass.

Enters: GET /issues and /issues/counts with site, profile, type, severity, code, path. Leaves: rows as JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ecluse.core.clock import instant_text
from ecluse.core.errors import BadRequest
from ecluse.core.fhir import types
from fhir_server.http.listing import listing, number
from fhir_server.server import Server
from fhir_server.store import flags
from fhir_server.store.flags import Filter, Flag

MOST = 1000
USUAL = 100
SEVERITIES = ("error", "warning", "information")
Endpoint = Callable[[Request], Awaitable[Response]]


def issues_of(server: Callable[[], Server]) -> Endpoint:
    """GET /issues: one row an issue, with `_count` and `after`, the `next` of the answer before."""
    return _endpoint(server, _issues, ("_count", "after"))


def counts_of(server: Callable[[], Server]) -> Endpoint:
    """GET /issues/counts: how many resources have which issue, by site and profile."""
    return _endpoint(server, _counts, ("_count",))


def _endpoint(server: Callable[[], Server], rows: Callable[..., Awaitable[Any]], extra: tuple[str, ...]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        async def find() -> Any:
            wanted = read_filter(request.query_params, extra)
            async with server().connection() as conn:
                return await rows(conn, wanted, request.query_params)

        return await listing(request, find)

    return endpoint


async def _issues(conn: Any, wanted: Filter, query: Mapping[str, str]) -> dict[str, Any]:
    limit = _number(query, "_count", USUAL)
    found = await flags.found(conn, wanted, after=_after(query.get("after", "")), limit=limit + 1)
    told = {"issues": [as_json(flag) for flag in found[:limit]]}
    return {**told, "next": f"{found[limit - 1].pk}.{found[limit - 1].position}"} if len(found) > limit else told


async def _counts(conn: Any, wanted: Filter, query: Mapping[str, str]) -> dict[str, Any]:
    found = await flags.counts(conn, wanted, limit=_number(query, "_count", MOST))
    return {"counts": [count._asdict() for count in found]}


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

    Raises: BadRequest (400) for a parameter or resource type that does not exist
    """
    unknown = sorted(set(query) - {*Filter._fields, *extra})
    if unknown:
        raise BadRequest(f"There is no parameter {unknown[0]}; there are {', '.join((*Filter._fields, *extra))}.")
    wanted = Filter(**{name: query[name] for name in Filter._fields if query.get(name)})
    if wanted.type is not None and wanted.type not in types.number_of:
        raise BadRequest(f"FHIR R4 has no resource type {wanted.type}.")
    if wanted.severity not in (None, *SEVERITIES):
        raise BadRequest(f"severity is {', '.join(SEVERITIES[:-1])} or {SEVERITIES[-1]}.")
    return wanted


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    found = number(query.get(name, str(usual)), MOST)
    if found is None:
        raise BadRequest(f"{name} is a whole number from 1 to {MOST}.")
    return found


def _after(text: str) -> tuple[int, int]:
    if not text:
        return 0, -1
    pk, _, position = text.partition(".")
    if not (text.isascii() and pk.isdigit() and position.isdigit() and len(pk) < 19 and len(position) < 5):
        raise BadRequest("after is the `next` of the answer before.")
    return int(pk), int(position)
