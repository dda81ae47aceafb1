"""What the recipient of a feed does with it.

Enters: lines of a feed, as exported or as plain records, and the recipient's private key. Leaves: their content, or the
line at which a record is not what was sealed for this place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from consumers.hub.feed import Row
from consumers.hub.seal import Place, Recipient, SealBroken, unseal


class Line(msgspec.Struct):
    """A line of an exported feed."""

    project: str
    seq: int
    key: str
    epoch: int
    version: int
    record: str

    @property
    def place(self) -> Place:
        """Where the line says that its record stands."""
        return Place(self.project, self.key, self.epoch, self.version)


class Read(NamedTuple):
    """The content of a record, and the feed key it stands under. seq: None where only the record was given"""

    key: str
    seq: int | None
    content: dict[str, Any]


def line(project: str, row: Row) -> bytes:
    """A record of the feed as a line of its export."""
    return msgspec.json.encode({"project": project, **row._asdict()})


def read(lines: Iterable[bytes], holder: Recipient) -> Iterator[Read]:
    """The content of each line, in order; empty lines are passed over.

    Raises: SealBroken, with the number of the line
    """
    for number, text in enumerate(lines, 1):
        if text.strip():
            try:
                yield _read(text.strip(), holder)
            except SealBroken as error:
                raise SealBroken(f"line {number}: {error}") from error


def last_state(records: Iterable[Read]) -> Iterator[dict[str, Any]]:
    """The content of what is there after all records, by key; what was deleted or withdrawn is not."""
    last: dict[str, Read] = {}
    for record in records:
        held = last.get(record.key)
        if held is None or (held.seq or 0) <= (record.seq or 0):
            last[record.key] = record
    for key in sorted(last):
        if last[key].content.get("op") == "recorded":
            yield last[key].content


def _read(text: bytes, holder: Recipient) -> Read:
    if not text.startswith(b"{"):
        opened = unseal(text.decode("ascii", "replace"), holder)
        return Read(opened.place.key, None, opened.content)
    try:
        told = msgspec.json.decode(text, type=Line)
    except msgspec.MsgspecError as error:
        raise SealBroken(f"not a line of a feed, or cut: {error}") from error
    opened = unseal(told.record, holder)
    if opened.place != told.place:
        raise SealBroken(f"the record was sealed for another place: {_place(opened.place)}, not {_place(told.place)}")
    return Read(told.key, told.seq, opened.content)


def _place(place: Place) -> str:
    return f"{place.project}/{place.key} {place.epoch}.{place.version}"
