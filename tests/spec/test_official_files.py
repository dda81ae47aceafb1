"""Every official R4 file through its whole life, in JSON and in XML, on a real server.

Posted and read back, it is equal but for id and meta, to the last digit. Its XML, put back, makes no version: nothing
was lost on the way out or in. Patched, it has a version more; deleted, it is gone; posted as XML, it is what it was.
The rules of R4 judge it once, when it is first posted.
A collection above a megabyte, of which each entry is a file too, is posted, read and deleted in JSON alone.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ecluse.core.fhir import json
from tests.official import COUNT, official_files
from tests.services.postgres import Postgres
from tests.services.server import serving
from tests.spec.conftest import ACCEPT

REFUSED = {
    # Its id has 69 characters; 64 are allowed.
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json",
}
PARTS = 4
COLLECTION_BYTES = 1_000_000
OURS = ("versionId", "lastUpdated")
JSON, XML = "application/fhir+json", "application/fhir+xml"
TAG = b'[{"op":"add","path":"/meta/tag","value":[{"system":"urn:test","code":"seen"}]}]'


@pytest.fixture(scope="module")
def fhir(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server of these tests alone: others count what they find."""
    data = tmp_path_factory.mktemp("official")
    with postgres.database("template0") as url, serving(data, ECLUSE_DATABASE_URL=url) as served:
        with httpx.Client(base_url=f"{served.url}/fhir", headers=ACCEPT, timeout=60) as client:
            yield client


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
    if resource["resourceType"] == "Subscription":  # It may hold secrets, which are kept apart.
        resource["channel"].pop("header", None)
    return _lexemes(resource), meta


class _Life:
    """What becomes of one file; `failed` says at which step it was not as it should be."""

    def __init__(self, client: httpx.Client, sent: bytes) -> None:
        self._client, self._sent = client, sent
        self._type = json.decode(sent)["resourceType"]
        self._address = ""
        self.failed = ""

    def live(self) -> None:
        """All steps, up to the first that fails."""
        steps = (self._post, self._put_its_xml, self._patch, self._delete, self._post_its_xml, self._delete)
        collection = self._type == "Bundle" and len(self._sent) >= COLLECTION_BYTES
        for step in (self._post, self._delete) if collection else steps:
            step()
            if self.failed:
                self.failed = f"{step.__name__}: {self.failed}"
                return

    def _call(self, wanted: int, method: str, address: str, media: str = JSON, content: bytes = b"") -> httpx.Response:
        headers = {"Prefer": "return=minimal", "Accept": media, **({"Content-Type": media} if content else {})}
        if content is not self._sent:
            headers |= {"X-Ecluse-Validation": "structure"}
        if content is TAG:
            headers |= {"Content-Type": "application/json-patch+json"}
        answer = self._client.request(method, address, headers=headers, content=content)
        if answer.status_code != wanted:
            self.failed = f"{method} {answer.status_code} {answer.text[:300]}"
        return answer

    def _created(self, media: str, content: bytes) -> None:
        answer = self._call(201, "POST", f"/{self._type}", media, content)
        if not self.failed:
            self._address = "/" + "/".join(answer.headers["location"].split("/")[-4:-2])
            if _content(self._call(200, "GET", self._address).content) != _content(self._sent):
                self.failed = f"what is read back from {media} differs"

    def _post(self) -> None:
        self._created(JSON, self._sent)

    def _put_its_xml(self) -> None:
        self._xml = self._call(200, "GET", self._address, XML).content
        answer = self._call(200, "PUT", self._address, XML, self._xml)
        if not self.failed and answer.headers["etag"] != 'W/"1"':
            self.failed = "its XML is another content"

    def _patch(self) -> None:
        answer = self._call(200, "PATCH", self._address, JSON, TAG)
        if not self.failed and answer.headers["etag"] != 'W/"2"':
            self.failed = f"etag {answer.headers['etag']}"

    def _delete(self) -> None:
        answer = self._client.delete(self._address)
        if answer.status_code not in (200, 204):
            self.failed = f"DELETE {answer.status_code}"
        else:
            self._call(410, "GET", self._address)

    def _post_its_xml(self) -> None:
        self._created(XML, self._xml)


def _outcome(client: httpx.Client, path: Path) -> str:
    """Empty when the whole life of the file is as it should be, else what went wrong."""
    life = _Life(client, path.read_bytes())
    life.live()
    return life.failed


def test_all_files_are_here() -> None:
    assert len(official_files()) == COUNT


@pytest.mark.parametrize("part", range(PARTS))
def test_all_official_files_but_the_named_live_as_they_were_sent(fhir: httpx.Client, part: int) -> None:
    files = official_files()[part::PARTS]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda path: _outcome(fhir, path), files)
        outcomes = dict(zip(files, found, strict=True))
    failed = {path.name: outcome for path, outcome in outcomes.items() if outcome}
    assert failed.keys() == REFUSED & {path.name for path in files}, failed
