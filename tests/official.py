"""The official R4 files: every resource of the npm package hl7.fhir.r4.examples@4.0.1, and the expansions of value sets
in hl7.fhir.r4.expansions@4.0.1 (both CC0-1.0).

Enters: nothing. Leaves: the paths of JSON files below `.cache/fhir`, fetched with npm when they are missing.
"""

from __future__ import annotations

import shutil
import tarfile
from functools import cache
from pathlib import Path

from tests.fetched import CACHE, npm_package, once

PACKAGE = "hl7.fhir.r4.examples@4.0.1"
COUNT = 5306
EXPANSIONS = "hl7.fhir.r4.expansions@4.0.1"


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
    once(folder, lambda: _fetch(package, folder))


def _fetch(package: str, folder: Path) -> None:
    archived = npm_package(package, "the official FHIR files")
    unpacked = CACHE / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archived) as archive:
        archive.extractall(unpacked, filter="data")
    (unpacked / "package").rename(folder)
    unpacked.rmdir()
