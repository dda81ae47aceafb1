"""What two indexes do not have in common.

Enters: two folders. Leaves: how many entries are in the second alone, other there, or in the first alone. A folder may
go once it is opened: what was committed then is still read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tantivy

from ecluse.index import folder
from ecluse.index.protocol import Missing
from ecluse.index.tantivy import FAILURES


class Keyed(msgspec.Struct):
    """Of an entry, by what it is told from others."""

    key: str


class Count(NamedTuple):
    """How many entries."""

    added: int
    changed: int
    removed: int


_keyed = msgspec.msgpack.Decoder(Keyed).decode


def opened(home: Path) -> Any:
    """What the index here holds now, None when it cannot be opened."""
    try:
        index = folder.open_to_search(home)
        index.reload()
        return index.searcher()
    except (Missing, *FAILURES):
        return None


def differing(before: Any, after: Any) -> Count:
    """What differs. before, after: what `opened` returned; of a broken one counts what can be read"""
    old: dict[str, int] = {}
    doubled = 0
    with contextlib.suppress(*FAILURES):
        for key, told in _entries(before):
            doubled += key in old
            old[key] = told
    added = changed = 0
    for key, told in _entries(after):
        known = old.pop(key, None)
        added += known is None
        changed += known not in (None, told)
    return Count(added, changed, len(old) + doubled)


def _entries(searcher: Any) -> Iterator[tuple[str, int]]:
    """(key, hash of all) of each entry."""
    if searcher is None or not searcher.num_docs:
        return
    for _, at in searcher.search(tantivy.Query.all_query(), searcher.num_docs).hits:
        entry = bytes(searcher.doc(at).get_first("entry"))
        yield _keyed(entry).key, hash(entry)
