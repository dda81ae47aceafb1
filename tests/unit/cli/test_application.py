"""How a process serves the application."""

from __future__ import annotations

from ecluse.cli.application import config
from ecluse.core.settings import Settings

LOAD_BALANCERS_S = 60


def test_idle_connections_are_kept_longer_than_load_balancers_keep_theirs() -> None:
    assert config(Settings()).timeout_keep_alive > LOAD_BALANCERS_S
