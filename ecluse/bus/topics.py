"""Which topics there are, and which partition a record goes to.

Enters: settings. Leaves: names, configurations and partition numbers. A topic is made when its resource type is first
named. The partition of an event is that of its patient, so that one consumer sees all of a patient; all topics have
equally many partitions.

    fhir.<type>.v1         every event, kept for a time
    fhir.<type>.state.v1   the last state of each resource, compacted
    hub.<project>.v1       a recipient's feed
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
# A consumer that was down for a long week-end still finds the tombstones.
TOMBSTONES_MS = 14 * DAY_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it has to stand in the broker."""

    name: str
    config: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Topics:
    """The names under one prefix, with one number of partitions, and how long events are kept."""

    prefix: str = ""
    partitions: int = 8
    retention_days: int = 14

    def events(self, resource_type: str) -> str:
        """Topic of a type's events: `fhir.observation.v1`."""
        return f"{self.prefix}fhir.{resource_type.lower()}.v1"

    def state(self, resource_type: str) -> str:
        """Topic of a type's last states: `fhir.observation.state.v1`."""
        return f"{self.prefix}fhir.{resource_type.lower()}.state.v1"

    def hub(self, project: str) -> str:
        """Topic of a recipient's feed: `hub.<project>.v1`."""
        return f"{self.prefix}hub.{project}.v1"

    def of_project(self, project: str) -> Topic:
        """The topic of a recipient's feed; the last record of each key stays."""
        return _compacted(self.hub(project))

    def of_type(self, resource_type: str) -> tuple[Topic, Topic]:
        """Both topics of a type."""
        return _kept(self.events(resource_type), self.retention_days), _compacted(self.state(resource_type))

    def registry(self, resource_types: Iterable[str]) -> list[Topic]:
        """All topics of these types, by name."""
        return sorted((topic for kind in resource_types for topic in self.of_type(kind)), key=lambda topic: topic.name)

    def partition(self, site: str, resource_type: str, resource_id: str, patient: str | None) -> int:
        """Partition of an event: CRC-32 of `site/Patient/id` of its patient, else of its own key."""
        key = f"{site}/{resource_type}/{resource_id}" if patient is None else f"{site}/Patient/{patient}"
        return self.partition_of_key(key.encode())

    def partition_of_key(self, key: bytes) -> int:
        """Partition of a state record: CRC-32 of its key."""
        return zlib.crc32(key) % self.partitions


def _kept(name: str, days: int) -> Topic:
    return Topic(name, (("cleanup.policy", "delete"), ("retention.ms", str(days * DAY_MS))))


def _compacted(name: str) -> Topic:
    return Topic(name, (("cleanup.policy", "compact"), ("delete.retention.ms", str(TOMBSTONES_MS))))
