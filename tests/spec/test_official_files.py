"""Official R4 files through their whole life, in JSON and in XML, on a real server.

Posted and read back, each is equal but for id and meta, to the last digit. Its XML, put back, makes no version: nothing
was lost on the way out or in. Patched, it has a version more; deleted, it is gone; posted as XML, it is what it was.
The rules of R4 judge it once, when it is first posted.
Five of six files are of four types that resemble each other: of these every twentieth lives its whole life and the
others are posted and read, unless the long tests run (`pytest -m long`). A collection above a megabyte, of which each
entry is a file too, is posted, read and deleted in JSON alone.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from ecluse.core.fhir import json
from tests.official import COUNT, official_files
from tests.services.postgres import Postgres
from tests.services.server import Served, serving

REFUSED = {
    # Its id has 69 characters; 64 are allowed.
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json",
}
MANY = frozenset({"CodeSystem", "SearchParameter", "StructureDefinition", "ValueSet"})
ONE_IN = 20
PARTS, AT_ONCE = 4, 4
COLLECTION_BYTES = 1_000_000
OURS = ("versionId", "lastUpdated")
JSON, XML = "application/fhir+json", "application/fhir+xml"
TAG = b'[{"op":"add","path":"/meta/tag","value":[{"system":"urn:test","code":"seen"}]}]'


@pytest.fixture(scope="module")
def served(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of these tests alone: others count what they find."""
    data = tmp_path_factory.mktemp("official")
    with postgres.database("template0") as url, serving(data, ECLUSE_DATABASE_URL=url) as served:
        yield served


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes


class _Client:
    """One connection. Of 50,000 requests, a client with more to it takes a third of the processor."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def request(self, method: str, address: str, headers: dict[str, str], content: bytes) -> _Answer:
        self._connection.request(method, f"/fhir{address}", content or None, headers)
        answer = self._connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return _Answer(answer.status, named, answer.read())


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

    def __init__(self, client: _Client, sent: bytes) -> None:
        self._client, self._sent = client, sent
        self._type = json.decode(sent)["resourceType"]
        self._address = ""
        self.failed = ""

    def live(self, whole: bool) -> None:
        """The steps of a life, up to the first that fails. whole: all of them, unless it is a large collection"""
        in_json = (self._post, self._delete, self._find_gone)
        in_both = (self._post, self._put_its_xml, self._patch, self._delete, self._find_gone, self._post_its_xml)
        collection = self._type == "Bundle" and len(self._sent) >= COLLECTION_BYTES
        for step in in_json if collection else in_both if whole else (self._post,):
            step()
            if self.failed:
                self.failed = f"{step.__name__}: {self.failed}"
                return

    def _call(self, wanted: int, method: str, address: str, media: str = JSON, content: bytes = b"") -> _Answer:
        headers = {"Prefer": "return=minimal", "Accept": media, **({"Content-Type": media} if content else {})}
        if content is not self._sent:
            headers |= {"X-Ecluse-Validation": "structure"}
        if content is TAG:
            headers |= {"Content-Type": "application/json-patch+json"}
        answer = self._client.request(method, address, headers, content)
        if answer.status != wanted:
            self.failed = f"{method} {answer.status} {answer.content[:300]!r}"
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
        self._call(204, "DELETE", self._address)

    def _find_gone(self) -> None:
        self._call(410, "GET", self._address)

    def _post_its_xml(self) -> None:
        self._created(XML, self._xml)


def _outcomes(served: Served, files: list[Path], every: bool) -> dict[Path, str]:
    """Of each file what went wrong, empty when its life is as it should be. every: all of them live it whole"""
    found = {}
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        for path in files:
            life = _Life(_Client(connection), path.read_bytes())
            life.live(every or path in _whole())
            found[path] = life.failed
    return found


@cache
def _whole() -> frozenset[Path]:
    many = [path for path in official_files() if path.name.partition("-")[0] in MANY]
    return frozenset(official_files()) - frozenset(many) | frozenset(many[::ONE_IN])


def test_all_files_are_here() -> None:
    assert len(official_files()) == COUNT


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("part", range(PARTS))
def test_all_official_files_but_the_named_live_as_they_were_sent(served: Served, part: int, every: bool) -> None:
    files = official_files()[part::PARTS]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        shares = pool.map(lambda place: _outcomes(served, files[place::AT_ONCE], every), range(AT_ONCE))
        failed = {path.name: outcome for share in shares for path, outcome in share.items() if outcome}
    assert failed.keys() == REFUSED & {path.name for path in files}, failed
