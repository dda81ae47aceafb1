"""Subscriptions and topics, taken in as they are written.

Enters: a Subscription that somebody wants to store, then its key in the transaction that stores it; or the Basic that
stands for a topic. Leaves: the resource without the secrets in `channel.header`, and the rows that the consumer of
subscriptions reads.
Spec: http://hl7.org/fhir/R4/subscription.html, http://hl7.org/fhir/uv/subscriptions-backport/STU1.1
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ecluse.core.db import queries
from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json, types
from ecluse.core.hosts import PORTS, never_called
from ecluse.related.registries import Registries
from fhir_server.subscriptions.condition import PLACE, condition
from fhir_server.subscriptions.filters import conditions
from fhir_server.subscriptions.topic import BASIC, Topic, of_basic
from fhir_server.subscriptions.wish import Wish, wish

SQL = queries.load(__package__, "subscriptions.sql")
SUBSCRIPTION = "Subscription"
JSON = "application/fhir+json"
REST_HOOK, MESSAGE, WEBSOCKET = "rest-hook", "message", "websocket"
OF_TOPICS = (REST_HOOK, MESSAGE, WEBSOCKET)
"""The channels of Subscriptions to topics; those to a search have only the first."""
UNTOLD = (SUBSCRIPTION, "Binary")
"""Types that the consumer of subscriptions does not read."""
PAYLOADS = {"application/fhir+json", "application/json"}


class Wanted(NamedTuple):
    """What a Subscription asks for. type, condition: "" and nothing with a wish, that is, about a topic; headers: None
    to keep those that are known; ends_at: aware, None for no end"""

    type: str
    condition: dict[str, Any]
    endpoint: str
    payload: str
    headers: list[str] | None
    ends_at: datetime | None
    wish: Wish | None = None
    channel: str = REST_HOOK


Taken = Wanted | Topic | None
"""What a resource asks for beyond being stored."""


def asked(kind: str, resource: dict[str, Any]) -> tuple[dict[str, Any], Taken]:
    """The resource as it is stored, and what it asks for.

    Raises: Unprocessable (422) when it cannot be served"""
    return taken(resource) if kind == SUBSCRIPTION else (resource, of_basic(resource) if kind == BASIC else None)


def taken(resource: dict[str, Any]) -> tuple[dict[str, Any], Wanted | None]:
    """The Subscription as it is stored, and what it asks for; nothing when it is off.

    Raises: Unprocessable (422) when it cannot be served
    """
    channel = resource.get("channel", {})
    kept = {name: value for name, value in channel.items() if name not in ("header", "_header")}
    stored = resource | ({"channel": kept} if channel else {})
    if resource.get("status") == "off":
        return stored, None
    wanted = wish(resource)
    kind = _channel(channel.get("type"), OF_TOPICS if wanted else (REST_HOOK,))
    resource_type, conditions = ("", {}) if wanted else _search(str(resource.get("criteria", "")))
    end = resource.get("end")
    headers = channel.get("header")
    for header in headers or []:
        _check_header(header)
    ends_at = datetime.fromisoformat(end) if end else None
    endpoint = "" if kind == WEBSOCKET else _endpoint(channel)
    return stored, Wanted(resource_type, conditions, endpoint, _payload(channel), headers, ends_at, wanted, kind)


def _search(criteria: str) -> tuple[str, dict[str, Any]]:
    resource_type, conditions = condition(criteria)
    if resource_type in UNTOLD:
        raise _refused("criteria", f"Nobody is notified about {resource_type}.", criteria)
    return resource_type, conditions


def _channel(kind: object, served: tuple[str, ...]) -> str:
    if kind not in served:
        about = "a topic" if len(served) > 1 else "a search"
        text = f"The channel of a Subscription to {about} is {', '.join(served)}; others are not served."
        raise _refused("channel.type", text, kind)
    return str(kind)


def _endpoint(channel: dict[str, Any]) -> str:
    endpoint = str(channel.get("endpoint", ""))
    if not _is_address(endpoint):
        text = "The endpoint is an https address, without a password in it: https://app.example/hook."
        raise _refused("channel.endpoint", text, endpoint)
    return endpoint


def _is_address(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in PORTS and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        return False


def check_endpoint(wanted: Wanted, hosts: frozenset[str]) -> None:
    """Nothing, when the hook may be called, or its name has to be resolved to tell.

    Raises: Unprocessable (422) with the setting that would allow it"""
    if wanted.endpoint and (reason := never_called(wanted.endpoint, hosts)):
        raise _refused("channel.endpoint", reason, wanted.endpoint)


def _payload(channel: dict[str, Any]) -> str:
    payload = channel.get("payload")
    if payload and payload.partition(";")[0].strip() not in PAYLOADS:
        raise _refused("channel.payload", f"The payload is {JSON}, or left out for an empty notification.", payload)
    return JSON if payload else ""


def _check_header(header: str) -> None:
    name, colon, _ = header.partition(":")
    if not colon or not name.strip() or not header.isascii() or not header.isprintable():
        raise _refused("channel.header", "A header is Name: value, in ASCII on one line.", "")


def _refused(place: str, text: str, found: object) -> Unprocessable:
    return Unprocessable(text, expression=f"{SUBSCRIPTION}.{place}", diagnostics=str(found or "")[:200])


async def follow(conn: Any, site: int, pk: int, own: str, instant: datetime, wanted: Taken) -> None:
    """Makes the rows of one Subscription or topic what was written.

    wanted: None when it is off or gone
    Raises: Unprocessable (422) when it is about a topic that is not there, or cannot be filtered so"""
    if isinstance(wanted, Topic):
        await _take_topic(conn, site, pk, wanted)
    elif isinstance(wanted, Wanted):
        await _take(conn, site, pk, own, instant, wanted)
    else:
        await conn.execute(SQL["drop"], pk)


async def _take(conn: Any, site: int, pk: int, own: str, instant: datetime, wanted: Wanted) -> None:
    headers = None if wanted.headers is None else json.encode(wanted.headers).decode()
    conditions = await _filters(conn, site, wanted.wish) if wanted.wish else wanted.condition
    told = json.encode(conditions).decode()
    number = types.number_of[wanted.type] if wanted.type else 0
    about = (wanted.wish or Wish(""))._replace(filters=())
    row = (pk, site, own, instant, wanted.ends_at, number, wanted.endpoint, wanted.payload, headers, told)
    topic = about.topic.partition("|")[0]
    content = about.content if topic else ""
    bounds = (about.heartbeat_s, about.timeout_s, about.most)
    await conn.execute(SQL["take"], *row, topic, content, *bounds, wanted.channel)


async def _filters(conn: Any, site: int, wanted: Wish) -> dict[str, Any]:
    url, _, version = wanted.topic.partition("|")
    known = await conn.fetch(SQL["topics"], site)
    topic = next((row for row in known if row["url"] == url), None)
    if topic is None:
        shown = ", ".join(row["url"] for row in known) or "none yet"
        raise Unprocessable(
            f"No topic has this address. Topics here: {shown}.", expression=PLACE, diagnostics=url[:200]
        )
    if version not in ("", topic["version"]):
        text = f"The topic is here in version {topic['version'] or '(none)'}."
        raise Unprocessable(text, expression=PLACE, diagnostics=wanted.topic[:200])
    return conditions(wanted.filters, json.decode(topic["definition"].encode()))


async def _take_topic(conn: Any, site: int, pk: int, topic: Topic) -> None:
    """Raises: Unprocessable (422) when another resource has this address, or it includes what cannot be followed"""
    if not await take_topic(conn, site, pk, topic):
        text = "Another resource is the topic of this address: change that one, or delete it."
        raise Unprocessable(text, expression=BASIC, diagnostics=topic.url[:200])


async def take_topic(conn: Any, site: int, pk: int | None, topic: Topic) -> bool:
    """Stores a topic; False when its address is another resource's. site: 0 for all; pk: of its Basic, if any

    Raises: Unprocessable (422) when it includes what cannot be followed at the site"""
    definition = json.encode(topic.served(await Registries().current(conn, site))).decode()
    row = (pk, site, topic.url, topic.version, topic.title, definition)
    return await conn.fetchval(SQL["take_topic"], *row) is not None


def failures(row: Any) -> tuple[str, ...]:
    """What is wrong with a Subscription, in words: at its hook, and in its topic.

    row: of `told`"""
    found = [row["error"]] if row["error"] else []
    if row["gone"]:
        found.append("Its topic is not served any more: nothing is told until it is there again.")
    if count := row["undecided"]:
        found.append(f"Events that the topic's criteria could not decide, not told: {count}; {row['undecided_why']}")
    return tuple(found)


async def shown(conn: Any, site: int, own: str, body: bytes) -> bytes:
    """A Subscription as a read shows it: with the status and the error that it has, once a consumer serves it."""
    row = await conn.fetchrow(SQL["told"], site, own)
    if row is None or row["state"] == "requested":
        return body
    resource = json.decode_exactly(body) | {"status": row["state"]}
    resource.pop("error", None)
    return json.encode(resource | ({"error": " ".join(told)} if (told := failures(row)) else {}))
