"""`ecluse load` of files that are not all right: what is good is stored, what is not is told with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx

from tests.services.run import run
from tests.services.server import Served, serving

LINES = {
    1: b'\xef\xbb\xbf{"resourceType":"Patient","id":"first"}',
    2: b'{"resourceType":"Patient","id":"broken"',
    3: b"",
    4: b'{"resourceType":"Patient","id":"fourth","nom":"x"}',
    5: b'{"resourceType":"Patients","id":"fifth"}',
    6: b'{"id":"sixth"}',
    7: b'{"resourceType":"Patient","id":"seventh","language":"\xff\xfe"}',
    8: b'{"resourceType":"Patient","id":"a/b"}',
    9: b'{"resourceType":"Patient","id":"twice","active":true,"active":false}',
    10: b'{"resourceType":"Device"}',
    11: b'{"resourceType":"Patient","id":"last"}',
}
BAD = (2, 4, 5, 6, 7, 8, 9)


def _stored(served: Served, kind: str) -> int:
    return int(httpx.get(f"{served.url}/fhir/{kind}?_summary=count", timeout=30).json()["total"])


def test_bad_lines_are_told_and_the_others_stored(empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "data.ndjson"
    file.write_bytes(b"\n".join(LINES.values()) + b"\n")
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database) as served:
        for _ in range(2):  # run again it says the same, and writes nothing twice
            done = run({**served.environment, "COLUMNS": "300"}, "load", str(file))
            assert done.code == 1
            assert "3 resources in" in done.out and f"{len(BAD)} refused" in done.out
            for number in LINES:
                assert (f"data.ndjson:{number} " in done.err) == (number in BAD), (number, done.err)
            assert (_stored(served, "Patient"), _stored(served, "Device")) == (2, 1)


def test_one_bad_line_of_many_costs_that_line_alone(empty_database: str, tmp_path: Path) -> None:
    """Also of the line at which a batch ends, and of a file that breaks off."""
    lines = [b'{"resourceType":"Patient","id":"p%d"}' % number for number in range(1, 1201)]
    lines[499] = b"{"
    lines[600:625] = [b"{"] * 25
    lines[1100] = b'{"resourceType":"Patient","gender":"none"}'
    (tmp_path / "many.ndjson").write_bytes(b"\n".join(lines))
    whole = gzip.compress(b'{"resourceType":"Device"}\n' * 20_000, 0)
    (tmp_path / "short.ndjson.gz").write_bytes(whole[: len(whole) // 400])
    (tmp_path / "short.json.gz").write_bytes(whole[:100])
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database) as served:
        done = run({**served.environment, "COLUMNS": "300"}, "load", str(tmp_path))
        assert (done.code, _stored(served, "Patient")) == (1, 1173)
        assert "29 refused" in done.out and "and 6 more" in done.err
        assert "many.ndjson:500, " in done.err and "many.ndjson:1101 " in done.err
        devices = _stored(served, "Device")
        assert devices > 10
        assert f"short.ndjson.gz:{devices + 1} " in done.err and "cannot be read from this line on" in done.err
        assert "short.json.gz" in done.err
