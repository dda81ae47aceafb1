"""HL7's own cases for R4 and for validators: the Maven artifact org.hl7.fhir.testcases:fhir-test-cases (Apache-2.0).

Enters: nothing. Leaves: a folder with what the tests here use of it, in `.cache/fhir`, fetched with Maven when it is
missing.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import zipfile
from functools import cache
from pathlib import Path

from tests.official import CACHE

VERSION = "1.7.46"
ARTIFACT = f"org.hl7.fhir.testcases:fhir-test-cases:{VERSION}"
INSIDE = "org/hl7/fhir/testcases/"
USED = ("r4/patch/", "validator/")


@cache
def folder() -> Path:
    """The folder of the cases: `r4/patch`, `validator`.

    Raises: RuntimeError, with what to do, when it is neither there nor can be fetched"""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"fhir-test-cases-{VERSION}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes start at once
        if not path.exists():
            _fetch(path)
    return path


def _fetch(path: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise RuntimeError(f"install Maven: it fetches HL7's cases ({ARTIFACT}) for these tests")
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={CACHE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}")
    jar, unpacked = CACHE / f"fhir-test-cases-{VERSION}.jar", CACHE / "unpacked-cases"
    shutil.rmtree(unpacked, ignore_errors=True)
    with zipfile.ZipFile(jar) as archive:
        wanted = [name for name in archive.namelist() if name.startswith(tuple(INSIDE + used for used in USED))]
        archive.extractall(unpacked, wanted)
    (unpacked / INSIDE).rename(path)
    shutil.rmtree(unpacked)
    jar.unlink()
