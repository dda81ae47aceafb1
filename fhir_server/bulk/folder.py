"""The files of bulk jobs: closed to other users, whole before they are told of, gone with their job.

Enters: chunks of NDJSON. Leaves: files below `JOB/ATTEMPT/`, so that two processes that hold a job one after the other
never write into the same file. What a client names is matched against what is allowed before it becomes a path.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO

from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotFound, NotKept
from ecluse.core.settings import Settings
from fhir_server.bulk.progress import Progress

NAME = re.compile(r"[A-Za-z0-9]+\.[0-9]{1,6}\.ndjson")
JOB = re.compile(r"[0-9a-f-]{36}")
INPUT = "input"
HELD_BYTES = 1 << 20
LARGEST_BYTES = 1 << 30
YOUNG_S = 3600.0
DELIMITER, QUOTE = "\x02", "\x01"
"""COPY writes one column of JSON as lines when it is CSV with signs that no JSON holds: then nothing is quoted."""


def root(settings: Settings) -> Path:
    """The folder of all jobs."""
    return settings.bulk_folder if settings.bulk_folder != Path("") else settings.data / "bulk"


def of_job(settings: Settings, job: str) -> Path:
    """The folder of one job.

    Raises: NotFound (404) when this is no job's id
    """
    if not JOB.fullmatch(job):
        raise NotFound("There is no such job.", diagnostics=job[:80])
    return root(settings) / job


def existing(settings: Settings, job: str, attempt: int, name: str) -> Path:
    """The path of a file of a job.

    Raises: NotFound (404)
    """
    path = of_job(settings, job) / str(attempt) / name
    if not NAME.fullmatch(name) or not path.is_file():
        raise NotFound("This job has no such file; its manifest lists them.", diagnostics=name[:80])
    return path


@contextmanager
def kept() -> Iterator[None]:
    """Tells what hinders a file.

    Raises: NotKept (507)
    """
    try:
        yield
    except OSError as error:
        raise NotKept("A file of a bulk job cannot be written.", diagnostics=error.strerror or "") from error


def made(folder: Path) -> Path:
    """The same folder, there now and closed to others."""
    with kept():
        for each in reversed((folder, *folder.parents)):
            each.mkdir(mode=0o700, exist_ok=True)
    return folder


def create(path: Path) -> BinaryIO:
    """A new file that only its owner reads."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def close(file: BinaryIO) -> None:
    """Returns when the content of the file is on disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()


def remove(settings: Settings, job: str) -> None:
    """Takes the files of a job away."""
    rmtree(of_job(settings, job), ignore_errors=True)


def remove_inputs(settings: Settings, job: str) -> None:
    """Takes the files away that an import has read."""
    rmtree(of_job(settings, job) / INPUT, ignore_errors=True)


def old(settings: Settings) -> Iterator[str]:
    """The jobs that have had a folder for so long that they have a row too, unless they are gone."""
    try:
        found = list(os.scandir(root(settings)))
    except FileNotFoundError:
        return
    for entry in found:
        if JOB.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > YOUNG_S:
            yield entry.name


@dataclass(slots=True)
class Written:
    """One finished file."""

    name: str
    count: int


class Files:
    """Writes what comes into files of one kind, a new one after each LARGEST_BYTES; none when nothing comes.

    progress: is told of each line; change: what is done to whole lines before they are written
    """

    def __init__(
        self, folder: Path, kind: str, progress: Progress, change: Callable[[bytes], bytes] | None = None
    ) -> None:
        self.written: list[Written] = []
        self._folder, self._kind, self._progress, self._change = folder, kind, progress, change
        self._file: BinaryIO | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._size = 0
        self._writing: asyncio.Task[None] | None = None

    async def copy(self, conn: Connection, sql: str, *arguments: Any) -> None:
        """Takes the rows of a query, which have one column of JSON."""
        await conn.copy_from_query(sql, *arguments, output=self.write, format="csv", delimiter=DELIMITER, quote=QUOTE)

    async def write(self, chunk: bytes) -> None:
        """Takes lines; each chunk ends with a whole one, as COPY gives them."""
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes >= HELD_BYTES:
            await self._flush()

    async def close(self) -> list[Written]:
        """What was written; all of it is on disk."""
        await self._flush()
        if self._writing:
            await self._writing
        await asyncio.to_thread(self._end)
        return self.written

    async def _flush(self) -> None:
        """Has what is held written while more comes; at most one write is under way."""
        held, self._held, self._held_bytes = self._held, [], 0
        if self._writing:
            await self._writing
        self._writing = asyncio.create_task(self._written(held))

    async def _written(self, held: list[bytes]) -> None:
        self._progress.count += await asyncio.to_thread(self._write, held)

    def _write(self, held: list[bytes]) -> int:
        """How many lines were written."""
        lines = b"".join(held)
        if lines:
            with kept():
                self._write_lines(lines)
        return lines.count(b"\n")

    def _write_lines(self, lines: bytes) -> None:
        if self._file is None:
            self.written.append(Written(f"{self._kind}.{len(self.written) + 1}.ndjson", 0))
            self._file = create(self._folder / self.written[-1].name)
        self.written[-1].count += lines.count(b"\n")
        self._file.write(self._change(lines) if self._change else lines)
        self._size += len(lines)
        if self._size >= LARGEST_BYTES and lines.endswith(b"\n"):
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            with kept():
                close(self._file)
            self._file, self._size = None, 0
