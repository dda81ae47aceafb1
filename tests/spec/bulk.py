"""Kick-off, polling and download, as a bulk client does them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

ASYNC = {"Prefer": "respond-async"}
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Done:
    """An ended job: its address, the last answer, the lines of each file by part of the manifest and type."""

    address: str
    answer: httpx.Response
    files: dict[str, dict[str, list[dict[str, Any]]]]

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest."""
        found: dict[str, Any] = self.answer.json()
        return found

    def ids(self, resource_type: str) -> set[str]:
        """The ids of the exported resources of a type."""
        return {resource["id"] for resource in self.files["output"].get(resource_type, [])}


def parameters(**given: Any) -> dict[str, Any]:
    """A Parameters resource; a value is one text, or several."""
    listed = [
        {"name": name, **({"valueReference": {"reference": text}} if name == "patient" else {"valueString": text})}
        for name, texts in given.items()
        for text in ([texts] if isinstance(texts, str) else texts)
    ]
    return {"resourceType": "Parameters", "parameter": listed}


def kick_off(client: httpx.Client, path: str, body: Any = None, headers: dict[str, str] | None = None) -> str:
    """The address of the job."""
    method = "GET" if body is None else "POST"
    answer = client.request(method, path, json=body, headers=headers or ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.headers["content-location"]


def ended(client: httpx.Client, address: str) -> httpx.Response:
    """The answer that tells the end."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = client.get(address)
        if answer.status_code != 202:
            return answer
        assert answer.headers["retry-after"].isdigit()
        assert 0 < len(answer.headers["x-progress"]) < 100
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def files(client: httpx.Client, manifest: dict[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The lines of each file, and nothing else than lines."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for part in ("output", "deleted", "error"):
        by_type: dict[str, list[dict[str, Any]]] = found.setdefault(part, {})
        for item in manifest[part]:
            if "url" not in item:
                continue
            answer = client.get(item["url"], headers={"Accept": "application/fhir+ndjson"})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/fhir+ndjson"
            assert answer.text.endswith("\n")
            # Not str.splitlines: a text may have U+0085 or U+2028 in it, at which that splits too.
            lines = [json.loads(line) for line in answer.content.splitlines()]
            assert {line["resourceType"] for line in lines} == {item["type"]}
            assert len(lines) == item["count"]
            by_type.setdefault(item["type"], []).extend(lines)
    return found


def run(client: httpx.Client, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Done:
    """A job from its kick-off to its last file."""
    address = kick_off(client, path, body, headers)
    answer = ended(client, address)
    assert answer.status_code == 200, answer.text
    return Done(address, answer, files(client, answer.json()))
