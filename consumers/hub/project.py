"""Research projects as their YAML files describe them.

Enters: a folder. Leaves: one `Project` a file, checked whole before any record is made; an error names file, key and
fix.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from consumers.hub.seal import KeyRefused, Recipient, recipient
from ecluse.core.errors import EcluseError, Issue
from mappers.hub.rules import rules

T = TypeVar("T")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
SHIFT = (-364, 364)
WIDEST = 3650
REQUIRED = ("name", "title", "types", "recipient", "start")
OPTIONAL = ("date_shift", "birth_date", "systems")


class ProjectError(EcluseError):
    """A project file is not as it should be."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a recipient gets.

    start: resources whose clinical date lies before it stay out; shift: (low, high) days
    birth_date: "year" or "month"; systems: code system → form of the codes that may leave besides those of the rules
    """

    name: str
    title: str
    types: frozenset[str]
    recipient: Recipient
    start: date
    shift: tuple[int, int] = SHIFT
    birth_date: str = "year"
    systems: Mapping[str, str] = field(default_factory=dict)


def projects(folder: Path) -> list[Project]:
    """The projects of a folder, by name; none when it does not exist.

    Raises: ProjectError with each file that cannot be taken as it is, and each name that two have
    """
    found, wrong = readable(folder)
    if wrong:
        raise ProjectError(issues=[Issue(text) for text in wrong])
    return found


def readable(folder: Path) -> tuple[list[Project], list[str]]:
    """The projects of a folder that can be taken, by name, and what is wrong with the others: of two with one name none
    is."""
    described: dict[str, list[tuple[Path, Project]]] = {}
    wrong: list[str] = []
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            one = project(file)
        except ProjectError as error:
            wrong.append(str(error))
        else:
            described.setdefault(one.name, []).append((file, one))
    for name, found in described.items():
        if len(found) > 1:
            wrong.append(f"{' and '.join(str(file) for file, _ in found)} both describe the project {name}.")
    return [found[0][1] for _, found in sorted(described.items()) if len(found) == 1], wrong


def project(file: Path) -> Project:
    """The project of a file.

    Raises: ProjectError with file, line and fix
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file}: cannot be read: {error}") from error
    try:
        return _read(_document(text), file.parent)
    except _Wrong as wrong:
        line = wrong.line or _line_of(text, wrong.key)
        raise ProjectError(f"{file}{f', line {line}' if line else ''}: {wrong}") from wrong


class _Wrong(Exception):
    """What is wrong, and how to mend it. key: of the file, at which it stands; line: 0 for that of the key"""

    def __init__(self, text: str, key: str = "", line: int = 0) -> None:
        super().__init__(text)
        self.key = key
        self.line = line


def _line_of(text: str, key: str) -> int:
    """The line at which a key of the file stands, 0 when it does not."""
    root = yaml.compose(text, _Loader) if key else None
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    return next((name.start_mark.line + 1 for name, _ in pairs if name.value == key), 0)


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise _Wrong(f"{key} stands twice; leave one of them out", line=node.value[place][0].start_mark.line + 1)
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise _Wrong(f"is not YAML: {problem or 'see docs/hub.md'}", line=mark.line + 1 if mark else 0) from error
    if not isinstance(document, dict):
        raise _Wrong("a project is a mapping: name, title, types, recipient, start")
    return document


def _read(document: dict[str, Any], folder: Path) -> Project:
    _names(document)
    return Project(
        name=_at("name", _name, document["name"]),
        title=_at("title", partial(_text, "title"), document["title"]),
        types=_at("types", _types, document["types"]),
        recipient=_at("recipient", partial(_recipient, folder), document["recipient"]),
        start=_at("start", _start, document["start"]),
        shift=_at("date_shift", _shift, document.get("date_shift", list(SHIFT))),
        birth_date=_at("birth_date", _birth_date, document.get("birth_date", "year")),
        systems=_at("systems", _systems, document.get("systems", {})),
    )


def _at(key: str, read: Callable[[Any], T], value: Any) -> T:
    """What a value says; what is wrong with it stands at its key."""
    try:
        return read(value)
    except _Wrong as wrong:
        wrong.key = key
        raise


def _names(document: dict[str, Any]) -> None:
    for key in document:
        if key not in (*REQUIRED, *OPTIONAL):
            near = difflib.get_close_matches(str(key), (*REQUIRED, *OPTIONAL), 1)
            known = f"did you mean {near[0]}?" if near else f"known are {', '.join((*REQUIRED, *OPTIONAL))}"
            raise _Wrong(f"{key} is not known; {known}", str(key))
    missing = [key for key in REQUIRED if key not in document]
    if missing:
        raise _Wrong(f"{', '.join(missing)} must be there")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(f"{key} is a text, not {value!r}")
    return value


def _name(value: Any) -> str:
    if not NAME.fullmatch(_text("name", value)):
        raise _Wrong(f"name {value!r}: small letters, digits and -, 40 at most, it is part of a topic's name")
    return str(value)


def _types(value: Any) -> frozenset[str]:
    known = rules().keys()
    if not isinstance(value, list) or not value:
        raise _Wrong(f"types is a list of resource types: {', '.join(known)}")
    for name in value:
        if name not in known:
            raise _Wrong(f"types: {name} has no rules; {', '.join(known)} have")
    return frozenset(value)


def _recipient(folder: Path, value: Any) -> Recipient:
    """The key itself, or the file that holds it, named from the project's file."""
    try:
        return recipient(msgspec.json.decode((folder / value).read_bytes()) if isinstance(value, str) else value)
    except KeyRefused as error:
        raise _Wrong(f"recipient: {error}") from error
    except (OSError, msgspec.DecodeError) as error:
        raise _Wrong(f"recipient: {value} cannot be read as a JWK; `ecluse hub keygen` makes one") from error


def _start(value: Any) -> date:
    try:
        return value if type(value) is date else date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _Wrong(f"start is a day such as 2024-01-31, not {value}") from error


def _shift(value: Any) -> tuple[int, int]:
    whole = isinstance(value, list) and len(value) == 2 and all(type(day) is int for day in value)
    if not whole or not -WIDEST <= value[0] < value[1] <= WIDEST:
        raise _Wrong(f"date_shift is two whole numbers of days, [low, high], up to {WIDEST}, not {value}")
    return value[0], value[1]


def _birth_date(value: Any) -> str:
    if value not in ("year", "month"):
        raise _Wrong(f"birth_date is year or month, not {value}")
    return str(value)


def _systems(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong("systems is a mapping: code system → regular expression of the codes that may leave")
    for system, form in value.items():
        try:
            re.compile(_text(f"systems: {system}", form))
        except re.error as error:
            raise _Wrong(f"systems: {form} is no regular expression: {error}") from error
    return value
