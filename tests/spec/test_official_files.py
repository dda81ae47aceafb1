"""Every official R4 file, posted to a real server and read back: equal but for id and meta, to the last digit."""

from __future__ import annotations

import concurrent.futures
import uuid
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ecluse.core.fhir import json
from ecluse.core.fhir.xml.reading import to_json
from ecluse.core.fhir.xml.writing import to_xml
from tests.official import COUNT, official_files

REFUSED = {
    # Its id has 69 characters; 64 are allowed.
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json",
}
OURS = ("versionId", "lastUpdated")
JSON = {"Content-Type": "application/fhir+json"}
XML = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


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


def _one_of_each_type() -> list[Path]:
    """Of each type the smallest file and the one in the middle."""
    by_type: dict[str, list[Path]] = {}
    for path in official_files():
        if path.name not in REFUSED:
            by_type.setdefault(json.decode(path.read_bytes())["resourceType"], []).append(path)
    ranked = [sorted(own, key=_size) for own in by_type.values()]
    return list(dict.fromkeys(path for own in ranked for path in (own[0], own[len(own) // 2])))


def _size(path: Path) -> int:
    return path.stat().st_size


def _life(client: httpx.Client, path: Path) -> str:
    """Empty when the file was put, patched both ways, deleted, and its history has it as it was sent."""
    sent = json.decode_exactly(path.read_bytes())
    kind, resource_id = sent["resourceType"], str(uuid.uuid4())
    address, body = f"/{kind}/{resource_id}", json.encode({**sent, "id": resource_id})
    english = b'[{"op":"add","path":"/language","value":"en-GB"}]'
    back = {"op": "replace", "path": "/language", "value": sent["language"]} if "language" in sent else None
    again = json.encode([back or {"op": "remove", "path": "/language"}])
    parts = [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": f"{kind}.language"}]
    away = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    steps = [
        (client.put(address, content=body, headers=JSON), 201, {}),
        (client.put(address, content=body, headers=JSON), 200, {}),
        (client.patch(address, content=english, headers=JSON_PATCH), 200, {"language": "en-GB"}),
        (client.patch(address, json=away, headers=JSON), 200, {"language": None}),
        (client.patch(address, content=english, headers=JSON_PATCH), 200, {"language": "en-GB"}),
        (client.patch(address, content=again, headers=JSON_PATCH), 200, {}),
        (client.get(address), 200, {}),
        (client.delete(address), 204, None),
        (client.get(address), 410, None),
        (client.get(f"{address}/_history/1"), 200, {}),
    ]
    for number, (answer, status, changed) in enumerate(steps):
        if answer.status_code != status:
            return f"step {number}: {answer.status_code} {answer.text[:200]}"
        wanted = {name: member for name, member in {**sent, **(changed or {})}.items() if member is not None}
        if changed is not None and _content(answer.content) != _content(json.encode(wanted)):
            return f"step {number} differs"
    total = client.get(f"{address}/_history?_count=0").json()["total"]
    return "" if total == 6 else f"{total} versions"


def test_of_each_type_files_are_put_patched_and_deleted_and_keep_their_content(fhir: httpx.Client) -> None:
    files = _one_of_each_type()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = dict(zip(files, pool.map(lambda path: _life(fhir, path), files), strict=True))
    failed = {path.name: outcome for path, outcome in outcomes.items() if outcome}
    assert len({path.name.split("-")[0] for path in files}) == 140
    assert not failed


def _round_trip_in_xml(client: httpx.Client, path: Path) -> str:
    """Empty when the file, sent as XML, is read back as it was in both formats, put again in XML, and deleted."""
    sent = path.read_bytes()
    resource_type = json.decode(sent)["resourceType"]
    created = client.post(f"/{resource_type}", content=to_xml(sent), headers={**XML, "Prefer": "return=minimal"})
    if created.status_code != 201:
        return f"{created.status_code} {created.text[:200]}"
    url = f"/{resource_type}/{created.headers['location'].split('/')[-3]}"
    in_json, in_xml = client.get(url), client.get(url, headers=XML)
    if not (_content(in_json.content) == _content(to_json(in_xml.content)) == _content(sent)):
        return "differs"
    again = client.put(url, content=in_xml.content, headers=XML)
    if (again.status_code, again.headers["etag"]) != (200, 'W/"1"'):
        return f"another version: {again.status_code} {again.headers.get('etag')} {again.text[:200]}"
    return "" if client.delete(url, headers=XML).status_code == 204 else "not deleted"


def test_of_each_type_files_are_stored_and_read_back_in_xml_too(fhir: httpx.Client) -> None:
    chosen = _one_of_each_type()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = dict(zip(chosen, pool.map(lambda path: _round_trip_in_xml(fhir, path), chosen), strict=True))
    assert len(outcomes) > 150
    assert {path.name: outcome for path, outcome in outcomes.items() if outcome} == {}
