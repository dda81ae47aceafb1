"""`/events`: what happened since a position, for programs that read no Kafka; as JSON, or as a stream that goes on.

Enters: the query of a request. Leaves: a page of CloudEvents and the position to ask for next, or a stream of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ecluse.bus import envelope
from ecluse.bus.feed import Feed
from ecluse.bus.position import Position, position
from ecluse.bus.replay import Replay
from ecluse.cli.event_stream import EventStream
from ecluse.core.errors import BadRequest, Busy, Gathering, Issue
from ecluse.core.fhir import types
from fhir_server.http.listing import number
from fhir_server.server import Server

STREAMED = ("since", "site", "type")
PAGED = (*STREAMED, "count")
MOST, COUNT = 1000, 100


class Asked(NamedTuple):
    """What a reader asks for."""

    since: Position | None
    replay: Replay
    most: int


async def listed(server: Server, given: QueryParams) -> dict[str, Any]:
    """The events after `since`; without it none, and the present position.

    Raises: BadRequest (400) with all names and values that cannot be read, NotFound (404) for a site that there is
    not, and what reading raises"""
    asked = await _asked(server, given, PAGED)
    found = await asked.replay.page(asked.since, asked.most)
    return {"events": list(map(envelope.structured, found.events)), "next": str(found.next), "more": found.more}


async def streamed(server: Server, feed: Feed, request: Request) -> Response:
    """The events after `Last-Event-ID`, else after `since`, else from now on, as they come.

    Raises: Busy (429) when there are as many streams as may be, and what `listed` raises"""
    given = request.query_params
    if last := request.headers.get("last-event-id"):
        given = QueryParams([pair for pair in given.multi_items() if pair[0] != "since"] + [("since", last)])
    asked = await _asked(server, given, STREAMED)
    if feed.followers >= server.settings.events_streams:
        raise Busy("This server sends events to as many readers as it may; ask for pages, or come back.")
    since = asked.since or await asked.replay.present()
    await asked.replay.check(since)
    return EventStream(server.settings, feed, asked.replay, since)


async def _asked(server: Server, given: QueryParams, names: tuple[str, ...]) -> Asked:
    wrong = Gathering()
    wrong.read(_check_names, given, names)
    wrong.read(_check_once, given)
    since = wrong.read(position, given["since"]) if "since" in given else None
    named = given["site"].split(",") if "site" in given else ()
    sites = [await wrong.found(server.site(name)) for name in named]
    kinds = wrong.read(_types, given)
    most = wrong.read(_count, given.get("count"))
    wrong.check()
    numbers = [site.number for site in sites] if named else None
    return Asked(since, Replay(server.databases.store, kinds, numbers), most)


def _check_names(given: Mapping[str, str], names: tuple[str, ...]) -> None:
    if unknown := given.keys() - set(names):
        raise BadRequest(f"Events are asked for by {', '.join(names)}; not by {', '.join(sorted(unknown))[:200]}.")


def _check_once(given: QueryParams) -> None:
    if again := [name for name in given if len(given.getlist(name)) > 1]:
        advice = {"since": "ask with one position", "count": "ask with one number"}
        told = [f"{name} stands there more than once; {advice.get(name, 'list with commas')}." for name in again]
        raise BadRequest(issues=[Issue(text, name) for name, text in zip(again, told, strict=True)])


def _types(given: Mapping[str, str]) -> list[str] | None:
    if "type" not in given:
        return None
    names = given["type"].split(",")
    if unknown := [name for name in names if name not in types.number_of]:
        text = "type is a list of FHIR R4 resource types, like Patient,Encounter."
        raise BadRequest(issues=[Issue(text, "type", f"found {name[:80]!r}") for name in unknown])
    return names


def _count(text: str | None) -> int:
    if text is None:
        return COUNT
    if (found := number(text, MOST)) is None:
        raise BadRequest(f"Write count as a number from 1 to {MOST}.")
    return found
