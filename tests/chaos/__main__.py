"""`make chaos`: prints the seed first, each fault when it is over, and what is wrong; ends with 1 when something is."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import run


def main() -> int:
    """Runs one campaign."""
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31), help="repeats a campaign")
    parser.add_argument("--writes", type=int, default=20_000, help="least number of writes")
    parser.add_argument("--faults", type=int, default=200, help="number of faults")
    parser.add_argument("--keep", type=Path, help="folder to run in and to leave, with the logs of every process")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ecluse-chaos-") as made:
        folder = options.keep or Path(made)
        told = run(folder, options.seed, options.writes, options.faults, lambda words: print(words, flush=True))
    print(told)
    return 1 if told.problems else 0


sys.exit(main())
