"""What may be kept of an OperationOutcome: which rule was broken and where, never what was found there.

Enters: issues. Leaves: severity, code, text and place of each. `diagnostics` quotes the body and is left out. Texts and
places are the server's own words but for names, ids and values that it repeats: those are struck out. Names that FHIR
does not know are the sender's, and may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir.definitions.structures import structures

MOST_ISSUES = 50
STRUCK = "…"
_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`")
_ADDRESS = re.compile(r"\b([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}")
_UNKNOWN = re.compile(r"(?<=has no element )\S+?(?=[:.,]?(?:\s|$))")
_NUMBERED = re.compile(r"(?<![\w.-])(?=[\w.-]*\d)[\w.-]{8,}")
_STEP = re.compile(r"([A-Za-z]\w*)((?:\[\d+\])?)")


def kept(issues: Sequence[Issue], code: str, own: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The issues as they may be kept.

    code: of those that bring none; own: words of the request itself, as the ids in its address"""
    return [
        {
            "severity": issue.severity,
            "code": issue.code or code,
            "text": _text(issue.text, own),
            "expression": _place(issue.expression),
        }
        for issue in issues[:MOST_ISSUES]
    ]


def _text(text: str, own: Sequence[str]) -> str:
    for word in own:
        text = text.replace(word, STRUCK)
    text = _ADDRESS.sub(rf"\1/{STRUCK}", _QUOTED.sub(STRUCK, text))
    return _NUMBERED.sub(STRUCK, _UNKNOWN.sub(STRUCK, text))


def _place(expression: str) -> str:
    """The FHIRPath, cut where it leaves FHIR's own names."""
    steps = expression.split(".") if expression else []
    known: list[str] = []
    for step in steps:
        found = _STEP.fullmatch(step)
        if not found or found[1] not in _names():
            return ".".join([*known, STRUCK])
        known.append(step)
    return ".".join(known)


@cache
def _names() -> frozenset[str]:
    """Every name of a type or an element in FHIR R4."""
    types = structures().types
    names = {name for elements in types.values() for element in elements for name, _ in element.members()}
    bases = {element.name for elements in types.values() for element in elements}
    return frozenset(names | bases | types.keys() | structures().resources | {"resourceType"})
