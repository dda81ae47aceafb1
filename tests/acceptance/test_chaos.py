"""The short form of `make chaos`: every kind of fault once, on three brokers, and the checker's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import run
from tests.chaos.faults import WEIGHTS

SEED = 11
WRITES = 600


@pytest.mark.kafka
def test_nothing_is_lost_doubled_or_resurrected_whatever_fails(tmp_path: Path) -> None:
    told = run(tmp_path, SEED, WRITES, len(WEIGHTS))
    assert not told.problems, str(told)
    assert all(one.recovered_s is not None for one in told.outcomes), str(told)
    assert told.acknowledged > WRITES / 2
