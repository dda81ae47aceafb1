"""A Bundle split into its entries, each resource still as the bytes that came.

Enters: the JSON bytes of a Bundle, up to 64 MiB. Leaves: its type and entries, the bundle itself accepted, the
resources not yet: whoever splits passes each to `accept`, in slices when there are many.
Spec: http://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json, structs
from ecluse.core.fhir.acceptance import REFUSED, accept, decoded, is_plain, is_shallow, refuse
from ecluse.core.fhir.explain import problems, too_deep
from ecluse.core.fhir.scan import MOST_DEPTH


class BundleEntry(NamedTuple):
    """One entry; what it does not say is "". resource: the bytes of the resource, None when there is none."""

    resource: Raw | None
    full_url: str = ""
    method: str = ""
    url: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""
    if_match: str = ""
    if_none_exist: str = ""


class BundleFrame(NamedTuple):
    """A Bundle: its type ("transaction"), its entries in their order, and its identifier, "system|value" or ""."""

    type: str
    entries: list[BundleEntry]
    identifier: str = ""


class _Loose(msgspec.Struct):
    """A bundle of which only the places of the resources are looked at."""

    entry: list[dict[str, Raw]] = []


_loose = msgspec.json.Decoder(_Loose)
_PLACEHOLDER = Raw(b"0")
_REQUEST = ("method", "url", "ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist")
_request = attrgetter(*[name + "_" for name in _REQUEST])


def split_bundle(data: bytes, expression: str = "Bundle") -> BundleFrame:
    """The entries of a Bundle with undecoded resources; the bundle around them is accepted.

    data: UTF-8 JSON; expression: where the bundle stands
    Raises: BadRequest (400) with all problems of the bundle; those inside its resources are for `accept` to find
    Spec: http://hl7.org/fhir/R4/http.html#transaction"""
    try:
        bundle = _decode()(data)
    except (*REFUSED, ValueError):
        return _split_slowly(data, expression)
    found = [] if bundle.entry_ is UNSET else bundle.entry_
    frame = BundleFrame(bundle.type_, [_entry(entry) for entry in found], _identifier(bundle.identifier_))
    return frame if _is_sure(data, bundle, found) else _split_slowly(data, expression)


@cache
def _decode() -> Callable[[bytes], Any]:
    """Decodes a Bundle into its struct, whose entries leave their resources unread."""
    entry = msgspec.defstruct(
        "_Entry",
        [],
        bases=(structs.struct("Bundle.entry"),),
        namespace={"__post_init__": lambda _: None},
        kw_only=True,
        forbid_unknown_fields=True,
    )
    entries = list[entry] | UnsetType  # type: ignore[valid-type]
    bundle = msgspec.defstruct(
        "_Bundle",
        [("entry_", entries, UNSET)],
        bases=(structs.struct("Bundle"),),
        rename={"entry_": "entry"},
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(bundle).decode


def _entry(entry: Any) -> BundleEntry:
    resource = None if entry.resource_ is UNSET else entry.resource_
    said = [] if entry.request_ is UNSET else [value or "" for value in _request(entry.request_)]
    return BundleEntry(resource, entry.fullUrl_ or "", *said)


def _identifier(identifier: Any) -> str:
    if identifier is UNSET or identifier.value_ is UNSET:
        return ""
    return f"{'' if identifier.system_ is UNSET else identifier.system_}|{identifier.value_}"


def _is_sure(data: bytes, bundle: Any, entries: list[Any]) -> bool:
    """Whether the text around the resources shows none of what a struct cannot see. Empties the structs."""
    quotes = data.count(b'"')
    for entry in entries:
        if entry.resource_ is not UNSET:
            quotes -= bytes(entry.resource_).count(b'"')
            entry.resource_ = _PLACEHOLDER
    bundle.entry_ = UNSET
    head, around = json.encode(bundle), json.encode(entries)
    rare = (b'xtension"', b'"outcome"', b"\\")
    if b"\\" in head or not is_shallow(json.decode(head), head) or any(mark in around for mark in rare):
        return False
    name = b'"entry":' if entries else b""
    return quotes == (head + name + around).count(b'"') and is_plain(head) and (not entries or is_plain(around))


def _split_slowly(data: bytes, expression: str) -> BundleFrame:
    """Splits what the struct refuses or is unsure about: the walk decides on the bundle without its resources."""
    try:
        entries = _loose.decode(data).entry
    except REFUSED as error:
        accept("Bundle", data, expression)
        refuse(data, expression, error)
    resources = [entry.get("resource") for entry in entries]
    around = without(data, resources)
    value, _ = decoded(around, expression)
    if too_deep(value, MOST_DEPTH):
        refuse(around, expression)
    if issues := problems("Bundle", value, expression, entries=False):
        raise BadRequest(issues=issues)
    found = zip(value.get("entry", ()), resources, strict=True)
    named = value.get("identifier", {})
    identifier = f"{named.get('system') or ''}|{named['value']}" if named.get("value") else ""
    return BundleFrame(value.get("type", ""), [_entry_of(entry, resource) for entry, resource in found], identifier)


def without(data: bytes, resources: Sequence[Raw | None]) -> bytes:
    """The text of a bundle, or of Parameters, with 0 in place of each resource."""
    pieces, at = [], 0
    for resource in resources:
        if resource is not None:
            text = bytes(resource)
            start = data.index(text, at)
            pieces.append(data[at:start])
            at = start + len(text)
    return b"0".join([*pieces, data[at:]])


def _entry_of(entry: dict[str, Any], resource: Raw | None) -> BundleEntry:
    said = entry.get("request", {})
    return BundleEntry(resource, entry.get("fullUrl", ""), *[said.get(name, "") for name in _REQUEST])
