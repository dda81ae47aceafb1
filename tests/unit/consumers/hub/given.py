"""Project files and keys of recipients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from consumers.hub.seal import Agreement, Place, generated, recipient

PRIVATE, PUBLIC = generated("P-256")
OTHER_PRIVATE, OTHER_PUBLIC = generated("X25519")


def document(**changed: Any) -> dict[str, Any]:
    """What a project's file says; a change to None leaves the key out."""
    plain: dict[str, Any] = {
        "name": "asthme",
        "title": "Asthme et pollution",
        "types": ["Patient", "Encounter", "Condition", "Observation"],
        "recipient": PUBLIC,
        "start": "2024-01-01",
    }
    return {name: value for name, value in (plain | changed).items() if value is not None}


def write(folder: Path, **changed: Any) -> Path:
    """The file of a project in a folder of projects."""
    folder.mkdir(exist_ok=True)
    described = document(**changed)
    file = folder / f"{described.get('name', 'project')}.yaml"
    file.write_text(yaml.safe_dump(described), "utf-8")
    return file


def sealed(content: bytes, place: Place, public: dict[str, Any] = PUBLIC) -> str:
    """A record by itself."""
    return Agreement(recipient(public)).seal(content, place)
