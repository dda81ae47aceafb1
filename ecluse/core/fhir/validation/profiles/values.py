"""Fixed values and patterns: whether a value is the one wanted, and how to say what is wanted.

Enters: decoded JSON. Leaves: true or false, or a few words.
Spec: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecluse.core.fhir.explain import shown
from ecluse.core.fhir.json import number


def equal(found: Any, wanted: Any) -> bool:
    """Whether a value is exactly the fixed one."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(equal(found[name], value) for name, value in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(equal(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return _same(found, wanted)


def includes(found: Any, pattern: Any) -> bool:
    """Whether a value has at least what the pattern has."""
    if isinstance(pattern, dict):
        return isinstance(found, dict) and all(includes(found.get(name), value) for name, value in pattern.items())
    if isinstance(pattern, list):
        return isinstance(found, list) and all(any(includes(one, value) for one in found) for value in pattern)
    return _same(found, pattern)


def _same(found: Any, wanted: Any) -> bool:
    if _is_number(wanted):
        return _is_number(found) and number(found) == number(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, msgspec.Raw)) and not isinstance(value, bool)


def told(value: Any) -> str:
    """A value as one would name it: a coding as system#code, an object by its members."""
    if isinstance(value, list):
        return ", ".join(map(told, value))
    if not isinstance(value, dict):
        return shown(value)
    if isinstance(value.get("coding"), list):
        return told(value["coding"])
    if "code" in value and isinstance(value["code"], str):
        return f"{value.get('system', '')}#{value['code']}".removeprefix("#")
    return ", ".join(f"{name} {told(member)}" for name, member in value.items())
