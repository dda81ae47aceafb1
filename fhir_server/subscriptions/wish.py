"""What a Subscription to a topic asks for, where R4 has only extensions for it.

Enters: a Subscription whose criteria are the address of a topic. Leaves: what is to be sent, how often, filtered by
what.
Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ecluse.core.errors import Unprocessable
from mappers.subscriptions.bundle import CONTENTS

Json = dict[str, Any]
EXTENSION = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
LONGEST_S, MOST, FEWEST_S = 60, 100, 5
TIMEOUT_S = 20


class Wish(NamedTuple):
    """topic: address, perhaps with |version; filters: searches; content: empty, id-only or full-resource; heartbeat_s:
    0 for none; timeout_s: in which the app answers; most: events in one notification"""

    topic: str
    filters: tuple[str, ...] = ()
    content: str = "empty"
    heartbeat_s: int = 0
    timeout_s: int = TIMEOUT_S
    most: int = 1


def wish(resource: Json) -> Wish | None:
    """The wish, None for criteria that are a search.

    Raises: Unprocessable (422) for a value that cannot be obeyed"""
    criteria = str(resource.get("criteria", ""))
    if not criteria.partition("?")[0].startswith(("http://", "https://", "urn:")):
        return None
    channel = resource.get("channel", {})
    filters = _values(resource.get("_criteria"), "filter-criteria")
    content = next(iter(_values(channel.get("_payload"), "payload-content")), None)
    if content not in CONTENTS:
        text = f"Say what is sent by the extension {EXTENSION}payload-content: {', '.join(CONTENTS)}."
        raise Unprocessable(text, expression="Subscription.channel.payload", diagnostics=str(content or "")[:200])
    return Wish(
        criteria,
        tuple(map(str, filters)),
        content,
        _number(channel, "heartbeat-period", 0, FEWEST_S, 86_400),
        _number(channel, "timeout", TIMEOUT_S, 1, LONGEST_S),
        _number(channel, "max-count", 1, 1, MOST),
    )


def _number(channel: Json, name: str, without: int, least: int, most: int) -> int:
    found = _values(channel, name)
    if not found or found[0] == 0:
        return without
    if not isinstance(found[0], int) or not least <= found[0] <= most:
        text = f"{name} is a number from {least} to {most}."
        raise Unprocessable(text, expression="Subscription.channel", diagnostics=str(found[0])[:200])
    return found[0]


def _values(element: Json | None, name: str) -> list[Any]:
    told = [one for one in (element or {}).get("extension", ()) if one.get("url") == EXTENSION + name]
    return [next((value for key, value in one.items() if key.startswith("value")), None) for one in told]
