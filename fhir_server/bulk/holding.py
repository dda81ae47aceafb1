"""Which data types stand somewhere in a resource type.

Enters: names of types. Leaves: whether one can hold the other, at whatever depth, extensions and
contained resources apart.
"""

from __future__ import annotations

from functools import cache

from ecluse.core.fhir.definitions.structures import members, structures


@cache
def holds(type_name: str, wanted: str) -> bool:
    """Whether a value of this type can have a value of the wanted type in it."""
    seen, waiting = {type_name}, [type_name]
    while waiting:
        for _, kind in members(waiting.pop()).values():
            if kind == wanted:
                return True
            if kind in structures().types and kind not in seen and kind != "Extension":
                seen.add(kind)
                waiting.append(kind)
    return False
