"""HL7's own cases for R4 and for validators: the Maven artifact org.hl7.fhir.testcases:fhir-test-cases (Apache-2.0).

Enters: nothing. Leaves: a folder with what the tests here use of it, in `.cache/fhir`, fetched with Maven when it is
missing.
"""

from __future__ import annotations

import shutil
import zipfile
from functools import cache
from pathlib import Path

from tests.fetched import CACHE, maven_jar, once

VERSION = "1.7.46"
ARTIFACT = f"org.hl7.fhir.testcases:fhir-test-cases:{VERSION}"
INSIDE = "org/hl7/fhir/testcases/"
USED = ("r4/patch/", "validator/")


@cache
def folder() -> Path:
    """The folder of the cases: `r4/patch`, `validator`.

    Raises: RuntimeError, with what to do, when it is neither there nor can be fetched"""
    path = CACHE / f"fhir-test-cases-{VERSION}"
    return once(path, lambda: _fetch(path))


def _fetch(path: Path) -> None:
    jar, unpacked = maven_jar(ARTIFACT, "HL7's cases"), CACHE / "unpacked-cases"
    shutil.rmtree(unpacked, ignore_errors=True)
    with zipfile.ZipFile(jar) as archive:
        wanted = [name for name in archive.namelist() if name.startswith(tuple(INSIDE + used for used in USED))]
        archive.extractall(unpacked, wanted)
    (unpacked / INSIDE).rename(path)
    shutil.rmtree(unpacked)
    jar.unlink()
