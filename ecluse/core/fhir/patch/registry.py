"""All formats of a patch, and what holds for each of them.

Enters: a media type and a body. Leaves: a change: from the resource that stands to the one that is to stand. Elements
that a patch leaves empty are left out, as FHIR has none; the resource's type, id, version and instant stay.
Spec: http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import msgspec

from ecluse.core.errors import Issue, Unprocessable, UnsupportedMedia
from ecluse.core.fhir.acceptance import REFUSED, accept
from ecluse.core.fhir.explain import shown, too_deep
from ecluse.core.fhir.patch import fhirpath_patch, json_patch, merge_patch, xml_patch
from ecluse.core.fhir.scan import MOST_DEPTH

Change = Callable[[dict[str, Any]], dict[str, Any]]
Reader = Callable[[bytes], Callable[[dict[str, Any]], Any]]


class _Peek(msgspec.Struct):
    resourceType: str = ""


def _read_resource(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """A FHIRPath Patch, or the Binary in which a bundle's entry carries a patch of another format.

    Spec: http://hl7.org/fhir/R4/http.html#patch"""
    if _type_of(data) != "Binary":
        return fhirpath_patch.read(data)
    binary = accept("Binary", data)
    media = binary["contentType"].partition(";")[0].strip().lower()
    return _reader(media)(b64decode(binary.get("data", "")))


def _read_json(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """A patch whose sender says no more than JSON: an array is a JSON Patch, an object a FHIRPath Patch when it is a
    resource that can hold one, else a merge patch, as fhirpy sends it."""
    if data.lstrip()[:1] == b"[":
        return json_patch.read(data)
    return _read_resource(data) if _type_of(data) in ("Parameters", "Binary") else merge_patch.read(data)


def _type_of(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Peek).resourceType
    except REFUSED:
        return ""


def _reader(media: str) -> Reader:
    reader = FORMATS.get(media)
    if reader is None:
        raise UnsupportedMedia(f"Send a patch as one of {', '.join(FORMATS)}.", diagnostics=f"Content-Type was {media}")
    return reader


FORMATS: dict[str, Reader] = {
    "application/json-patch+json": json_patch.read,
    "application/xml-patch+xml": xml_patch.read,
    "application/fhir+json": _read_resource,
    "application/json": _read_json,
    "application/merge-patch+json": merge_patch.read,
}
"""What reads a patch of each media type. JSON Merge Patch is no part of FHIR R4."""

_KEPT = ("versionId", "lastUpdated")


def read(media: str, data: bytes) -> Change:
    """The change that a patch describes.

    media: the media type, without parameters
    Raises: UnsupportedMedia (415), BadRequest (400) with all that is wrong in the patch; the change itself:
    Unprocessable (422) when it cannot be made, or would change what the server gives"""
    made = _reader(media)(data)

    def change(resource: dict[str, Any]) -> dict[str, Any]:
        kept = _identity(resource)
        patched = made(resource)
        if too_deep(patched, MOST_DEPTH):
            raise Unprocessable(f"After the patch objects and arrays stand inside each other over {MOST_DEPTH} times.")
        _check(patched, kept)
        return _pruned(patched)

    return change


def _identity(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta", {})
    own = {"resourceType": resource.get("resourceType"), "id": resource.get("id")}
    return own | {f"meta.{name}": meta.get(name) for name in _KEPT}


def _check(patched: Any, kept: dict[str, Any]) -> None:
    """Raises: Unprocessable (422) when the patch made something else of the resource"""
    if not isinstance(patched, dict):
        raise Unprocessable("After the patch this is no resource any more.", diagnostics=f"found {shown(patched)}")
    kind = kept["resourceType"]
    given = {"meta": {}, **patched}
    found = _identity(given if isinstance(given["meta"], dict) else {**given, "meta": {}})
    issues = [
        Issue(f"{name} is the server's and stays as it is.", f"{kind}.{name}", f"found {shown(found[name])}", "value")
        for name, value in kept.items()
        if found[name] != value and not (name.startswith("meta.") and found[name] is None)
    ]
    if issues:
        raise Unprocessable(issues=issues)


def _pruned(value: dict[str, Any]) -> dict[str, Any]:
    """An object without the objects and arrays in it that are empty."""
    kept = {name: _pruned_member(name, member) for name, member in value.items()}
    return {name: member for name, member in kept.items() if member not in ({}, [])}


def _pruned_member(name: str, value: Any) -> Any:
    """In an array of siblings an empty object leaves a gap, so that the others stay beside their values."""
    if isinstance(value, dict):
        return _pruned(value)
    if not isinstance(value, list):
        return value
    items = [_pruned_member(name, item) for item in value]
    if name.startswith("_"):
        items = [item or None for item in items]
    kept = [item for item in items if item not in ({}, [])]
    return kept if any(item is not None for item in kept) else []
