"""fhir_server/operations/registry.py: where an operation stands, and how it is called."""

from __future__ import annotations

import pytest

from ecluse.core.errors import NotFound
from fhir_server.http.request import Answer, Request
from fhir_server.operations import registry
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server


async def _answer(server: Server, request: Request, parameters: Parameters) -> Answer:
    return Answer(200)


READING = Operation("lastn", _answer, "http://x/lastn", ("type",), ("Observation",))
WRITING = Operation("meta-add", _answer, "http://x/meta-add", ("instance", "version"), affects_state=True)


def test_it_stands_at_its_levels_and_types_only() -> None:
    assert READING.stands("type", "Observation")
    assert not READING.stands("type", "Patient")
    assert not READING.stands("instance", "Observation")
    assert not READING.stands("system", None)
    assert WRITING.stands("version", "Patient")


def test_what_affects_state_is_posted() -> None:
    assert READING.methods == ("GET", "HEAD", "POST")
    assert WRITING.methods == ("POST",)


def test_each_name_stands_once_at_an_address() -> None:
    for operation in registry.operations():
        for level in operation.levels:
            for resource_type in operation.types or ("Patient", "Basic"):
                named = [one.name for one in registry.declared(level, resource_type)]
                assert named.count(operation.name) == 1, (operation.name, level, resource_type)


def test_an_unknown_name_is_told_with_the_nearest_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "operations", lambda: (READING, WRITING))
    with pytest.raises(NotFound, match=r"no operation \$lastm at Observation type level; there: \$lastn\."):
        registry.methods("type", "Observation", "$lastm")
    with pytest.raises(NotFound, match="there: none"):
        registry.methods("system", None, "$lastn")
    assert set(registry.methods("instance", "Patient", "$meta-add")) == {"POST"}
