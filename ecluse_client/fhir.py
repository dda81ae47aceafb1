"""A FHIR R4 client: what a service needs to answer an event.

Enters: resources as dicts. Leaves: the same, and for writes their address, version and event.
Spec: http://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec

from ecluse_client.event import Position

Resource = dict[str, Any]
JSON = "application/fhir+json"
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Written(NamedTuple):
    """What a write made. event: None when nothing changed; resource: as stored, None after a delete"""

    type: str
    id: str
    version: int
    event: Position | None
    resource: Resource | None


class Refused(Exception):
    """The server did not do it. status: of HTTP; outcome: the OperationOutcome, {} when there is none"""

    def __init__(self, status: int, outcome: Resource, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status, self.outcome = status, outcome


class Fhir:
    """One FHIR base. Use it as `async with Fhir("http://127.0.0.1:8080/fhir") as fhir`."""

    def __init__(self, base: str, http: httpx.AsyncClient | None = None, wait: Sequence[str] = ()) -> None:
        """http: a client with your credentials; wait: consumers that searches and reads wait for, so that they see
        what this client wrote before (`X-Ecluse-Wait`)"""
        self._base = base.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=60)
        self._own = http is None
        self._wait = {"X-Ecluse-Wait": ",".join(wait)} if wait else {}
        self._seen: Position | None = None

    async def __aenter__(self) -> Fhir:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._own:
            await self._http.aclose()

    async def read(self, kind: str, own: str) -> Resource:
        """The present version. Raises: Refused, 404 when there is none, 410 when it was deleted"""
        return self._body(await self._ask("GET", f"{self._base}/{kind}/{own}", self._waiting()))

    async def create(self, resource: Resource, if_none_exist: str = "") -> Written:
        """Creates it; if_none_exist: a search, like `identifier=system|value`, of which the only match is taken."""
        condition = {"If-None-Exist": if_none_exist} if if_none_exist else {}
        return await self._write("POST", resource["resourceType"], condition, resource)

    async def update(self, resource: Resource, if_match: int | None = None) -> Written:
        """Writes it under its id; if_match: the version that it replaces. Raises: Refused, 412 when it is another"""
        condition = {} if if_match is None else {"If-Match": f'W/"{if_match}"'}
        return await self._write("PUT", f"{resource['resourceType']}/{resource['id']}", condition, resource)

    async def patch(self, kind: str, own: str, operations: Sequence[Mapping[str, Any]]) -> Written:
        """Changes it by a JSON Patch."""
        media = {"Content-Type": "application/json-patch+json"}
        return await self._write("PATCH", f"{kind}/{own}", media, list(operations))

    async def delete(self, kind: str, own: str) -> Written:
        """Deletes it; its history stays."""
        return await self._write("DELETE", f"{kind}/{own}", {})

    async def transaction(self, entries: Sequence[Resource]) -> Resource:
        """The answer to a transaction bundle of these entries: all of them, or Refused and nothing."""
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
        answer = await self._ask("POST", self._base, {}, bundle)
        self._event(answer)
        return self._body(answer)

    async def search(self, kind: str, **parameters: Any) -> AsyncIterator[Resource]:
        """All matches, page after page: `search("Observation", code="718-7", date=["ge2024", "lt2025"])`. Of names
        with signs in them: `**{"patient.name": "martin"}`. Included resources come behind the matches of their page."""
        query = httpx.QueryParams({"_count": 500, **parameters})
        url: str | None = f"{self._base}/{kind}?{query}"
        while url:
            bundle = self._body(await self._ask("GET", url, self._waiting()))
            for entry in bundle.get("entry", ()):
                if entry.get("search", {}).get("mode") != "outcome":
                    yield entry["resource"]
            url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)

    def _waiting(self) -> dict[str, str]:
        if not self._wait or self._seen is None:
            return {}
        return self._wait | {"X-Ecluse-Event": str(self._seen)}

    async def _write(self, method: str, path: str, headers: Mapping[str, str], content: Any = None) -> Written:
        wanted = {"Prefer": "return=representation", **headers}
        answer = await self._ask(method, f"{self._base}/{path}", wanted, content)
        event = self._event(answer)
        location = answer.headers.get("location")
        named = urlsplit(location).path.removesuffix("/").split("/") if location else path.split("/")
        if "_history" in named:
            named = named[: named.index("_history")]
        etag = answer.headers.get("etag", "")
        version = int(etag.removeprefix('W/"').removesuffix('"')) if etag else 0
        stored = self._body(answer) if answer.content and method != "DELETE" else None
        return Written(named[-2], named[-1], version, event, stored)

    def _event(self, answer: httpx.Response) -> Position | None:
        text = answer.headers.get("x-ecluse-event")
        if text is None:
            return None
        event = Position.of(text)
        self._seen = max(event, self._seen or event)
        return event

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], content: Any = None) -> httpx.Response:
        told = {"Accept": JSON, **({"Content-Type": JSON} if content is not None else {}), **headers}
        sent = None if content is None else _encode(content)
        answer = await self._http.request(method, url, headers=told, content=sent)
        if answer.is_error:
            raise _refused(answer)
        return answer

    @staticmethod
    def _body(answer: httpx.Response) -> Resource:
        found: Resource = _decode(answer.content)
        return found


def _refused(answer: httpx.Response) -> Refused:
    try:
        outcome = _decode(answer.content)
    except msgspec.DecodeError:
        outcome = None
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return Refused(answer.status_code, {}, answer.text[:500])
    told = [issue.get("details", {}).get("text") or issue.get("diagnostics", "") for issue in outcome["issue"]]
    return Refused(answer.status_code, outcome, "; ".join(told[:5]))
