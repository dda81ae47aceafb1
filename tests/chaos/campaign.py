"""A campaign: writers, faults one after the other, then rest, and the checker's word.

Enters: a seed, how many writes and faults. Leaves: what was done, and what was found wrong.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checker import problems
from tests.chaos.faults import Injector, Outcome, planned
from tests.chaos.fleet import fleet
from tests.chaos.looking import come_to_rest, look
from tests.chaos.writers import PATIENCE_S, Marks, Writer

WRITERS = 8
AHEAD_S = 0.2
"""How long a writer rests when the faults are behind."""
PROJECT = """name: trial
title: A trial
types: [Patient, Encounter, Condition, Observation]
recipient: ../recipient.pub.jwk
start: 2000-01-01
"""


@dataclass(slots=True)
class Told:
    """What a campaign was: problems is empty when everything held."""

    seed: int
    acknowledged: int
    outcomes: list[Outcome]
    problems: list[str]
    seconds: float

    def __str__(self) -> str:
        """As it is printed at the end."""
        kinds = Counter(f"{one.fault.verb} {one.fault.target}" for one in self.outcomes)
        lines = [f"{count:4} × {kind}" for kind, count in sorted(kinds.items())]
        slow = [str(one.fault) for one in self.outcomes if one.recovered_s is None]
        lines += [f"no sign of life in time after: {words}" for words in slow]
        lines += self.problems
        counted = f"{self.acknowledged} acknowledged writes, {len(self.outcomes)} faults, {self.seconds:.0f} s"
        return "\n".join([*lines, f"seed {self.seed}: {counted}, {len(self.problems)} problems"])


def run(folder: Path, seed: int, writes: int, faults: int, say: Callable[[str], None] = print) -> Told:
    """The campaign of this seed. folder: empty, is filled; say: is told of each fault when it is over"""
    began = time.monotonic()
    key, projects = _project(folder)
    with fleet(folder, projects) as running:
        outcomes: list[Outcome] = []
        writers: list[Writer] = []

        def acknowledged() -> int:
            return sum(len(writer.acknowledged) for writer in writers)

        def pace() -> float:
            """Writers rest when they are ahead of the faults, so that both end together."""
            return 0.0 if acknowledged() <= writes * (len(outcomes) + 1) / faults else AHEAD_S

        def report(words: str) -> None:
            say(f"{time.monotonic() - began:6.0f} s  {len(outcomes):4} faults  {acknowledged():6} writes  {words}")

        marks, base = Marks(), f"{running.url}/fhir"
        writers += [Writer(base, f"{seed}-{number}", marks, pace) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        injector = Injector(running, acknowledged)
        for number, fault in enumerate(planned(seed, faults)):
            if number == faults // 3:
                with held(writers):
                    running.save()
                    for writer in writers:
                        writer.remember()
                report("the database is saved")
            if number == faults // 2:
                with held(writers):
                    running.go_back()
                    for writer in writers:
                        writer.go_back()
                report("the database is recovered as it was saved")
            outcomes.append(injector.inject(fault))
            report(f"{fault}, {_after(outcomes[-1])}")
        for writer in writers:
            writer.stop()
        for writer in writers:
            writer.join(PATIENCE_S)
        come_to_rest(running)
        report("every consumer has caught up")
        told = [one for writer in writers for one in writer.acknowledged]
        seen = look(running, told, [one for writer in writers for one in writer.purged], key)
        report("everything was looked at")
    gave_up = [f"a writer gave up: {writer.error}" for writer in writers if writer.error]
    return Told(seed, acknowledged(), outcomes, [*gave_up, *problems(seen)], time.monotonic() - began)


@contextmanager
def held(writers: Sequence[Writer]) -> Iterator[None]:
    """All writers stand still, with nothing on its way, until the end of the block."""
    for writer in writers:
        writer.hold()
    yield
    for writer in writers:
        writer.go_on()


def _after(outcome: Outcome) -> str:
    return "no sign of life" if outcome.recovered_s is None else f"back after {outcome.recovered_s:.1f} s"


def _project(folder: Path) -> tuple[Path, Path]:
    """A recipient's private key, and a folder with one project for it."""
    projects = folder / "projects"
    projects.mkdir(parents=True)
    key = folder / "recipient.jwk"
    command = [sys.executable, "-m", "ecluse", "hub", "keygen", "--out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    (projects / "trial.yaml").write_text(PROJECT)
    return key, projects
