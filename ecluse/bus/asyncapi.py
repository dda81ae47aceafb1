"""The AsyncAPI document of the topics, for those who build on them.

Enters: the topic registry. Leaves: what `/asyncapi` answers with the names of this installation, and
docs/asyncapi.yaml, written by `python -m ecluse.bus.asyncapi`; tests hold it against the code, a live broker and the
schema of AsyncAPI. Spec: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ecluse.bus import envelope
from ecluse.bus.event import LANES, OPS
from ecluse.bus.topics import Topic, Topics
from ecluse.core.fhir import types

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
Schema = dict[str, Any]
TYPE = "{type}"


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


HEADERS: dict[str, Schema] = {
    "ce_specversion": _text("CloudEvents version.", const="1.0"),
    "ce_id": _text(
        "<site>/<Type>/<id>/_history/<version>, with #moved behind it for a moved event, with #merged-3.4711, its "
        "reason and number, for what is sent again."
    ),
    "ce_type": _text("What took place.", enum=[envelope.TYPE_PREFIX + op for op in OPS[1:]]),
    "ce_source": _text("/sites/<site>"),
    "ce_subject": _text("<Type>/<id>"),
    "ce_time": _text("meta.lastUpdated of this version.", format="date-time"),
    "content-type": _text("Format of the value.", const=envelope.CONTENT_TYPE.decode()),
    "ce_bundle": _text("Transaction that wrote it, and its place in it: <transaction> <n>/<m>. Absent outside one."),
    "ce_dataref": _text("Where the body is when it is too large for a record."),
    "ecluse-body": _text("`ref` when the value is a reference {url, sha256, bytes}; absent otherwise.", const="ref"),
    "ecluse-patient": _text("Id of the Patient in whose compartment the resource is. Absent when in none."),
    "ecluse-epoch": _text("Life of the store. A version of a higher epoch is newer, whatever its number."),
    "ecluse-seq": _text("Number of the event in the order of the store."),
    "ecluse-lane": _text("Live traffic, or history that is loaded beside it.", enum=list(LANES)),
    "ecluse-sender": _text("Who sent the request."),
    "ecluse-request-id": _text("The request that wrote this version."),
    "ecluse-reason": _text("Why it was sent again. Absent the first time."),
    "ecluse-survivor": _text(
        "`<id> <number>`: the Patient into whom this patient was merged, the patient itself after an unmerge, and the "
        "number of the merge, which grows. Absent without any merge."
    ),
    "traceparent": _text("W3C trace context of the request."),
}
PROJECT = "{project}"
SEALED = "application/jose"
FEED_HEADERS: dict[str, Schema] = {
    "content-type": _text("Format of the value.", const=SEALED),
    "ecluse-key-id": _text("Thumbprint of the recipient's key with which it can be opened."),
    "ecluse-seq": _text("Number of the record in its feed; of two under one key the greater one is newer."),
}
PARAMETERS: dict[str, Schema] = {
    "resource": {"type": {"enum": [name.lower() for name in types.name_of if name]}},
    "sealed": {"project": {"description": "Name of a project, as its file has it."}},
}
REQUIRED = ("ce_id", "ce_source", "ce_specversion", "ce_subject", "ce_time", "ce_type", "content-type")


def document(topics: Topics) -> Schema:
    """The AsyncAPI document: one channel for the events and one for the last states of each resource type, and one for
    each recipient's feed."""
    events, state = topics.of_type(TYPE)
    channels = {
        "events": _channel(events, EVENTS, topics.partitions),
        "state": _channel(state, STATE, topics.partitions),
        "feed": _channel(topics.of_project(PROJECT), FEED, topics.partitions, "sealed"),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Écluse event bus", "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/fhir+json",
        "channels": channels,
        "operations": {name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}} for name in channels},
        "components": {"messages": {"resource": _message(), "sealed": _sealed()}},
    }


DESCRIPTION = (
    "A topic fhir.<type>.v1 holds every event of a resource type; fhir.<type>.state.v1 holds the last state of each "
    "resource and is compacted. The key is <site>/<Type>/<id>. The value is the FHIR JSON as stored, null when the "
    "resource no longer exists. The partition of an event is CRC-32 of <site>/Patient/<id> of its patient, or of its "
    "own key, modulo the number of partitions. Delivery is at least once: keep the greatest (epoch, version) of a key, "
    "deletes included, and drop what is older. Read committed."
)
EVENTS = (
    "Every event of a resource type, in the order of each resource and of each patient. Null with ce_type deleted or "
    "erased is the end of the resource; after erased, what was kept of it goes too. A resource that leaves a patient "
    "is told twice: updated in the partition of the new patient, and moved, with its content, in that of the former, "
    "for those who keep what is a patient's by partition. With ce_bundle 4711 2/5 the event is the second of the five "
    "of transaction 4711; the others may be on other topics. Entries that changed nothing have no event and no number; "
    "what was erased before it was sent is missing. traceparent is that of the request, to be passed on."
)
STATE = (
    "The last event of each resource, by key, for those who begin or begin anew: read it to its end, then follow the "
    "events. Null is a tombstone, which goes when delete.retention.ms has passed. There is no moved. The partition is "
    "CRC-32 of the key, whatever the patient, modulo the number of partitions."
)


FEED = (
    "The feed of a recipient's project, pseudonymised and encrypted for it: docs/hub.md says what a record holds and "
    "how it is opened. The last record of a key counts, and stays; a notice that a resource is gone is a record too, "
    "never null. The partition is CRC-32 of the key modulo the number of partitions. Delivery is at least once, in the "
    "order of ecluse-seq."
)


def _channel(topic: Topic, description: str, partitions: int, message: str = "resource") -> Schema:
    policy: Schema = {name: int(value) if value.isdigit() else [value] for name, value in topic.config}
    return {
        "address": topic.name,
        "description": description,
        "parameters": PARAMETERS[message],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {"partitions": partitions, "topicConfiguration": policy, "bindingVersion": "0.5.0"},
        },
    }


def _message() -> Schema:
    return {
        "contentType": envelope.CONTENT_TYPE.decode(),
        "headers": {"type": "object", "required": list(REQUIRED), "properties": HEADERS},
        "payload": {"type": ["object", "null"], "description": "A FHIR R4 resource, a reference to one, or null."},
        "bindings": {"kafka": {"key": _text("<site>/<Type>/<id>"), "bindingVersion": "0.5.0"}},
    }


def _sealed() -> Schema:
    return {
        "contentType": SEALED,
        "headers": {"type": "object", "required": list(FEED_HEADERS), "properties": FEED_HEADERS},
        "payload": {"type": "string", "description": "A compact JWE."},
        "bindings": {
            "kafka": {"key": _text("Keyed hash of the resource, the project's own."), "bindingVersion": "0.5.0"}
        },
    }


def text(topics: Topics) -> str:
    """The document as YAML."""
    return yaml.dump(document(topics), sort_keys=False, allow_unicode=True, width=120, Dumper=_Plain)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: each channel can be read by itself."""

    def ignore_aliases(self, data: Any) -> bool:
        """Every value is written where it stands."""
        return True


if __name__ == "__main__":
    FILE.write_text(text(Topics()), "utf-8")
