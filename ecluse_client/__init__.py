"""Écluse for those who build on it: events as they come, each handled once, and a FHIR client.

    async for event in subscribe("Observation", group="icu"):
        print(event.action, event.key, event.resource)

It needs nothing of the server but its address, and Kafka's. docs/client.md shows the rest.
"""

from ecluse_client.event import Event, Position, Unreadable
from ecluse_client.fhir import Fhir, Refused, Written
from ecluse_client.http import NoLongerKept, follow
from ecluse_client.kafka import subscribe
from ecluse_client.newest import Newest

__all__ = [
    "Event",
    "Fhir",
    "Newest",
    "NoLongerKept",
    "Position",
    "Refused",
    "Unreadable",
    "Written",
    "follow",
    "subscribe",
]
