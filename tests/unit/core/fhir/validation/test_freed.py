"""What was validated is freed at once: a cycle around it would keep it until the collector comes, which is seldom."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.validation.base import problems
from tests.official import official


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing but counting references frees."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("warnings", [True, False])
def test_validation_leaves_no_cycle(uncollected: None, warnings: bool) -> None:
    resource = json.decode(official("Patient-example"))
    problems(resource, warnings=warnings)  # what is compiled at first use may hold cycles
    gc.collect()
    for _ in range(10):
        problems(resource, warnings=warnings)
    assert gc.collect() == 0
