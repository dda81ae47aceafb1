"""The command itself is light: every process of `ecluse up` carries what it imports."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_imports_neither_server_nor_consumers_before_it_needs_them() -> None:
    heavy = "('fhir_server', 'consumers', 'portal', 'mappers', 'lxml', 'tantivy', 'confluent_kafka')"
    look = f"import sys, ecluse.cli.cli, ecluse.cli.serve; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
