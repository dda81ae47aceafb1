"""Publishers' files as tables: CSV and text in any of their encodings, XLS and XLSX, alone, in a folder or a zip.

Enters: a path. Leaves: tables, each of which gives its rows anew as often as they are read, one at a time.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal

import python_calamine

from ecluse.core.errors import BadRequest
from mappers.terminology.publishers.table import Row, Table

TEXTS = frozenset({".csv", ".txt", ".tsv"})
SHEETS = frozenset({".xls", ".xlsx", ".ods"})
DELIMITERS = "|;\t,"
QUOTING: dict[str, Literal[3]] = {"|": csv.QUOTE_NONE}
"""The files that are parted by | have quotation marks as texts have them."""
SNIFFED_LINES = 20
BLOCK_BYTES = 1 << 20
LONGEST_CELL = 1 << 20

Opener = Callable[[], IO[bytes]]


def tables(path: Path) -> dict[str, Table]:
    """Every table of a file, a folder or a zip, by its name within.

    Raises: BadRequest when there is none"""
    csv.field_size_limit(LONGEST_CELL)
    found = {name: _table(name, opener) for name, opener in _openers(path)}
    if not found:
        raise BadRequest(f"{path} holds no table; give a .csv, .txt, .xls or .xlsx, or a zip or folder of them.")
    return found


def _openers(path: Path) -> Iterator[tuple[str, Opener]]:
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.suffix.lower() in TEXTS | SHEETS:
                yield str(inner.relative_to(path)), lambda inner=inner: inner.open("rb")  # type: ignore[misc]
    elif path.suffix.lower() == ".zip":
        with _zip(path) as archive:
            names = [name for name in archive.namelist() if Path(name).suffix.lower() in TEXTS | SHEETS]
        for name in sorted(names):
            yield name, lambda name=name: _member(path, name)  # type: ignore[misc]
    else:
        yield path.name, lambda: path.open("rb")


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BadRequest(f"{path} is no whole zip; fetch it once more.", diagnostics=str(error)) from error


def _member(path: Path, name: str) -> IO[bytes]:
    """A file of a zip; the archive is closed with it."""
    return _zip(path).open(name)


def _table(name: str, opener: Opener) -> Table:
    if Path(name).suffix.lower() in SHEETS:
        return Table(name, lambda: _sheet(name, opener))
    return Table(name, lambda: _lines(name, opener))


def _sheet(name: str, opener: Opener) -> Iterator[Row]:
    """The rows of the first sheet."""
    with opener() as opened:
        data = opened.read()
    try:
        rows = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    except python_calamine.CalamineError as error:
        raise BadRequest(f"{name} cannot be read as a spreadsheet: {error}. Export it as CSV.") from error
    for line, cells in enumerate(rows, 1):
        yield line, [_shown(cell) for cell in cells]


def _shown(cell: object) -> str:
    """A cell as the sheet shows it: a whole number has no decimals."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _lines(name: str, opener: Opener) -> Iterator[Row]:
    encoding = _encoding(opener)
    with opener() as opened, io.TextIOWrapper(opened, encoding, newline="") as text:
        head = [line for line, _ in zip(text, range(SNIFFED_LINES), strict=False)]
    delimiter = max(DELIMITERS, key=lambda sign: sum(line.count(sign) for line in head))
    with opener() as opened, io.TextIOWrapper(opened, encoding, newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, quoting=QUOTING.get(delimiter, csv.QUOTE_MINIMAL))
        try:
            for cells in reader:
                yield reader.line_num, cells
        except csv.Error as error:
            raise BadRequest(f"{name}, line {reader.line_num}: {error}; mend the quotation marks.") from error


def _encoding(opener: Opener) -> str:
    """UTF-8 when all of the file is, else the one of Windows that holds Latin 1 too."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opener() as opened:
        try:
            while block := opened.read(BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"
