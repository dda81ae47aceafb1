"""One address for each code system that French senders write in several ways.

Enters: a `Coding.system`. Leaves: the address under which Écluse knows the system. The table, with the source of each
spelling, is `definitions/code_system_alias.json`. What is stored and served stays as it was sent.
Spec: http://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources


def canonical(system: str) -> str:
    """The address that all spellings of this code system share; a system that the table does not know stays itself."""
    return _aliases().get(system, system)


def spellings(system: str) -> tuple[str, ...]:
    """Every address that means this code system, the one asked for first."""
    address = canonical(system)
    return tuple(dict.fromkeys((system, address, *_known().get(address, ()))))


@cache
def _known() -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    for spelling, address in _aliases().items():
        known.setdefault(address, []).append(spelling)
    return known


@cache
def _aliases() -> dict[str, str]:
    table = resources.files("ecluse.core.fhir.definitions") / "code_system_alias.json"
    systems = json.loads(table.read_text(encoding="utf-8"))
    return {spelling: address for address, system in systems.items() for spelling in system["spellings"]}
