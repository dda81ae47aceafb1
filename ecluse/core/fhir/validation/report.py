"""Everything that is wrong with a resource, structure and rules together, and what R4 wishes besides.

Enters: the bytes of a resource, as they came. Leaves: issues: errors and warnings, none when nothing is wrong.
Spec: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import REFUSED, accept
from ecluse.core.fhir.explain import too_deep
from ecluse.core.fhir.scan import MOST_DEPTH
from ecluse.core.fhir.validation import base
from ecluse.core.fhir.validation.wishes import wishes


def report(resource_type: str, data: bytes | msgspec.Raw, place: str = "") -> tuple[list[Issue], dict[str, Any] | None]:
    """What is wrong with a resource, and the resource, None when its structure is wrong. Of an element whose structure
    is wrong, only that is told.

    resource_type: what it should be; place: where it stands, "Parameters.parameter[0].resource"; empty: its type"""
    try:
        resource = accept(resource_type, data, place or None)
    except BadRequest as error:
        structure = error.coded
        told = {issue.expression for issue in structure}
        return structure + [issue for issue in _rules(data, place) if issue.expression not in told], None
    return base.problems(resource, place) + wishes(resource, place), resource


def _rules(data: bytes | msgspec.Raw, place: str) -> list[Issue]:
    """The broken rules of what can be read as JSON, even if it is no resource."""
    try:
        value = json.decode(data)
    except (*REFUSED, ValueError):
        return []
    return base.problems(value, place) if isinstance(value, dict) and not too_deep(value, MOST_DEPTH) else []
