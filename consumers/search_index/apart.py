"""Contents that come apart from their documents: Binaries, before or after what refers to them, or never.

Enters: the changes of a batch. Leaves: every document and Binary whose standing may differ now, and where it stands.
What is needed until the other half comes is kept in PostgreSQL, so the answer does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from consumers.ledger import Key
from consumers.sink import Change
from ecluse.core.db import queries
from mappers.document.compose import Standing, binary_standing, compose
from mappers.document.record import Document, Part

SQL = queries.load(__package__, "sink.sql")

_encode = msgspec.json.Encoder().encode
_document = msgspec.json.Decoder(Document).decode
_part = msgspec.json.Decoder(Part).decode

Place = tuple[str, str]
"""(site, id) of a Binary."""


class Placed(NamedTuple):
    """A document and where it stands now."""

    key: Key
    patient: str | None
    document: Document
    standing: Standing


class Settled(NamedTuple):
    """What a batch leaves: its documents and those that its Binaries belong to, and the Binaries of all these."""

    documents: list[Placed]
    binaries: list[tuple[Key, Standing]]


async def settle(conn: Any, changes: Sequence[Change]) -> Settled:
    """Stores what the batch brings, and returns what stands where, in the caller's transaction."""
    reports = {_key(change): change for change in changes if change.event.type != "Binary"}
    binaries = [change for change in changes if change.event.type == "Binary"]
    touched = {(change.event.site, change.event.id) for change in binaries}
    touched |= await _store_documents(conn, reports)
    await _store_binaries(conn, binaries)
    found = {key: (change.event.owner, change.payload) for key, change in reports.items() if not change.remove}
    for row in await conn.fetch(SQL["referring"], *_columns(touched, 2)) if binaries else ():
        found.setdefault((row["site"], row["type"], row["id"]), (row["patient"], _document(row["content"])))
    touched |= {(key[0], binary) for key, (_, document) in found.items() for binary in document.binaries}
    rows = await conn.fetch(SQL["binaries"], *_columns(touched, 2)) if touched else []
    parts: dict[Place, Part] = {(row["site"], row["id"]): _part(row["content"]) for row in rows}
    documents = [
        Placed(key, patient, document, compose(document, _of_site(parts, key[0], document)))
        for key, (patient, document) in found.items()
    ]
    standings = [
        ((row["site"], "Binary", row["id"]), binary_standing(parts[row["site"], row["id"]], row["referred"]))
        for row in rows
    ]
    return Settled(documents, standings)


async def _store_documents(conn: Any, reports: dict[Key, Change]) -> set[Place]:
    """The Binaries that these documents refer to, or did before."""
    if not reports:
        return set()
    loosened = await conn.fetch(SQL["loosen"], *_columns(reports, 3))
    kept = [change for change in reports.values() if not change.remove and change.payload.binaries]
    if kept:
        rows = [(*_key(c), c.event.owner, c.person, _encode(c.payload)) for c in kept]
        await conn.execute(SQL["keep_documents"], *_columns(rows, 6))
        links = [(c.event.site, binary, c.event.type, c.event.id) for c in kept for binary in c.payload.binaries]
        await conn.execute(SQL["tie"], *_columns(links, 4))
    return {(row["site"], row["binary_id"]) for row in loosened}


async def _store_binaries(conn: Any, binaries: Sequence[Change]) -> None:
    gone = [(change.event.site, change.event.id) for change in binaries if change.remove]
    if gone:
        await conn.execute(SQL["forget_binaries"], *_columns(gone, 2))
    rows = [(c.event.site, c.event.id, c.event.owner, c.person, _encode(c.payload)) for c in binaries if not c.remove]
    if rows:
        await conn.execute(SQL["keep_binaries"], *_columns(rows, 5))


def _of_site(parts: dict[Place, Part], site: str, document: Document) -> dict[str, Part]:
    return {binary: parts[site, binary] for binary in document.binaries if (site, binary) in parts}


def _key(change: Change) -> Key:
    return change.event.site, change.event.type, change.event.id


def _columns(rows: Collection[tuple[Any, ...]] | Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
