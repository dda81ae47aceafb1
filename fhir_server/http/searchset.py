"""A searchset put together of stored bytes.

Enters: the head of a bundle and entries. Leaves: bytes; bodies are copied, never decoded.
Spec: http://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecluse.core.fhir import json


def entry(base: str, resource_type: str, resource_id: str, body: bytes, mode: bytes = b"match") -> bytes:
    """One entry. mode: match or include"""
    address = f"{base}/{resource_type}/{resource_id}".encode()
    return b'{"fullUrl":"%b","resource":%b,"search":{"mode":"%b"}}' % (address, body, mode)


def searchset(head: dict[str, Any], entries: Iterable[bytes]) -> bytes:
    """The bundle. head: total and link, as far as there are any"""
    frame = json.encode({"resourceType": "Bundle", "type": "searchset", **head})
    listed = b",".join(entries)
    return frame[:-1] + b',"entry":[' + listed + b"]}" if listed else frame
