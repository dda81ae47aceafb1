"""JavaScript's and Java's clients: each program holds what its server answers against what its author expects."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Program


def test_fhir_kit_client_finds_what_it_expects(node: Program, base: str) -> None:
    node("kit.mjs", base)


def test_the_smart_client_of_npm_finds_what_it_expects(node: Program, base: str) -> None:
    node("smart.mjs", base)


@pytest.mark.parametrize("encoding", ["json", "xml"])
def test_the_generic_client_of_hapi_finds_what_it_expects(java: Program, base: str, encoding: str) -> None:
    java("Scenario.java", base, encoding)
