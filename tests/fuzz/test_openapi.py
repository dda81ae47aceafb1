"""Schemathesis reads the OpenAPI document and calls everything that it describes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.services.server import serving

LONG = pytest.param(250, marks=pytest.mark.long)


@pytest.mark.parametrize("examples", [12, LONG])
def test_no_call_that_the_document_describes_is_a_server_error(
    tmp_path: Path, empty_database: str, examples: int
) -> None:
    with serving(tmp_path, "up", ECLUSE_DATABASE_URL=empty_database) as served:
        words = f"run {served.url}/openapi.json --max-examples {examples} --checks not_a_server_error --phases fuzzing"
        program = Path(sys.executable).with_name("st")
        done = subprocess.run(
            [program, *words.split(), "--seed", "20261126", "--no-color", "--generation-database", "none"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        found = re.search(r"(\d+) generated", done.stdout)
        assert found and int(found[1]) > 40 * examples, done.stdout[-1000:]
        assert "request failed" not in served.log.read_text()


def test_a_nul_in_a_filter_is_refused(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, ECLUSE_DATABASE_URL=empty_database) as served:
        for address in (
            "/intake.json?site=a%00",
            "/issues?site=a%00",
            "/issues/counts?profile=%00",
            "/fhir/Patient?name=%00",
        ):
            answer = httpx.get(f"{served.url}{address}", timeout=30)
            assert answer.status_code == 400, address
            assert "query" in answer.text
