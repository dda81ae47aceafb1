"""The official R4 files: every resource of the npm package hl7.fhir.r4.examples@4.0.1, and the expansions of value sets
in hl7.fhir.r4.expansions@4.0.1 (both CC0-1.0).

Enters: nothing. Leaves: the paths of JSON files below `.cache/fhir`, fetched with npm when they are missing.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

PACKAGE = "hl7.fhir.r4.examples@4.0.1"
COUNT = 5306
EXPANSIONS = "hl7.fhir.r4.expansions@4.0.1"
CACHE = Path(__file__).parent.parent / ".cache" / "fhir"


@cache
def official_files() -> tuple[Path, ...]:
    """All resources of the package, sorted by name.

    Raises: RuntimeError, with what to do, when the package is neither there nor can be fetched"""
    _fetch_once(PACKAGE, CACHE / "package")
    files = tuple(path for path in sorted((CACHE / "package").glob("*.json")) if path.name != "package.json")
    if len(files) != COUNT:
        raise RuntimeError(
            f"{CACHE / 'package'} holds {len(files)} resources instead of {COUNT}: remove it and try again"
        )
    return files


def official(name: str) -> bytes:
    """The bytes of one file, "Patient-example"."""
    official_files()
    return (CACHE / "package" / f"{name}.json").read_bytes()


@cache
def expansion_files() -> tuple[Path, ...]:
    """The expansions that HL7 publishes, sorted by name.

    Raises: RuntimeError, with what to do, when the package is neither there nor can be fetched"""
    _fetch_once(EXPANSIONS, CACHE / "expansions")
    return tuple(sorted((CACHE / "expansions").glob("ValueSet-*.json")))


def _fetch_once(package: str, folder: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes start at once
        if not folder.exists():
            _fetch(package, folder)


def _fetch(package: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"install Node.js: npm fetches the official FHIR files ({package}) for these tests")
    command = [npm, "pack", package, "--silent", "--pack-destination", str(CACHE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CACHE, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
    unpacked = CACHE / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(CACHE / f"{package.replace('@', '-')}.tgz") as archive:
        archive.extractall(unpacked, filter="data")
    (unpacked / "package").rename(folder)
    unpacked.rmdir()
