"""Where R4's own extensions may stand, as Python values.

Enters: extensions.json, read once at first use. Leaves: contexts and context invariants by url.
Spec: http://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

PREFIX = "http://hl7.org/fhir/StructureDefinition/"


class Context(NamedTuple):
    """One of the places that an extension may stand at. type: element, extension or fhirpath."""

    type: str
    expression: str


class Usage(NamedTuple):
    """The places, of which one has to fit, and the conditions, which all have to be true. modifier: whether it stands
    in modifierExtension"""

    contexts: tuple[Context, ...]
    invariants: tuple[str, ...] = ()
    modifier: bool = False


def usage_of(url: str) -> Usage | None:
    """Where an extension may stand, None when it is none of R4."""
    row = _file().get(url.removeprefix(PREFIX)) if url.startswith(PREFIX) else None
    if row is None:
        return None
    contexts, invariants, modifier = row
    return Usage(tuple(Context(*text.split(":", 1)) for text in contexts), tuple(invariants), modifier)


@cache
def _file() -> dict[str, tuple[list[str], list[str], bool]]:
    raw: dict[str, tuple[list[str], list[str], bool]] = msgspec.json.decode(
        (files(__package__) / "extensions.json").read_bytes()
    )
    return raw
