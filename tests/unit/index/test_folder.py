"""Which of several folders is the index, and what becomes of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.index import folder
from ecluse.index.difference import Count, differing, opened
from ecluse.index.protocol import Entry, Filters
from ecluse.index.tantivy import Reader, Writer


def entry(name: str, text: str = "fièvre") -> Entry:
    return Entry(key=f"default/DiagnosticReport/{name}", site="default", text=text)


def index(home: Path, *entries: Entry) -> str:
    """The generation of an index with these entries."""
    writer = Writer(home)
    writer.add(entries)
    writer.commit()
    writer.close()
    return writer.generation


def found(reader: Reader) -> list[str]:
    return sorted(hit.key.rpartition("/")[2] for hit in reader.search("fièvre", Filters(), limit=10).hits)


def test_an_index_from_beside_is_found_as_soon_as_it_is_in_its_place(tmp_path: Path) -> None:
    old = index(tmp_path, entry("a"))
    new = index(folder.beside(tmp_path), entry("b"))
    reader = Reader(tmp_path)
    assert (found(reader), folder.generation(tmp_path)) == (["a"], old)
    assert folder.put_in_place(tmp_path, new)
    assert (found(reader), folder.generation(tmp_path)) == (["b"], new)
    assert folder.put_in_place(tmp_path, new)
    folder.tidy_if_free(tmp_path)
    assert [path.name for path in tmp_path.glob("reports-*")] == [f"{folder.FORMAT}-{new}"]
    assert found(reader) == ["b"]


def test_one_that_is_not_there_leaves_all_as_it_was(tmp_path: Path) -> None:
    index(folder.beside(tmp_path), entry("b"))
    old = index(tmp_path, entry("a"))
    assert not folder.put_in_place(tmp_path, "another")
    assert (folder.generation(tmp_path), folder.generation(tmp_path / "none")) == (old, "")


def test_an_exchange_that_ended_after_its_folder_was_moved_is_gone_on_with(tmp_path: Path) -> None:
    index(tmp_path, entry("a"))
    new = index(folder.beside(tmp_path), entry("b"))
    (folder.beside(tmp_path) / folder.FORMAT).rename(tmp_path / f"{folder.FORMAT}-{new}")
    assert folder.put_in_place(tmp_path, new)
    assert found(Reader(tmp_path)) == ["b"]


def test_a_writer_goes_over_and_removes_what_was(tmp_path: Path) -> None:
    old = index(tmp_path, entry("a"))
    new = index(folder.beside(tmp_path), entry("b"))
    writer = Writer(tmp_path)
    folder.tidy_if_free(tmp_path)  # somebody writes: nothing is touched
    writer.change_to("another")
    assert writer.generation == old
    writer.change_to(new)
    writer.add([entry("c")])
    writer.commit()
    assert writer.generation == new
    assert found(Reader(tmp_path)) == ["b", "c"]
    assert not (tmp_path / folder.FORMAT).exists()
    writer.clear()
    assert [path.name for path in tmp_path.glob("reports-*")] == [folder.FORMAT]
    assert found(Reader(tmp_path)) == []
    writer.close()


@pytest.mark.parametrize("told", ["reports-0-x", "../shadow/reports-1", ""])
def test_a_name_of_another_format_points_nowhere(tmp_path: Path, told: str) -> None:
    index(tmp_path, entry("a"))
    (tmp_path / folder.PRESENT).write_text(told)
    assert found(Reader(tmp_path)) == ["a"]


def test_what_differs_is_counted_though_the_folder_has_gone(tmp_path: Path) -> None:
    index(tmp_path / "old", entry("same"), entry("other"), entry("surplus"), entry("doubled"), entry("doubled"))
    index(tmp_path / "new", entry("same"), entry("other", "toux"), entry("missing"), entry("doubled"))
    before, after = opened(tmp_path / "old"), opened(tmp_path / "new")
    folder.make(tmp_path / "old")
    assert differing(before, after) == Count(1, 1, 2)
    assert differing(opened(tmp_path / "none"), after) == Count(4, 0, 0)
    assert differing(after, opened(tmp_path / "old")) == Count(0, 0, 4)
