"""Keys and contexts that no one else has."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from mappers.hub.context import Context, Keys

PURPOSES = ("person", "resource", "shift", "record", "digest")


def keys(project: str = "asthme") -> Keys:
    """The keys of a project in these tests."""
    return Keys(*(hashlib.sha256(f"{project}/{purpose}".encode()).digest() for purpose in PURPOSES))


def context(project: str = "asthme", **given: Any) -> Context:
    """A context about the patient p1 of the default site, who is person 7."""
    about: dict[str, Any] = {"site": "default", "patient": "p1", "person": 7, "at": date(2026, 1, 1)}
    return Context(keys(project), **about | given)
