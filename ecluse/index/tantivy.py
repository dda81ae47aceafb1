"""The text index on tantivy.

Enters: entries, and questions as data. Leaves: durable commits, hits with snippets. tantivy's own query language is not
used: a search becomes a query of its terms, so no text can be a syntax error there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock as Mutex
from typing import Any

import msgspec
import tantivy

from ecluse.core.errors import BadRequest, Unavailable, Unprocessable
from ecluse.core.fhir import dates
from ecluse.index import folder
from ecluse.index.protocol import BadQuery, Choices, Entry, Filters, Hit, Hits, Missing
from ecluse.index.question import Question, Term
from ecluse.index.question import question as parsed
from ecluse.index.snippet import excerpt, places
from ecluse.index.words import fold

HEAP_BYTES = 50_000_000
MOST_HITS = 10_000
REWRITTEN = 50_000
"""Up to so many entries, which take some seconds, are written again when something is erased."""
MOST_TYPES = 100
TITLE_BOOST = 3.0
MUST, SHOULD, MUST_NOT = tantivy.Occur.Must, tantivy.Occur.Should, tantivy.Occur.MustNot

FAILURES = (ValueError, OSError, RuntimeError)
"""What tantivy raises, whatever failed."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Writer:
    """The one that changes the index; as protocol.IndexWriter says."""

    def __init__(self, home: Path) -> None:
        """home: DATA/index

        Raises: Written (503) when another process writes, Unavailable (503) when the folder cannot be used
        """
        self._home = home
        folder.make_home(home)
        self._lock = folder.Lock(home)
        try:
            with _writing():
                self._take(*folder.open_or_make(home))
        except BaseException:
            self._lock.release()
            raise

    def _take(self, index: Any, generation: str) -> None:
        self._index = index
        self.generation = generation
        self._writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
        self.opstamp: int = self._writer.commit()

    @property
    def empty(self) -> bool:
        """True while it holds nothing."""
        self._index.reload()
        return bool(self._index.searcher().num_docs == 0)

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds entries, whose keys must not be in the index."""
        with _writing():
            for entry in entries:
                self._writer.add_document(_document(entry))

    def delete(self, keys: Iterable[str]) -> None:
        """Removes entries; unknown keys do no harm."""
        with _writing():
            for key in keys:
                self._writer.delete_documents_by_term("key", key)

    def clear(self) -> None:
        """Begins another generation, which is empty. (tantivy's own way to remove all loses what is added next.)"""
        self._end()
        with _writing():
            self._take(*folder.make(self._home))

    def change_to(self, generation: str) -> None:
        """Goes over to the index of another generation that was built beside this one, if there is one."""
        if generation != self.generation and folder.put_in_place(self._home, generation):
            self._end()
            with _writing():
                self._take(*folder.open_or_make(self._home))

    def commit(self) -> int:
        """Makes what was done durable and visible; returns the opstamp."""
        with _writing():
            self.opstamp = self._writer.commit()
        return self.opstamp

    def rewrite(self) -> int:
        """Writes every entry again, so that no file holds what was removed before; an index of many entries is left to
        its merges. Returns the opstamp."""
        with _writing():
            self._index.reload()
            searcher = self._index.searcher()
            if 0 < searcher.num_docs <= REWRITTEN:
                for _, at in searcher.search(tantivy.Query.all_query(), searcher.num_docs).hits:
                    entry = _stored(searcher, at)
                    self._writer.delete_documents_by_term("key", entry.key)
                    self._writer.add_document(_document(entry))
                self.commit()
            self._writer.garbage_collect_files()
        return self.opstamp

    def rollback(self) -> None:
        """Undoes what was done since the last commit; where that fails, only `close` is left to be called."""
        writer, self._writer = self._writer, None
        with _writing():
            writer.rollback()
        self._writer = writer

    def close(self) -> None:
        """Lets another process write; what was not committed is gone."""
        try:
            self._end()
        finally:
            self._lock.release()

    def _end(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(*FAILURES):
                self._writer.wait_merging_threads()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turns what tantivy raises into our error: a full disk or a lost folder is no fault of a report."""
    try:
        yield
    except FAILURES as error:
        raise Unavailable("The text index cannot be written.", diagnostics=type(error).__name__) from error


def _document(entry: Entry) -> Any:
    document = tantivy.Document()
    document.add_text("key", entry.key)
    document.add_text("site", entry.site)
    document.add_text("patient", entry.patient)
    for name in (*entry.codes, entry.resource_type):
        document.add_text("type", name)
    if entry.code:
        document.add_text("kind", f"{entry.code}\t{entry.display}")
    document.add_text("title", fold(entry.title))
    for text in dict.fromkeys((entry.title, entry.display, entry.text)):
        document.add_text("words", fold(text))
    with contextlib.suppress(Unprocessable):
        low, high = dates.bounds(entry.date)
        document.add_integer("date_low", _seconds(low))
        document.add_integer("date_high", _seconds(high))
    document.add_bytes("entry", _encode(entry))
    return document


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


class Reader:
    """Searches what was committed last; as protocol.IndexReader says. Several threads may use one."""

    def __init__(self, home: Path) -> None:
        """home: DATA/index, which need not be there yet."""
        self._home = home
        self._mutex = Mutex()
        self._state = b""
        self._index: Any = None
        self._schema = folder.schema()

    def search(self, question: str, filters: Filters, *, limit: int, offset: int = 0) -> Hits:
        """The best reports for a question; without a question, the latest.

        Raises: BadQuery (400) when it cannot be read, Missing (503) when there is no index
        """
        asked = parsed(question)
        if offset + limit > MOST_HITS:
            raise BadQuery("far", f"Only the first {MOST_HITS} hits can be turned to: add words or filters.")
        if asked == Question() and filters == Filters():
            raise BadQuery("nothing", "Nothing is asked: give q, or a filter.")
        ordered = {} if asked.groups else {"order_by_field": "date_low"}
        searcher = self._searcher()
        try:
            found = searcher.search(self._query(asked, filters), limit, offset=offset, **ordered)
        except ValueError as error:
            raise BadQuery("wide", "The search matches too many words: put more letters before the star.") from error
        return Hits(found.count, [self._hit(searcher, at, score, asked) for score, at in found.hits])

    def entry(self, key: str) -> Entry | None:
        """One report with its whole text.

        Raises: Missing (503) when there is no index
        """
        searcher = self._searcher()
        found = searcher.search(self._term("key", key), 1).hits
        return _stored(searcher, found[0][1]) if found else None

    def choices(self) -> Choices:
        """What the filters may hold, the most frequent first.

        Raises: Missing (503) when there is no index
        """
        searcher = self._searcher()
        sites = sorted(searcher.terms_with_prefix("site", ""), key=lambda found: -found[1])
        kinds = sorted(searcher.terms_with_prefix("kind", ""), key=lambda found: -found[1])
        types: dict[str, str] = {}
        for kind, _ in kinds:
            code, _, display = kind.partition("\t")
            types.setdefault(code, display or code)
        return Choices([site for site, _ in sites], list(types.items())[:MOST_TYPES])

    def highlighted(self, question: str, within: str) -> Sequence[tuple[int, int]]:
        """Where in a text stands what a question searches."""
        return list(places(parsed(question).terms, within))

    def _searcher(self) -> Any:
        """What is committed now: the file that each commit replaces is looked at before each search."""
        with self._mutex:
            try:
                self._look()
            except (Missing, *FAILURES):
                self._look()  # another index may have come in its place meanwhile
            return self._index.searcher()

    def _look(self) -> None:
        present = folder.state(self._home)
        if present != self._state:
            self._index = folder.open_to_search(self._home)
            self._index.reload()
            self._state = present

    def _hit(self, searcher: Any, at: Any, score: Any, asked: Question) -> Hit:
        entry = _stored(searcher, at)
        return Hit(
            key=entry.key,
            site=entry.site,
            patient=entry.patient,
            type=entry.code,
            display=entry.display,
            date=entry.date,
            title=entry.title,
            status=entry.status,
            snippet_html=excerpt(asked.terms, entry.text),
            score=round(score, 3) if asked.groups else 0.0,
        )

    def _query(self, asked: Question, filters: Filters) -> Any:
        parts: list[tuple[Any, Any]] = []
        for group in asked.groups:
            parts.append((MUST, self._any("words", group)))
            parts.append((SHOULD, tantivy.Query.boost_query(self._any("title", group), TITLE_BOOST)))
        parts += [(MUST_NOT, self._phrase("words", term)) for term in asked.excluded]
        parts += [(MUST, tantivy.Query.const_score_query(query, 0.0)) for query in self._filters(filters)]
        if not any(occur is MUST for occur, _ in parts):
            parts.append((MUST, tantivy.Query.all_query()))
        return tantivy.Query.boolean_query(parts)

    def _any(self, field: str, terms: Sequence[Term]) -> Any:
        queries = [(SHOULD, self._phrase(field, term)) for term in terms]
        return queries[0][1] if len(queries) == 1 else tantivy.Query.boolean_query(queries)

    def _phrase(self, field: str, term: Term) -> Any:
        """Words are letters and digits only, so none of them means anything in a pattern."""
        *before, last = term.words
        if not before:
            return self._prefix(field, last) if term.prefix else self._term(field, last)
        if term.prefix:
            return tantivy.Query.regex_phrase_query(self._schema, field, [*before, f"{last}.*"])
        return tantivy.Query.phrase_query(self._schema, field, list(term.words))

    def _prefix(self, field: str, word: str) -> Any:
        return tantivy.Query.regex_query(self._schema, field, f"{word}.*")

    def _term(self, field: str, value: str) -> Any:
        return tantivy.Query.term_query(self._schema, field, value, "basic" if field == "key" else "freq")

    def _filters(self, filters: Filters) -> Iterator[Any]:
        for field in ("site", "patient", "type"):
            value: str = getattr(filters, field)
            if value:
                yield self._term(field, value.removeprefix("Patient/") if field == "patient" else value)
        if filters.since:
            yield self._range("date_high", lower_bound=_seconds(_day(filters.since, "from")[0]), include_lower=False)
        if filters.until:
            yield self._range("date_low", upper_bound=_seconds(_day(filters.until, "to")[1]), include_upper=False)

    def _range(self, field: str, **bounds: Any) -> Any:
        return tantivy.Query.range_query(self._schema, field, tantivy.FieldType.Integer, **bounds)


def _day(text: str, parameter: str) -> tuple[datetime, datetime]:
    try:
        return dates.bounds(text)
    except Unprocessable as error:
        raise BadRequest("A date is YYYY, YYYY-MM or YYYY-MM-DD.", expression=parameter) from error


def _stored(searcher: Any, at: Any) -> Entry:
    return _decode(bytes(searcher.doc(at).get_first("entry")))
