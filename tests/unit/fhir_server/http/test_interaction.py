"""Words for interactions: few, R4's own, and never anything of an address."""

from __future__ import annotations

import pytest

from ecluse.core.errors import EcluseError
from fhir_server.http import routes
from fhir_server.http.interaction import interaction
from fhir_server.operations.registry import operations

ADDRESSES = {
    "search-system": ["GET", "HEAD"],
    "batch/transaction": ["POST"],
    "search-system ": ["POST _search"],
    "capabilities": ["GET metadata"],
    "history-system": ["GET _history"],
    "search-type": ["GET Patient", "POST Patient/_search"],
    "create": ["POST Patient"],
    "update": ["PUT Patient", "PUT Patient/1"],
    "patch": ["PATCH Patient", "PATCH Patient/1"],
    "delete": ["DELETE Patient", "DELETE Patient/1"],
    "read": ["GET Patient/1", "HEAD Patient/1"],
    "history-type": ["GET Patient/_history"],
    "history-instance": ["GET Patient/1/_history"],
    "vread": ["GET Patient/1/_history/2"],
    "search-compartment": [
        "GET Patient/1/Observation",
        "GET Patient/1/*",
        "POST Patient/1/_search",
        "POST Patient/1/Observation/_search",
    ],
    "options": ["OPTIONS", "OPTIONS Patient/1"],
    "$job": ["GET $job/a", "DELETE $job/a", "GET $job/a/b"],
    "$everything": ["GET Patient/1/$everything", "GET Patient/$everything"],
    "other": ["GET Zabulon", "POST Patient/1", "GET Patient/$zabulon", "GET Patient/1/Zabulon", "ZABULON Patient"],
}
CASES = [(address, word.strip()) for word, addresses in ADDRESSES.items() for address in addresses]


@pytest.mark.parametrize(("address", "word"), CASES)
def test_an_address_has_its_word(address: str, word: str) -> None:
    method, _, path = address.partition(" ")
    assert interaction(method, path.split("/") if path else []) == word


@pytest.mark.parametrize("address", [address for address, word in CASES if word not in ("other", "options")])
def test_what_has_a_word_is_served(address: str) -> None:
    method, _, path = address.partition(" ")
    if (method, path) != ("POST", ""):
        served = routes.methods_at(tuple(path.split("/")) if path else ())
        assert ("GET" if method == "HEAD" else method) in served


def test_every_operation_that_is_served_has_its_name() -> None:
    found = 0
    for operation in operations():
        for segments in ((), ("Patient",), ("Patient", "1")):
            address = (*segments, f"${operation.name}")
            try:
                routes.methods_at(address)
            except EcluseError:
                continue
            found += 1
            assert interaction("POST", address) == f"${operation.name}"
    assert found > 20
