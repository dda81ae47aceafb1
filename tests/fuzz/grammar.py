"""Requests made by a grammar: FHIR's addresses, headers and bodies, most of them nearly right.

Enters: a seed. Leaves: an endless row of requests, the same for the same seed.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from ecluse.core.fhir import types
from fhir_server.operations.operation import Level
from fhir_server.operations.registry import declared, operations
from mappers.search.registry import searchable
from tests.official import official_files

NAMES = tuple(types.number_of)
ODD_TEXTS = (
    "",
    " ",
    "\u0000",
    "\u202eabc",
    "é" * 300,
    "𝒳",
    "\\",
    '"',
    "'",
    "%",
    "%00",
    "%ff",
    "<script>",
    "$",
    "$x",
    "|",
    "a|b|c",
    "a,b",
    ",",
    "NaN",
    "1e999",
    "-0",
    "9" * 400,
    "true",
    "null",
    "2026-02-30",
    "2026-13",
    "0000",
    "2026-01-01T25:00:00Z",
    "{}",
    "[]",
    "urn:uuid:x",
    "http://",
    "Patient/",
    "Patient/x/_history/0",
    "_history",
    "; DROP TABLE fhir.resource; --",
    "' OR 1=1 --",
    "ge",
    "ge2026",
    "lt\u0000",
    "*",
    "#",
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**40,
    1.5,
    1e308,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"a": 1},
    {"extension": []},
    {"resourceType": "Patient"},
    *ODD_TEXTS[:14],
)
CONTROLS = (
    "_count",
    "_sort",
    "_id",
    "_lastUpdated",
    "_since",
    "_at",
    "_summary",
    "_elements",
    "_format",
    "_pretty",
    "_total",
    "_include",
    "_revinclude",
    "_has",
    "_type",
    "_tag",
    "_profile",
    "_text",
    "_content",
    "_filter",
    "_list",
    "_page",
    "_before",
    "_cursor",
    "mode",
    "profile",
    "url",
    "code",
    "system",
    "filter",
    "offset",
    "count",
    "start",
    "end",
    "_typeFilter",
    "_until",
    "_outputFormat",
)
MEDIA = (
    "application/fhir+json",
    "application/json",
    "application/fhir+xml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/xml-patch+xml",
    "application/x-www-form-urlencoded",
    "application/fhir+ndjson",
    "text/plain",
    "application/octet-stream",
    "x",
    "",
    "application/fhir+json; charset=latin1",
    "application/fhir+json; fhirVersion=9",
)
HEADERS: dict[str, tuple[str, ...]] = {
    "Accept": (*MEDIA[:4], "*/*", "text/html", ";;q=x,,", "application/fhir+json;q=0"),
    "If-Match": ('W/"1"', '"1"', "1", "x", "*", 'W/"99999999999999"'),
    "If-None-Match": ('W/"1"', "*", "x"),
    "If-Modified-Since": ("Thu, 26 Nov 2026 01:00:00 GMT", "yesterday"),
    "If-None-Exist": ("identifier=x", "name=", "?", "_id=1", "nothing=1", "identifier=a|b,c|d"),
    "Prefer": ("return=minimal", "return=OperationOutcome", "handling=lenient", "respond-async", "return=x"),
    "Content-Encoding": ("gzip", "br", "identity"),
    "Idempotency-Key": ("k1", "k2", "x" * 3000),
    "X-Request-Id": ("r", "x" * 500),
    "Range": ("bytes=0-1",),
}


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Grammar:
    """The requests of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._files = [path for path in official_files() if path.stat().st_size < 30_000]
        self._names = sorted({operation.name for operation in operations()})

    def requests(self) -> Iterator[Sent]:
        """One after the other, without end."""
        methods = ("GET", "GET", "GET", "POST", "POST", "PUT", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
        while True:
            method = self._random.choice(methods)
            if method in ("POST", "PUT") and self._random.random() < 0.4:
                yield self._write(method)
                continue
            body = self._body() if method in ("POST", "PUT", "PATCH") else b""
            yield Sent(method, self._path(), self._headers(method), body)

    def _write(self, method: str) -> Sent:
        """A resource where it belongs, seldom quite right."""
        resource = self._mutated(self._resource())
        name = resource.get("resourceType") if isinstance(resource, dict) else None
        name = name if isinstance(name, str) and name in types.number_of else "Patient"
        if method == "PUT" and isinstance(resource, dict):
            resource["id"] = "x"
        headers = self._headers(method) | {"Content-Type": "application/fhir+json"}
        headers.pop("Content-Encoding", None)
        return Sent(method, f"/fhir/{name}" + ("/x" if method == "PUT" else ""), headers, json.dumps(resource).encode())

    def _path(self) -> str:
        choose = self._random.choice
        name = choose((*NAMES, "Patient", "Observation", "ValueSet", "CodeSystem", "Encounter"))
        segments = choose(
            (
                [],
                ["metadata"],
                ["_history"],
                [self._operation_at("system")],
                [name],
                [name],
                [name, "_search"],
                [name, "_history"],
                [name, self._operation_at("type", name)],
                [name, "x"],
                [name, "x"],
                [name, "x", "_history"],
                [name, "x", "_history", "1"],
                [name, "x", self._operation_at("instance", name)],
                [name, "x", "_history", "1", self._operation_at("version", name)],
                [name, "x", "Observation"],
            )
        )
        segments = [self._rarely_odd(segment, 0.03) for segment in segments]
        count = choose((0, 0, 1, 2, 4))
        query = "&".join(self._parameter(segments[0] if segments else "") for _ in range(count))
        base = choose(("/fhir",) * 20 + ("/sites/north/fhir", "/sites/nowhere/fhir"))
        path = "/".join([base, *(quote(one, safe="$*") for one in segments)])
        return f"{path}?{query}" if query else path

    def _operation_at(self, level: Level, resource_type: str | None = None) -> str:
        """An operation that stands there, or any."""
        names = [operation.name for operation in declared(level, resource_type)]
        return f"${self._random.choice(names or self._names)}"

    def _parameter(self, resource_type: str) -> str:
        known = [parameter.code for parameter in searchable(resource_type)] if resource_type in types.number_of else []
        name = self._random.choice([*known, *CONTROLS])
        modifier = self._random.choice(("", "", "", ":exact", ":missing", ":not", ":Patient.name", ":x", ":"))
        usual = ("a", "1", "2026", "ge2026-01-01", "a|b", "Patient/1", "true", "5.4|http://unitsofmeasure.org|mg")
        value = self._rarely_odd(self._random.choice(usual), 0.4)
        raw = self._random.random() < 0.02 and value.isascii() and value.isprintable() and " " not in value
        return f"{quote(name + modifier, safe=':.')}={value if raw else quote(value)}"

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"Content-Type": self._random.choice(MEDIA[:3] if self._random.random() < 0.8 else MEDIA)}
        if method == "PATCH" and self._random.random() < 0.7:
            headers["Content-Type"] = self._random.choice(MEDIA[3:6])
        for name, values in HEADERS.items():
            if self._random.random() < 0.12:
                headers[name] = self._random.choice(values)
        return headers

    def _odd(self) -> Any:
        return copy.deepcopy(self._random.choice(ODD_VALUES))

    def _rarely_odd(self, usual: str, share: float = 0.08) -> str:
        return self._random.choice(ODD_TEXTS) if self._random.random() < share else usual

    def _body(self) -> bytes:
        kind = self._random.random()
        if kind < 0.5:
            text = json.dumps(self._mutated(self._resource()))
        elif kind < 0.65:
            text = json.dumps(self._bundle())
        elif kind < 0.8:
            text = json.dumps(self._parameters())
        elif kind < 0.9:
            text = json.dumps([self._operation() for _ in range(self._random.randrange(4))])
        else:
            text = self._random.choice(
                (
                    "",
                    "{",
                    "[]",
                    "null",
                    "1",
                    '"x"',
                    "<Patient/>",
                    '<Patient xmlns="http://hl7.org/fhir"><x/></Patient>',
                    "a=b&c",
                    "{}\n{}",
                )
            )
        body = text.encode("utf-8", "surrogatepass")
        return self._damaged(body) if self._random.random() < 0.15 else body

    def _resource(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._random.choice(self._files).read_bytes())
        return found

    def _mutated(self, value: Any) -> Any:
        """The value with a few places changed."""
        for _ in range(self._random.choice((0, 1, 1, 2, 5))):
            holder, key = self._place(value)
            if holder is None:
                break
            match self._random.randrange(6):
                case 0:
                    del holder[key]
                case 1:
                    holder[key] = self._odd()
                case 2:
                    holder[key] = [holder[key]]
                case 3:
                    holder[key] = {"value": holder[key]}
                case 4 if isinstance(holder, dict):
                    holder[
                        self._random.choice(
                            ("x", "_id", "id", "resourceType", "value", "extension", "contained", "reference")
                        )
                    ] = holder[key]
                case _:
                    holder[key] = self._nested(self._random.choice((3, 60, 300)))
        return value

    def _place(self, value: Any) -> tuple[Any, Any]:
        holder, key = None, None
        while isinstance(value, dict | list) and value:
            holder, key = value, self._random.choice(list(value) if isinstance(value, dict) else range(len(value)))
            value = holder[key]
            if self._random.random() < 0.3:
                break
        return holder, key

    def _nested(self, depth: int) -> Any:
        value: Any = "x"
        for _ in range(depth):
            value = {"extension": [value]}
        return value

    def _bundle(self) -> dict[str, Any]:
        entries = [self._entry() for _ in range(self._random.randrange(5))]
        kind = self._random.choice(("transaction", "batch", "batch", "collection", "x"))
        return dict(self._mutated({"resourceType": "Bundle", "type": kind, "entry": entries}))

    def _entry(self) -> dict[str, Any]:
        resource = self._mutated(self._resource())
        name = resource.get("resourceType", "Patient") if isinstance(resource, dict) else "Patient"
        method = self._random.choice(("POST", "PUT", "GET", "DELETE", "PATCH", "HEAD", "X"))
        url = self._random.choice(
            (
                name,
                f"{name}/x",
                f"{name}?identifier=x",
                f"{name}/x/_history/1",
                "$validate",
                "/",
                "http://elsewhere/fhir/Patient",
                *ODD_TEXTS[:12],
            )
        )
        entry = {
            "fullUrl": self._random.choice(("urn:uuid:a", "urn:uuid:b", f"http://x/fhir/{name}/1", "")),
            "request": {"method": method, "url": url},
        }
        return {**entry, "resource": resource} if self._random.random() < 0.8 else entry

    def _parameters(self) -> dict[str, Any]:
        parts = []
        for _ in range(self._random.randrange(5)):
            name = self._random.choice(
                (
                    *CONTROLS,
                    "resource",
                    "coding",
                    "valueSet",
                    "operation",
                    "path",
                    "meta",
                    "source-patient",
                    "target-patient",
                )
            )
            value = self._random.choice(
                (
                    {"valueString": "x"},
                    {"valueUri": "http://x"},
                    {"resource": self._resource()},
                    {"valueCoding": {"code": "x"}},
                    {"valueBoolean": True},
                    {
                        "part": [
                            {"name": "type", "valueCode": "replace"},
                            {"name": "path", "valueString": "Patient.name[0"},
                        ]
                    },
                    {"valueReference": {"reference": "Patient/1"}},
                    {"valueInteger": -5},
                    {"valueMeta": {"tag": [{"code": "x"}]}},
                    {},
                )
            )
            parts.append({"name": name, **value})
        return dict(self._mutated({"resourceType": "Parameters", **({"parameter": parts} if parts else {})}))

    def _operation(self) -> Any:
        path = self._random.choice(
            ("/name", "/name/0", "/name/-", "/x/y/z", "", "/", "~", "/meta/versionId", "/id", "/birthDate", "name")
        )
        usual = {
            "op": self._random.choice(("add", "remove", "replace", "move", "copy", "test", "x")),
            "path": path,
            "from": "/id",
            "value": self._odd(),
        }
        return self._mutated(usual)

    def _damaged(self, body: bytes) -> bytes:
        """Bytes that are no longer what they were."""
        place = self._random.randrange(len(body) + 1)
        inserted = self._random.choice((b"\xff\xfe", b"\x00", b"\\ud800", b'"', b"{", b"\xef\xbb\xbf", b"\x1f"))
        return body[:place] + inserted + body[place + self._random.randrange(3) :]
