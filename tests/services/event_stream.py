"""A reader of Server-Sent Events, as the standard describes it: no more than what the bytes say.

Spec: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

_LINE_END = re.compile(r"\r\n|\r|\n")


class Message(NamedTuple):
    """name: the event's, `message` unless told; data: None for a block without any; comment: of that block"""

    id: str
    name: str
    data: Any
    comment: str


class Reader:
    """One open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._blocks = self._all()

    def block(self) -> Message:
        """The next block, with data or without."""
        return next(self._blocks)

    def next(self) -> Message:
        """The next message."""
        return next(block for block in self._blocks if block.data is not None)

    def _all(self) -> Iterator[Message]:
        text = ""
        for piece in self.answer.iter_text():
            *blocks, text = (text + piece).split("\n\n")
            yield from map(_message, blocks)


@contextmanager
def reading(url: str, last: str = "", **query: Any) -> Iterator[Reader]:
    """A stream of `/events`. last: Last-Event-ID"""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with httpx.stream("GET", f"{url}/events", params=query, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, answer.read()
        yield Reader(answer)


def _message(block: str) -> Message:
    told: dict[str, list[str]] = {}
    for line in _LINE_END.split(block):
        name, _, value = line.partition(":")
        told.setdefault(name, []).append(value.removeprefix(" "))
    data = json.loads("\n".join(told["data"])) if "data" in told else None
    last, name, comment = (told.get(key, [""])[-1] for key in ("id", "event", ""))
    return Message(last, name or "message", data, comment)
