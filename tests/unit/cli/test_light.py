"""What a process does not import: every process of `ecluse up` carries what it imports."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        (
            "ecluse.cli.cli, ecluse.cli.serve",
            ("fhir_server", "consumers", "portal", "mappers", "lxml", "tantivy", "confluent_kafka"),
        ),
        ("ecluse.cli.application", ("httpx", "confluent_kafka")),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(imported: str, heavy: tuple[str, ...]) -> None:
    look = f"import sys, {imported}; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
