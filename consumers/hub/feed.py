"""A project's feed: sealed records in the order in which they came to be.

Enters: records under their keys. Leaves: rows of schema hub. A record that says what was last said under its key is not
written again. When a resource is gone, what was told of it leaves the feed and a sealed notice takes its place: whoever
reads from the beginning learns that there was something under this key, and no more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple

from consumers.hub.project import Project, ProjectError
from ecluse.core.db import queries

SQL = queries.load(__package__, "feed.sql")
AT_ONCE = 500

Op = Literal["recorded", "deleted", "withdrawn"]


class Told(NamedTuple):
    """What the recipient was last told under a key. person: None once it was erased"""

    op: str
    digest: str
    person: int | None


class Subject(NamedTuple):
    """Whose record it is."""

    person: int
    site: str
    patient: str


class Entry(NamedTuple):
    """A new record. subject: None for a notice"""

    key: str
    epoch: int
    version: int
    op: Op
    digest: str
    record: str
    subject: Subject | None = None


class Row(NamedTuple):
    """A record of a feed as it is exported and published."""

    seq: int
    key: str
    epoch: int
    version: int
    record: str


async def begin(conn: Any, project: Project, key_check: str) -> None:
    """The project's feed exists, and goes on under the key and the shifts with which it began.

    Raises: ProjectError when the master key or the range of shifts is another one
    """
    await conn.execute(SQL["begin"], project.name, key_check, *project.shift)
    begun = await conn.fetchrow(SQL["begun"], project.name)
    if begun["key_check"] != key_check:
        raise ProjectError(
            f"The feed of {project.name} was begun under another master key: with this one no new record could be "
            "linked to an earlier one. Put the former key back, or give the project another name."
        )
    if (begun["shift_low"], begun["shift_high"]) != project.shift:
        raise ProjectError(
            f"The feed of {project.name} was begun with date_shift [{begun['shift_low']}, {begun['shift_high']}]: with "
            "another one the intervals of its patients would break. Put it back, or give the project another name."
        )


async def told(conn: Any, project: str, keys: Sequence[str]) -> dict[str, Told]:
    """What was last told under each key; keys without a record are left out."""
    rows = await conn.fetch(SQL["states"], project, list(keys))
    return {row["key"]: Told(row["op"], row["digest"], row["person"]) for row in rows}


async def append(conn: Any, project: str, entries: Sequence[Entry]) -> None:
    """Writes new records, at most one a key."""
    if not entries:
        return
    last = await conn.fetchval(SQL["take_seq"], project, len(entries))
    seqs = list(range(last - len(entries) + 1, last + 1))
    keys = [entry.key for entry in entries]
    gone = [entry.key for entry in entries if entry.op != "recorded"]
    epochs, versions = [entry.epoch for entry in entries], [entry.version for entry in entries]
    if gone:
        await conn.execute(SQL["purge"], project, gone)
    await conn.execute(SQL["append"], project, seqs, keys, epochs, versions, [entry.record for entry in entries])
    ops, digests = [entry.op for entry in entries], [entry.digest for entry in entries]
    await conn.execute(SQL["remember"], project, keys, epochs, versions, ops, digests)
    await _subjects(conn, project, entries)


async def _subjects(conn: Any, project: str, entries: Sequence[Entry]) -> None:
    named = [(entry.key, *entry.subject) for entry in entries if entry.subject]
    if named:
        await conn.execute(SQL["subjects"], project, *(list(column) for column in zip(*named, strict=True)))


async def forget(conn: Any, project: str, keys: Sequence[str]) -> None:
    """Forgets whose records these were."""
    if keys:
        await conn.execute(SQL["forget"], project, list(keys))


async def records(pool: Any, project: str, after: int) -> AsyncIterator[Row]:
    """The records after a sequence number, in order."""
    while rows := await pool.fetch(SQL["records"], project, after, AT_ONCE):
        for row in rows:
            yield Row(*row)
        after = rows[-1]["seq"]
