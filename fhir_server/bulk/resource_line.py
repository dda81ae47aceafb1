"""A line of NDJSON as the wish to store a resource.

Enters: one line. Leaves: an intent, as the same resource in a PUT, or a POST when it has no id, would be one.
"""

from __future__ import annotations

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, Issue, TooLarge
from ecluse.core.fhir.acceptance import REFUSED, accept
from ecluse.related.registries import Registries
from fhir_server.http.request import Request
from fhir_server.interactions.writing import accepted
from fhir_server.profiles.validation import Validation
from fhir_server.store.resources import Site
from fhir_server.store.write import Intent, intent


class Import(msgspec.Struct):
    """An import as it is kept with its job. source: of the data, for resources that name none; validation: what the
    request asked for, as its header has it"""

    url: str
    base: str
    site: str
    sender: str
    request_id: str
    source: str = ""
    validation: str | None = None


class _Head(msgspec.Struct):
    resourceType: str = ""


_head = msgspec.json.Decoder(_Head)


def accepted_line(wanted: Import, validation: Validation | None, resource_type: str, text: bytes | None) -> Intent:
    """The wish that a line is. resource_type: of all lines of the file, "" for any; text: None when it is too long

    Raises: TooLarge (413), BadRequest (400) with all that is wrong, Unprocessable (422); NotLoaded, NotAnswered when
    something has to be fetched or asked first
    """
    if text is None:
        raise TooLarge("This line is longer than a resource may be.")
    name = _type(text)
    if resource_type and name != resource_type:
        issue = Issue(f"This file was announced to hold {resource_type}.", name, f"found {name}", "value")
        raise BadRequest(issues=[issue])
    resource = accepted(_request(wanted, validation), name, text)
    if wanted.source:
        resource.setdefault("meta", {}).setdefault("source", wanted.source)
    given = resource.get("id")
    return intent(resource, given or clock.new_id(), new=given is None)


def _type(text: bytes) -> str:
    """The type of the resource. Raises: BadRequest (400) with what is wrong when it has none"""
    try:
        name = _head.decode(text).resourceType
    except REFUSED:
        name = ""
    return name or str(accept(None, text)["resourceType"])


def _request(wanted: Import, validation: Validation | None) -> Request:
    """The request that a line stands for."""
    return Request(
        method="PUT",
        site=Site(0, wanted.site, "", Registries()),
        base=wanted.base,
        segments=(),
        query="",
        headers={},
        body=b"",
        request_id=wanted.request_id,
        received_at=clock.now(),
        validation=validation,
    )
