"""The OpenAPI document says what is served, all of it and nothing else."""

from __future__ import annotations

import re

import pytest
import schemathesis
from starlette.routing import Route

from ecluse.cli.endpoints import routes as endpoints
from ecluse.cli.openapi import FHIR_BASE, document
from ecluse.core.errors import NotFound
from ecluse.core.settings import Settings
from fhir_server.app import FhirApp
from fhir_server.http import routes
from fhir_server.openapi import ADDRESSES, LEVELS
from fhir_server.operations.registry import operations
from portal.answers import page

EXAMPLES = {"type": "Observation", "id": "x", "version": "1", "compartment": "Patient", "member": "Observation"}


def example(address: str) -> tuple[str, ...]:
    """Segments of an address of this form."""
    return tuple(EXAMPLES.get(part.strip("{}"), part) for part in address.strip("/").split("/") if part)


def test_every_address_that_is_not_fhir_is_described_and_the_reverse() -> None:
    served = {route.path for route in endpoints(Settings(), FhirApp()) if isinstance(route, Route)}
    assert served == {path for path in document()["paths"] if not path.startswith(FHIR_BASE)}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_fhir_address_leads_to_what_is_described(address: str) -> None:
    described = set(document()["paths"][FHIR_BASE + address]) - {"parameters"}
    assert described == {method.lower() for method in routes.methods_at(example(address))}


def test_every_operation_is_described_where_it_stands() -> None:
    paths = document()["paths"]
    for operation in operations():
        for level in operation.levels:
            item = paths[f"{FHIR_BASE}{LEVELS[level]}/${operation.name}"]
            assert set(item) - {"parameters"} == {method.lower() for method in operation.methods}
            assert operation.name in str(item) or operation.definition in str(item)


def test_what_is_not_described_is_not_served() -> None:
    with pytest.raises(NotFound):
        routes.methods_at(("Observation", "x", "y"))


def test_every_call_says_what_it_does() -> None:
    for path, item in document()["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert re.match("[A-Z0-9]", item[method]["summary"]), (method, path)
            assert item[method]["tags"], (method, path)


def test_the_page_shows_every_call() -> None:
    shown = bytes(page("docs.html", document=document()).body).decode()
    for path, item in document()["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert f"<b>{method.upper()}</b> {path}</code>" in shown


def test_the_document_is_openapi() -> None:
    schema = schemathesis.openapi.from_dict(document())
    schema.validate()
    assert schema.statistic.operations.total > 40
