"""Clinical stories: what a patient lives through, as data.

Enters: the YAML files of `data/`. Leaves: checked structures (a misspelt word in a story is an error) and the tables
beside them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

import msgspec
import yaml

Texts = list[str]
Course = dict[str, list[float]]


class Unit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stay in one unit, that is one RUM. days: from, to; acts: CCAM code → day of the unit stay."""

    unit: str
    dp: str
    days: tuple[int, int] = (1, 1)
    dr: str = ""
    das: tuple[str, ...] = ()
    acts: dict[str, int] = {}


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An imaging examination and what it finds; day: of the visit."""

    image: str
    finding: str
    day: int = 0
    chance: float = 1


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operation with its report; blood: mL, from, to."""

    act: str
    anesthesia: str
    blood: tuple[int, int]
    indication: Texts
    position: Texts
    steps: Texts
    after: Texts
    day: int = 0
    device: str = ""


class Pathology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the pathologist reads; day: of the visit."""

    specimen: str
    macroscopy: Texts
    microscopy: Texts
    conclusion: Texts
    day: int = 0


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the reports of a visit say; one text of each list is drawn."""

    motif: Texts
    histoire: Texts
    examen: Texts
    conclusion: Texts
    suites: Texts
    evolution: tuple[str, ...] = ("Évolution simple.",)
    destination: tuple[str, ...] = ("hospitalisation",)


class Visit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stay, a day session, an emergency passage or a consultation.

    gap: days since the last one, from, to; every: days between draws; death: its probability at the end"""

    kind: Literal["stay", "day", "emergency", "consultation"]
    texts: Wording
    units: list[Unit] = []
    unit: str = ""
    dp: str = ""
    dr: str = ""
    das: tuple[str, ...] = ()
    acts: dict[str, int] = {}
    gap: tuple[int, int] = (0, 0)
    times: tuple[int, int] = (1, 1)
    chance: float = 1
    emergency: bool = False
    emergency_unit: str = "urgences"
    after_device: bool = False
    death: float = 0
    report: float = 1
    panels: list[str] = []
    course: Course = {}
    every: int = 2
    vitals: Course = {}
    vital_every: int = 1
    drugs: dict[str, tuple[int, int]] = {}
    images: list[Image] = []
    cultures: dict[str, str] = {}
    hypotheses: list[str] = []
    operation: Operation | None = None
    pathology: Pathology | None = None
    device: str = ""
    home: list[str] = []

    def stays(self) -> list[Unit]:
        """The unit stays; a visit without any is one in its own unit."""
        return self.units or [Unit(self.unit, self.dp, dr=self.dr, das=self.das, acts=self.acts)]


class Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What befalls one patient. age: at the start; female: share of women; history: CIM-10 code → years before."""

    title: str
    age: tuple[int, int]
    visits: list[Visit]
    history: dict[str, int]
    family: Texts
    home: list[str]
    female: float = 0.5
    chronic: bool = False


@cache
def table(name: str) -> Any:
    """The content of data/<name>.yaml."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (resources.files(__package__) / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=loader)  # noqa: S506


@cache
def stories() -> dict[str, Story]:
    """All stories by name, in the order of their names."""
    folder = resources.files(__package__) / "data" / "stories"
    names = sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {name: msgspec.convert(table(f"stories/{name}"), Story) for name in names}
