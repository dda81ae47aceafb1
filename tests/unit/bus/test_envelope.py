"""Encoding and decoding are each other's inverse; what cannot be read is told, never dropped."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.bus import envelope
from ecluse.bus.event import OPS, Event
from ecluse.bus.topics import Topics
from ecluse.core.errors import Unmappable

TOPICS = Topics("", 8)
URL = "https://ecluse.example"
IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,20}", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that the store can make."""
    op = draw(st.sampled_from(OPS[1:]))
    m = draw(st.integers(1, 2000))
    return Event(
        site=draw(IDS),
        type=draw(st.sampled_from(["Patient", "Observation", "DocumentReference"])),
        id=draw(IDS),
        version=draw(st.integers(1, 2**31 - 1)),
        epoch=draw(st.integers(1, 100)),
        seq=draw(st.integers(0, 2**62)),
        op=op,
        time=datetime.fromtimestamp(draw(st.integers(0, 4 * 10**12)) / 1000, UTC),
        patient=draw(st.none() | IDS),
        body=None if op in ("deleted", "erased") else draw(st.binary(min_size=1, max_size=200)),
        bundle=str(draw(st.integers(1, 10**12))) if m > 1 else "",
        n=draw(st.integers(1, m)),
        m=m,
        lane=draw(st.sampled_from(["live", "bulk"])),
        sender=draw(WORDS),
        request_id=draw(WORDS),
        traceparent=draw(WORDS),
        reason=draw(WORDS),
    )


def decoded(outgoing: envelope.Outgoing) -> envelope.Record:
    return envelope.decode(outgoing.topic, outgoing.partition, 7, outgoing.key, outgoing.value, outgoing.headers)


@given(events())
def test_a_record_holds_all_of_its_event(event: Event) -> None:
    outgoing = envelope.encode(event, TOPICS, URL)
    record = decoded(outgoing)
    assert record.event == event
    assert (record.reference, record.problem) == (None, "")
    assert outgoing.value is None if event.gone else outgoing.value == event.body


@given(events())
def test_a_state_record_differs_by_topic_and_partition_only(event: Event) -> None:
    outgoing = envelope.encode(event, TOPICS, URL)
    state = envelope.state(outgoing, event, TOPICS)
    assert state[2:] == outgoing[2:]
    assert state.topic == f"fhir.{event.type.lower()}.state.v1"


def large() -> Event:
    body = b"x" * (envelope.LARGEST_BODY + 1)
    return Event(
        site="north",
        type="Binary",
        id="b",
        version=3,
        epoch=1,
        seq=9,
        op="updated",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        body=body,
    )


async def test_a_large_body_travels_as_a_reference_that_is_followed_and_checked() -> None:
    event = large()
    outgoing = envelope.encode(event, TOPICS, URL)
    assert outgoing.value is not None and len(outgoing.value) < 500
    record = decoded(outgoing)
    assert record.event == msgspec.structs.replace(event, body=None)
    assert record.reference is not None
    assert record.reference.url == f"{URL}/sites/north/fhir/Binary/b/_history/3"
    assert record.reference.sha256 == hashlib.sha256(event.body or b"").hexdigest()

    async def fetch(url: str) -> bytes:
        return event.body or b""

    async def forged(url: str) -> bytes:
        return b"y"

    assert await envelope.follow(record.reference, fetch) == event.body
    with pytest.raises(Unmappable, match="another hash"):
        await envelope.follow(record.reference, forged)


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ([("ecluse-body", b"zip")], "body encoding zip is not known"),
        ([("ecluse-key-id", b"k1")], "the value is encrypted"),
        ([("content-type", b"application/jose")], "the value is encrypted"),
        ([("ce_type", b"fhir.resource.painted")], "event type and value do not agree"),
        ([("ce_type", b"fhir.resource.deleted")], "event type and value do not agree"),
        ([("ecluse-epoch", b"one")], "not a record of this bus: key or headers are broken"),
    ],
)
def test_a_record_that_cannot_be_read_tells_why_and_which_version_it_is(
    headers: list[envelope.Header], problem: str
) -> None:
    outgoing = envelope.encode(msgspec.structs.replace(large(), body=b"{}"), TOPICS, URL)
    record = decoded(outgoing._replace(headers=[*outgoing.headers, *headers]))
    assert record.problem == problem
    assert record.event.key == "north/Binary/b"
    assert record.event.version == (0 if headers[0][0] == "ecluse-epoch" else 3)


@given(st.none() | st.binary(), st.none() | st.binary(), st.lists(st.tuples(st.text(), st.binary())))
def test_a_foreign_record_is_a_problem_and_no_error(
    key: bytes | None, value: bytes | None, headers: list[envelope.Header]
) -> None:
    record = envelope.decode("foreign", 2, 5, key, value, headers)
    assert record.problem
    assert record.event.version == 0 and record.event.id


def test_the_notice_to_the_former_patient_has_a_value_and_an_id_of_its_own() -> None:
    event = msgspec.structs.replace(large(), body=b"{}", patient="new")
    notice = envelope.encode(envelope.moved(event, "old"), TOPICS, URL)
    told = dict(notice.headers)
    assert notice.value == b"{}"
    assert (told["ce_type"], told["ecluse-patient"]) == (b"fhir.resource.moved", b"old")
    assert told["ce_id"] == b"north/Binary/b/_history/3#moved"
    assert decoded(notice).event.version == 3


def test_what_is_sent_again_has_an_id_of_its_own() -> None:
    first = msgspec.structs.replace(large(), body=b"{}", reason="", epoch=3, seq=7)
    again = msgspec.structs.replace(first, reason="merged", seq=4711)
    told = {
        dict(envelope.encode(one, TOPICS, URL).headers)["ce_id"]
        for one in (first, again, again, envelope.moved(first, "old"), envelope.moved(again, "old"))
    }
    version = b"north/Binary/b/_history/3"
    assert told == {version, version + b"#merged-3.4711", version + b"#moved", version + b"#moved.merged-3.4711"}
    assert decoded(envelope.encode(envelope.moved(again, "old"), TOPICS, URL)).event.version == 3
