"""Files of a job: cut at whole lines, counted, closed to others, out of nobody's reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecluse.core.errors import NotFound, NotKept
from ecluse.core.settings import Settings
from fhir_server.bulk import folder
from fhir_server.bulk.folder import Files
from fhir_server.bulk.progress import Progress

JOB = "01a21583-8de7-7aa0-a2b0-e835a50a1ed1"


async def test_files_hold_all_lines_in_order_and_are_cut_between_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "HELD_BYTES", 100)
    monkeypatch.setattr(folder, "LARGEST_BYTES", 1000)
    progress = Progress()
    files = Files(tmp_path, "Patient", progress)
    lines = [b'{"id":"%d"}\n' % number for number in range(1000)]
    for start in range(0, 1000, 7):
        await files.write(b"".join(lines[start : start + 7]))
    written = await files.close()
    assert len(written) > 5
    assert sum(file.count for file in written) == progress.count == 1000
    contents = [(tmp_path / file.name).read_bytes() for file in written]
    assert b"".join(contents) == b"".join(lines)
    assert [content.count(b"\n") for content in contents] == [file.count for file in written]
    assert {(tmp_path / file.name).stat().st_mode & 0o777 for file in written} == {0o600}


async def test_nothing_makes_no_file(tmp_path: Path) -> None:
    assert await Files(tmp_path, "Patient", Progress()).close() == []
    assert list(tmp_path.iterdir()) == []


async def test_what_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "HELD_BYTES", 1)
    files = Files(tmp_path / "missing", "Patient", Progress())
    with pytest.raises(NotKept):
        await files.write(b"{}\n")
        await files.close()


@pytest.mark.parametrize("name", ["../x", "Patient.1.ndjson/..", "a/b.1.ndjson", "Patient.ndjson", ".1.ndjson", ""])
def test_a_name_that_is_no_files_is_refused(tmp_path: Path, name: str) -> None:
    settings = Settings(data=tmp_path)
    place = folder.made(folder.of_job(settings, JOB) / "1")
    (place / "Patient.1.ndjson").write_bytes(b"{}\n")
    assert folder.existing(settings, JOB, 1, "Patient.1.ndjson").read_bytes() == b"{}\n"
    with pytest.raises(NotFound):
        folder.existing(settings, JOB, 1, name)
    with pytest.raises(NotFound):
        folder.existing(settings, JOB, 2, "Patient.1.ndjson")


@pytest.mark.parametrize("job", ["..", "", "/etc", f"{JOB}/..", JOB.upper()])
def test_an_id_that_is_no_jobs_is_refused(tmp_path: Path, job: str) -> None:
    with pytest.raises(NotFound):
        folder.of_job(Settings(data=tmp_path), job)
