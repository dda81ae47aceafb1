"""Subscriptions, taken in as they are written.

Enters: a Subscription that somebody wants to store, then its key in the transaction that stores it. Leaves: the
resource without the secrets in `channel.header`, and the row that the consumer of subscriptions reads.
Spec: http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ecluse.core.db import queries
from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json, types
from fhir_server.subscriptions.condition import condition

SQL = queries.load(__package__, "subscriptions.sql")
SUBSCRIPTION = "Subscription"
JSON = "application/fhir+json"
PAYLOADS = {"application/fhir+json", "application/json"}


class Wanted(NamedTuple):
    """What a Subscription asks for. headers: None to keep those that are known; ends_at: aware, None for no end"""

    type: str
    condition: dict[str, Any]
    endpoint: str
    payload: str
    headers: list[str] | None
    ends_at: datetime | None


def taken(resource: dict[str, Any]) -> tuple[dict[str, Any], Wanted | None]:
    """The Subscription as it is stored, and what it asks for; nothing when it is off.

    Raises: Unprocessable (422) when it cannot be served
    """
    channel = resource.get("channel", {})
    kept = {name: value for name, value in channel.items() if name not in ("header", "_header")}
    stored = resource | ({"channel": kept} if channel else {})
    if resource.get("status") == "off":
        return stored, None
    if channel.get("type") != "rest-hook":
        raise _refused("channel.type", "The channel is rest-hook; others are not served.", channel.get("type"))
    resource_type, conditions = condition(str(resource.get("criteria", "")))
    end = resource.get("end")
    headers = channel.get("header")
    for header in headers or []:
        _check_header(header)
    ends_at = datetime.fromisoformat(end) if end else None
    return stored, Wanted(resource_type, conditions, _endpoint(channel), _payload(channel), headers, ends_at)


def _endpoint(channel: dict[str, Any]) -> str:
    endpoint = str(channel.get("endpoint", ""))
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        text = "The endpoint is an https address, without a password in it: https://app.example/hook."
        raise _refused("channel.endpoint", text, endpoint)
    return endpoint


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


async def follow(conn: Any, site: int, pk: int, own: str, instant: datetime, wanted: Wanted | None) -> None:
    """Makes the row of one Subscription what was written. wanted: None when it is off or gone"""
    if wanted is None:
        await conn.execute(SQL["drop"], pk)
        return
    headers = None if wanted.headers is None else json.encode(wanted.headers).decode()
    told = json.encode(wanted.condition).decode()
    number = types.number_of[wanted.type]
    await conn.execute(
        SQL["take"], pk, site, own, instant, wanted.ends_at, number, wanted.endpoint, wanted.payload, headers, told
    )


async def shown(conn: Any, site: int, own: str, body: bytes) -> bytes:
    """A Subscription as a read shows it: with the status and the error that it has, once a consumer serves it."""
    row = await conn.fetchrow(SQL["told"], site, own)
    if row is None or row["state"] == "requested":
        return body
    resource = json.decode_exactly(body) | {"status": row["state"]}
    resource.pop("error", None)
    return json.encode(resource | ({"error": row["error"]} if row["error"] else {}))
