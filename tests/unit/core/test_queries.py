"""Fixed SQL is found by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ecluse.core.db.queries import load


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose files the test writes."""
    folder = tmp_path / "with_sql"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "with_sql", raising=False)
    return folder


def test_statements_come_by_name_without_comments_and_semicolon(package: Path) -> None:
    (package / "x.sql").write_text("-- name: one\n-- What for.\n-- $1 what\nSELECT $1;\n\n-- name: two\nSELECT\n  2\n")
    assert load("with_sql", "x.sql") == {"one": "SELECT $1", "two": "SELECT\n  2"}


@pytest.mark.parametrize("text", ["-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", "-- name: a\n-- Nothing.\n"])
def test_a_name_that_stands_twice_or_is_empty_is_refused(package: Path, text: str) -> None:
    (package / "x.sql").write_text(text)
    with pytest.raises(ValueError, match="a stands twice or is empty"):
        load("with_sql", "x.sql")
