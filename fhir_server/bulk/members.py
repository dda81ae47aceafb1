"""The patients of an export: the members of a group, or those that a client names.

Enters: a connection, in whatever snapshot it reads. Leaves: ids of patients. A member counts while it is not inactive
and its period, if any, holds the present; a group that is a member brings its own members.
Spec: http://hl7.org/fhir/R4/group.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Gone, Issue, NotFound
from ecluse.core.fhir import dates, json, types
from fhir_server.bulk.wanted import Wanted
from fhir_server.store import merges, resources
from fhir_server.store.resources import SQL as RESOURCES


async def patients(conn: Connection, site: int, wanted: Wanted, now: datetime) -> list[str] | None:
    """The ids of the patients whose data is wanted, with those who were merged into them; None when it is everybody's.

    Raises: NotFound (404), Gone (410) when the group is not there; BadRequest (400) with the patients that are not
    """
    if wanted.level == "group":
        found = await of_group(conn, site, wanted.group, now)
        missing = [patient for patient in wanted.patients if patient not in found]
        _refuse(missing, f"is no present member of Group/{wanted.group}")
        return await merges.with_sources(conn, site, wanted.patients or sorted(found))
    if not wanted.patients:
        return None
    _refuse(await _absent(conn, site, wanted.patients), "is not stored here")
    return await merges.with_sources(conn, site, wanted.patients)


async def of_group(conn: Connection, site: int, group: str, now: datetime) -> set[str]:
    """The patients that are members now.

    Raises: NotFound (404), Gone (410)
    """
    found: set[str] = set()
    seen, waiting = {group}, [group]
    while waiting:
        stored = await _group(conn, site, waiting.pop(), first=len(seen) == 1)
        for kind, member in _members(stored, now):
            if kind == "Patient":
                found.add(member)
            elif kind == "Group" and member not in seen:
                seen.add(member)
                waiting.append(member)
    return found


async def _group(conn: Connection, site: int, group: str, *, first: bool) -> dict[str, Any]:
    try:
        stored = await resources.current(conn, site, "Group", group)
    except (NotFound, Gone):
        if first:
            raise
        return {}
    resource: dict[str, Any] = json.decode(stored.body or b"{}")
    return resource


def _members(group: dict[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    """Type and id of each member that counts now."""
    for member in group.get("member", ()):
        text = member.get("entity", {}).get("reference", "")
        if not member.get("inactive") and _holds(member.get("period", {}), now):
            kind, _, rest = text.partition("/")
            yield kind, rest.partition("/")[0]


def _holds(period: dict[str, str], now: datetime) -> bool:
    start, end = period.get("start"), period.get("end")
    return not ((start and dates.bounds(start)[0] > now) or (end and dates.bounds(end)[1] <= now))


async def _absent(conn: Connection, site: int, patients: Sequence[str]) -> list[str]:
    rows = [await conn.fetchrow(RESOURCES["current"], site, types.number_of["Patient"], each) for each in patients]
    return [each for each, row in zip(patients, rows, strict=True) if row is None or row["deleted"]]


def _refuse(missing: Sequence[str], reason: str) -> None:
    if missing:
        issues = [Issue(f"patient: Patient/{each} {reason}.", code="not-found") for each in missing[:100]]
        raise BadRequest(issues=issues)
