"""An address that cannot be had, or is none, is told in one sentence."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ecluse.cli.load import load
from ecluse.cli.serve import listen
from ecluse.core.errors import BadRequest, Unavailable
from ecluse.core.settings import Settings


def test_a_port_that_another_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port} cannot be listened on.*--port"):
            listen(Settings(port=port), patience_s=0.2)
    listen(Settings(port=port), patience_s=10).close()


async def test_a_server_without_its_scheme(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="localhost:8080/fhir is no address"):
        await load("localhost:8080/fhir", [tmp_path], lambda _: None)
