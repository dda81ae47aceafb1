"""Figures beside their targets, as JSON and as a table."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. target: None when there is none; at_least: whether larger is better."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met, in one word."""
        if self.target is None:
            return ""
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "met" if met else "missed"


class Told(list[Figure]):
    """Figures in the order in which they are measured; each is told at once to whoever waits for the table."""

    def add(self, *figures: Figure) -> None:
        """Appends and tells them."""
        for figure in figures:
            print(f"{figure.name}: {figure.value:g} {figure.unit} {figure.verdict} ({figure.note})", file=sys.stderr)
        self.extend(figures)


def as_json(figures: list[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """The figures for a file."""
    rows = [
        {"name": f.name, "value": f.value, "unit": f.unit, "target": f.target, "verdict": f.verdict, "note": f.note}
        for f in figures
    ]
    return {"machine": machine, "figures": rows}


def show(figures: list[Figure]) -> None:
    """The figures for a person."""
    table = Table("figure", "value", "unit", "target", "", "note")
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        target = "" if figure.target is None else f"{sign} {figure.target:g}"
        table.add_row(figure.name, f"{figure.value:g}", figure.unit, target, figure.verdict, figure.note)
    Console(width=140).print(table)
