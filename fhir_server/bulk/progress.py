"""How far a job is, for those who ask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """count: resources so far; refused: lines that were not taken; steps: types of an export, files of an import."""

    count: int = 0
    refused: int = 0
    steps: int = 0
    steps_done: int = 0

    @property
    def text(self) -> str:
        """In words, below 100 characters."""
        refused = f", {self.refused} refused" if self.refused else ""
        return f"{self.count} resources{refused}, {self.steps_done} of {self.steps} steps"
