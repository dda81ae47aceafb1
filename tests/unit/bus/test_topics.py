"""Names, configurations and partitions of topics; they never change once records stand in them."""

from __future__ import annotations

import zlib

import pytest

from ecluse.bus.topics import Topics

TOPICS = Topics("prod.", 8)


def test_topics_are_named_after_the_type_in_lower_case() -> None:
    assert TOPICS.events("MedicationRequest") == "prod.fhir.medicationrequest.v1"
    assert TOPICS.state("MedicationRequest") == "prod.fhir.medicationrequest.state.v1"
    assert TOPICS.hub("sepsis") == "prod.hub.sepsis.v1"


def test_events_expire_and_states_are_compacted() -> None:
    events, state = (dict(topic.config) for topic in TOPICS.of_type("Patient"))
    assert events["cleanup.policy"] == "delete"
    assert state["cleanup.policy"] == "compact"
    assert int(state["delete.retention.ms"]) >= 7 * 24 * 3600 * 1000


def test_all_of_a_patient_is_in_one_partition_and_sites_are_apart() -> None:
    patient = TOPICS.partition("north", "Patient", "p", "p")
    assert TOPICS.partition("north", "Observation", "o", "p") == patient
    assert TOPICS.partition("north", "Patient", "p", None) == patient
    assert {TOPICS.partition(f"s{n}", "Patient", "p", "p") for n in range(50)} == set(range(8))


@pytest.mark.parametrize(
    ("key", "partition"), [("default/Patient/p", 0), ("default/Observation/o1", 3), ("north/Organization/org", 7)]
)
def test_the_partition_is_crc_32_of_the_key_for_every_client_for_ever(key: str, partition: int) -> None:
    assert TOPICS.partition_of_key(key.encode()) == zlib.crc32(key.encode()) % 8 == partition


def test_the_registry_has_both_topics_of_each_type_once() -> None:
    names = [topic.name for topic in TOPICS.registry(["Patient", "Observation"])]
    assert names == sorted(names)
    assert len(names) == len(set(names)) == 4
