"""The published document is that of the code."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ecluse.bus import asyncapi, envelope
from ecluse.bus.event import Event
from ecluse.bus.topics import Topics


def test_the_file_is_what_the_code_says() -> None:
    assert asyncapi.FILE.read_text("utf-8") == asyncapi.text(Topics()), "run python -m ecluse.bus.asyncapi"


def test_every_header_that_is_sent_is_described() -> None:
    event = Event(
        site="s",
        type="Binary",
        id="b",
        version=1,
        epoch=1,
        seq=1,
        op="created",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        patient="p",
        body=b"x" * (envelope.LARGEST_BODY + 1),
        bundle="1",
        sender="x",
        request_id="x",
        traceparent="x",
        reason="x",
        survivor="q",
        merge=1,
    )
    sent = {name for name, _ in envelope.encode(event, Topics(), "http://x").headers}
    assert sent == asyncapi.HEADERS.keys()
    nothing = {"bundle": "", "sender": "", "request_id": "", "reason": "", "survivor": None}
    bare = msgspec.structs.replace(event, patient=None, body=b"{}", **nothing)
    assert set(asyncapi.REQUIRED) <= {name for name, _ in envelope.encode(bare, Topics(), "").headers}
