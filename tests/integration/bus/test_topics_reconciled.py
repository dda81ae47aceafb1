"""`ecluse topics` against a live broker: what is missing is made, what differs is set, what cannot be is told."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

pytestmark = pytest.mark.kafka
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def prefix() -> str:
    """Of topics of this test alone."""
    return f"reconciled-{secrets.token_hex(4)}."


@pytest.fixture
def topics(database: str, kafka: str, prefix: str) -> Command:
    """Runs `ecluse topics`: its exit code, and all that it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLUSE_")}
    given = {"DATABASE_URL": database, "KAFKA_BOOTSTRAP": kafka, "KAFKA_PREFIX": prefix, "KAFKA_PARTITIONS": "2"}

    def run(*words: str, **more: str) -> tuple[int, str]:
        environment = kept | {f"ECLUSE_{name}": value for name, value in (given | more).items()}
        command = [sys.executable, "-m", "ecluse", "topics", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def config(admin: AdminClient, name: str) -> dict[str, str]:
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    return {key: entry.value for key, entry in future.result(10).items()}


def test_topics_are_made_and_then_kept_as_the_registry_has_them(topics: Command, kafka: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    events, state = f"{prefix}fhir.group.v1", f"{prefix}fhir.group.state.v1"
    code, said = topics("diff", "--type", "Group")
    assert code == 3
    assert [line.partition(":")[0] for line in said.splitlines()] == [state, events]
    assert events not in admin.list_topics(timeout=10).topics

    code, said = topics("apply", "--type", "Group")
    assert (code, said.splitlines()) == (
        0,
        [
            f"{state}: made with 2 partitions, cleanup.policy=compact, delete.retention.ms=1209600000",
            f"{events}: made with 2 partitions, cleanup.policy=delete, retention.ms=1209600000",
        ],
    )
    for word in ("apply", "diff"):
        assert topics(word, "--type", "Group") == (0, "2 topics are as the registry has them.\n")
    standing = admin.list_topics(timeout=10).topics
    assert {len(standing[name].partitions) for name in (events, state)} == {2}
    assert config(admin, state)["cleanup.policy"] == "compact"

    shorter = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    other = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    changes = [
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        for name, entry in ((events, shorter), (state, other))
    ]
    for future in admin.incremental_alter_configs(changes).values():
        future.result(10)
    code, said = topics("diff", "--type", "Group", KAFKA_RETENTION_DAYS="3")
    assert (code, sorted(said.splitlines())) == (
        3,
        [
            f"{state}: cleanup.policy is delete, to be compact",
            f"{events}: retention.ms is 1000, to be 259200000",
        ],
    )
    code, said = topics("apply", "--type", "Group", KAFKA_RETENTION_DAYS="3")
    assert (code, sorted(said.splitlines())) == (
        0,
        [
            f"{state}: cleanup.policy was delete, is compact",
            f"{events}: retention.ms was 1000, is 259200000",
        ],
    )
    assert config(admin, events)["retention.ms"] == "259200000"
    assert config(admin, state)["cleanup.policy"] == "compact"
    assert topics("diff", "--type", "Group", KAFKA_RETENTION_DAYS="3")[0] == 0


def test_what_cannot_be_changed_is_told_and_left_alone(topics: Command, kafka: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    name = f"{prefix}fhir.group.v1"
    admin.create_topics([NewTopic(name, 5, 1)])[name].result(10)
    code, said = topics("apply", "--type", "Group", KAFKA_REPLICATION="1")
    assert code == 3, said
    made, left, set_ = sorted(said.splitlines())
    assert made.startswith(f"{prefix}fhir.group.state.v1: made with 2 partitions")
    assert left.startswith(f"{name}: partitions is 5, to be 2; a record's partition is a hash")
    assert set_ == f"{name}: retention.ms was 604800000, is 1209600000"
    standing = admin.list_topics(timeout=10).topics
    assert (len(standing[name].partitions), len(standing[f"{prefix}fhir.group.state.v1"].partitions)) == (5, 2)
    assert topics("apply", "--type", "Group", KAFKA_REPLICATION="1") == (3, f"{left}\n")
    code, said = topics("diff", "--type", "Group", KAFKA_REPLICATION="3")
    assert code == 3
    assert f"{name}: replicas is 1, to be 3; kafka-reassign-partitions.sh" in said
    assert f"{name}: min.insync.replicas is 1, to be 2" in said


def test_without_types_the_registry_is_what_consumers_read(topics: Command, prefix: str) -> None:
    code, said = topics("diff")
    names = {line.partition(":")[0].removeprefix(prefix) for line in said.splitlines()}
    assert code == 3
    assert {"fhir.patient.v1", "fhir.patient.state.v1", "fhir.documentreference.v1"} <= names
    assert "fhir.group.v1" not in names


def test_a_wrong_type_or_no_broker_is_told(topics: Command) -> None:
    assert "did you mean Patient?" in topics("diff", "--type", "Patiant")[1]
    assert "ECLUSE_KAFKA_BOOTSTRAP" in topics("diff", KAFKA_BOOTSTRAP="")[1]


def test_a_topic_that_the_brokers_refuse_is_told_with_their_reason(topics: Command) -> None:
    code, said = topics("apply", "--type", "Slot", KAFKA_REPLICATION="3")
    assert code == 1
    assert "did not make the topic" in said and "eplication factor" in said, said
