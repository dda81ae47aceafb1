"""Fifty virtual patients at two sites, made once."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ecluse.cli.synth.write import Run, write
from ecluse.core.fhir import json

SITES = ("nord", "sud")
UNTIL = date(2026, 6, 30)
PATIENTS = 50


@dataclass(frozen=True)
class File:
    """One patient's bundle at one site."""

    site: str
    name: str
    bundle: dict[str, Any]

    def of(self, *types: str) -> Iterator[dict[str, Any]]:
        for entry in self.bundle["entry"]:
            if entry["resource"]["resourceType"] in types:
                yield entry["resource"]

    @property
    def patient(self) -> dict[str, Any]:
        return next(self.of("Patient"))

    def target(self, reference: dict[str, Any]) -> dict[str, Any]:
        url = reference["reference"]
        return next(entry["resource"] for entry in self.bundle["entry"] if entry["fullUrl"] == url)


@dataclass(frozen=True)
class Made:
    """What one run wrote."""

    folder: Path
    files: list[File]
    shared: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Fifty patients at two sites."""
    folder = tmp_path_factory.mktemp("synth")
    write(folder, Run(PATIENTS, 7, SITES, UNTIL), lambda _: None)
    files, shared = [], {}
    for site in SITES:
        bundles = {path.stem: json.decode(path.read_bytes()) for path in sorted((folder / site).iterdir())}
        shared[site] = [bundles.pop("organizations"), bundles.pop("practitioners")]
        files += [File(site, name, bundle) for name, bundle in bundles.items()]
    return Made(folder, files, shared)


def moment(text: str) -> datetime:
    """An aware time; a day without time is its noon in Paris."""
    return datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00+01:00")


def texts(file: File) -> Iterator[tuple[dict[str, Any], str]]:
    """Each report as (resource, text)."""
    for resource in file.of("DocumentReference", "DiagnosticReport", "Composition"):
        if resource["resourceType"] == "Composition":
            yield resource, "\n".join(plain(section["text"]["div"]) for section in resource["section"])
            continue
        forms = [content["attachment"] for content in resource.get("content", ())] or resource.get("presentedForm", [])
        for form in forms:
            data = form.get("data") or file.target({"reference": form["url"]})["data"]
            text = base64.b64decode(data).decode()
            yield resource, plain(text) if form["contentType"].startswith("text/html") else text


def plain(html: str) -> str:
    """The words of HTML, a line for each block."""
    return unescape(re.sub(r"<[^>]+>", "\n", html))
