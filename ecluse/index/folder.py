"""The folder of an index: made, locked, recognised, exchanged, replaced when it is broken.

Enters: DATA/index. Leaves: a tantivy index in a folder whose name says its format, and which generation it is. The
index can always be built again from the store, so what cannot be opened is made anew. Only its owner reads the folder:
it holds the text of the reports.

    reports-1               the index, until one was put in its place
    reports-1-GENERATION    the index that was, as the file `present` says
    shadow/reports-1        one that is being built beside it, a home of its own
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import tantivy

from ecluse.core import clock
from ecluse.core.errors import Unavailable
from ecluse.core.log import Log
from ecluse.index.protocol import Missing, Written

FORMAT = "reports-1"
"""Changes with the fields below or with words.py: the index is then built again."""

PRESENT = "present"
BESIDE = "shadow"

log = Log("index")


def schema() -> Any:
    """The fields of a report. What is searched is folded before, so the index splits at spaces and does no more."""
    builder = tantivy.SchemaBuilder()
    for name in ("key", "site", "patient", "type", "kind"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("title", "words"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    for name in ("date_low", "date_high"):
        builder.add_integer_field(name, indexed=True, fast=True)
    builder.add_bytes_field("entry", stored=True)
    return builder.build()


class Lock:
    """The right to write, held until `release` or the end of the process, however it ends."""

    def __init__(self, home: Path) -> None:
        """Raises: Written (503) when another process has it"""
        self._file = os.open(home / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._file, 20).decode() or "unknown"
            os.close(self._file)
            raise Written(
                f"The text index is written by process {owner} already; one at a time does. Stop it, or let it work."
            ) from error
        os.truncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Gives the right back."""
        os.close(self._file)


def make_home(home: Path) -> None:
    """Makes the folder above the index.

    Raises: Unavailable (503) when it cannot be made
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The folder of the text index cannot be made: {error.strerror}.") from error


def beside(home: Path) -> Path:
    """The home of an index that is being built to take the place of the one here."""
    return home / BESIDE


def present(home: Path) -> Path:
    """The folder of the index here, whether it is there or not."""
    with contextlib.suppress(OSError):
        name = (home / PRESENT).read_text()
        if name.startswith(f"{FORMAT}-"):
            return home / name
    return home / FORMAT


def generation(home: Path) -> str:
    """Which generation the index here is, "" when there is none."""
    return _generation(present(home))


def open_or_make(home: Path) -> tuple[Any, str]:
    """The index to write and its generation, made anew where there is none that opens; the caller holds the lock."""
    folder = present(home)
    try:
        generation = (folder / "generation").read_text()
        index = tantivy.Index.open(str(folder))
        index.searcher()
        tidy(home)
        return index, generation
    except FileNotFoundError:
        pass
    except Exception as error:
        log.warning("text index cannot be opened, is made anew", error=type(error).__name__)
    return make(home)


def make(home: Path) -> tuple[Any, str]:
    """A new, empty index and its generation, in the place of what was there; the caller holds the lock."""
    (home / PRESENT).unlink(missing_ok=True)
    for old in home.glob("reports-*"):
        shutil.rmtree(old, ignore_errors=True)
    folder = home / FORMAT
    folder.mkdir(mode=0o700)
    generation = clock.new_id()
    (folder / "generation").write_text(generation)
    return tantivy.Index(schema(), path=str(folder)), generation


def put_in_place(home: Path, generation: str) -> bool:
    """Whether the index of this generation is the one here, once it was put here from beside. Whoever searches sees the
    old one, then the new one; several processes may do it at once. Nobody may write to the one that lies beside.

    Raises: Unavailable (503) when the folder cannot be written
    """
    if _generation(present(home)) == generation:
        return True
    folder = home / f"{FORMAT}-{generation}"
    try:
        if _generation(beside(home) / FORMAT) == generation:
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
                (beside(home) / FORMAT).rename(folder)
        if _generation(folder) != generation:
            return False
        _point(home, folder.name)
    except OSError as error:
        raise Unavailable(f"The text index cannot be put in its place: {error.strerror}.") from error
    return True


def _point(home: Path, name: str) -> None:
    """Durably: the old folder goes next."""
    drawn = home / f"{PRESENT}-{os.getpid()}"
    drawn.write_text(name)
    _sync(drawn)
    drawn.replace(home / PRESENT)
    _sync(home)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def tidy(home: Path) -> None:
    """Removes indexes that are no longer the one here; the caller holds the lock."""
    for old in set(home.glob("reports-*")) - {present(home)}:
        shutil.rmtree(old, ignore_errors=True)


def tidy_if_free(home: Path) -> None:
    """The same, when nobody writes here; who does tidies up when it finds another index in its place."""
    with contextlib.suppress(Written):
        lock = Lock(home)
        tidy(home)
        lock.release()


def drop_beside(home: Path) -> None:
    """Leaves nothing of an index that was being built."""
    shutil.rmtree(beside(home), ignore_errors=True)


def _generation(folder: Path) -> str:
    try:
        return (folder / "generation").read_text()
    except OSError:
        return ""


def open_to_search(home: Path) -> Any:
    """The index to search.

    Raises: Missing (503) when there is none
    """
    try:
        index = tantivy.Index.open(str(present(home)))
    except Exception as error:
        raise Missing("There is no text index yet: start `ecluse up`, or `ecluse consume search`.") from error
    index.config_reader("manual")
    return index


def state(home: Path) -> bytes:
    """What changes with each commit, and with another index: the file that names the segments. Its time is too coarse
    to tell two apart.

    Raises: Missing (503) when there is no index
    """
    folder = present(home)
    try:
        return folder.name.encode() + (folder / "meta.json").read_bytes()
    except OSError as error:
        raise Missing("There is no text index yet: start `ecluse up`, or `ecluse consume search`.") from error
