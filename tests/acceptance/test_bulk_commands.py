"""`ecluse export` and `ecluse import`, from one site to another."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.services.server import serving


def test_what_one_site_exports_another_imports(empty_database: str, tmp_path: Path) -> None:
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database) as served:
        served.ecluse("site", "add", "north")
        for number in range(30):
            httpx.post(
                f"{served.url}/fhir/Patient",
                json={"resourceType": "Patient", "telecom": [{"system": "other", "value": f"{number}"}]},
            )
        gone = httpx.post(f"{served.url}/fhir/Patient", json={"resourceType": "Patient"}).json()["id"]
        told = served.ecluse("export", str(tmp_path / "out"), "--of", "Patient", "--type", "Patient")
        file = tmp_path / "out" / "Patient.1.ndjson"
        assert len(file.read_bytes().splitlines()) == 31
        packed = tmp_path / "patients.ndjson.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        assert "31 resources stored" in served.ecluse("import", str(packed), "--site", "north")
        count = httpx.get(f"{served.url}/sites/north/fhir/Patient?_summary=count").json()["total"]
        assert count == 31
        httpx.delete(f"{served.url}/fhir/Patient/{gone}")
        served.ecluse("export", str(tmp_path / "next"), "--since", told.split()[-1])
        (bundle,) = map(json.loads, (tmp_path / "next" / "deletedPatient.1.ndjson").read_text().splitlines())
        assert bundle["entry"][0]["request"]["url"] == f"Patient/{gone}"


def test_refused_lines_and_refused_exports_end_in_status_1(empty_database: str, tmp_path: Path) -> None:
    with serving(tmp_path / "data", ECLUSE_DATABASE_URL=empty_database) as served:
        file = tmp_path / "bad.ndjson"
        file.write_text('{"resourceType":"Patient","nom":"x"}\n')
        for words in (("import", str(file)), ("export", str(tmp_path / "out"), "--type", "Nobody")):
            command = [sys.executable, "-m", "ecluse", *words]
            done = subprocess.run(command, env=served.environment, capture_output=True, text=True, check=False)
            assert done.returncode == 1
            assert "1 lines refused" in done.stderr or "no such resource type" in done.stderr
