"""Every official R4 file, posted to a real server and read back: equal but for id and meta, to the last digit."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ecluse.core.fhir import json
from tests.official import COUNT, official_files

REFUSED = {
    # Its id has 69 characters; 64 are allowed.
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json",
}
OURS = ("versionId", "lastUpdated")
JSON = {"Content-Type": "application/fhir+json"}


def _lexemes(value: Any) -> Any:
    """The same value with the text of each number, so that 1.00 and 1.0 differ."""
    if isinstance(value, dict):
        return {name: _lexemes(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_lexemes(item) for item in value]
    return bytes(value) if isinstance(value, msgspec.Raw) else value


def _content(body: bytes) -> Any:
    resource = json.decode(body)
    meta = {name: member for name, member in resource.pop("meta", {}).items() if name not in OURS}
    resource.pop("id", None)
    return _lexemes(resource), meta


def _round_trip(client: httpx.Client, path: Path) -> str:
    """Empty when the file is read back as it was sent, else what went wrong."""
    sent = path.read_bytes()
    resource_type = json.decode(sent)["resourceType"]
    created = client.post(f"/{resource_type}", content=sent, headers={**JSON, "Prefer": "return=minimal"})
    if created.status_code != 201:
        return f"{created.status_code} {created.text[:200]}"
    read = client.get(f"/{resource_type}/{created.headers['location'].split('/')[-3]}")
    return "" if _content(read.content) == _content(sent) else "differs"


def test_all_official_files_but_the_named_are_stored_and_read_back_as_sent(fhir: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda path: _round_trip(fhir, path), official_files())
        outcomes = dict(zip(official_files(), found, strict=True))
    failed = {path.name: outcome for path, outcome in outcomes.items() if outcome}
    assert len(outcomes) == COUNT
    assert failed.keys() == REFUSED, failed
