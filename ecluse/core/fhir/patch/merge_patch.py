"""JSON Merge Patch on decoded resources; it is no part of FHIR R4, some clients send it all the same.

Enters: a resource with what is to change, null for what is to go; an array replaces an array. Leaves: a change.
Spec: https://www.rfc-editor.org/rfc/rfc7396
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.acceptance import decoded, is_shallow, refuse


def read(data: bytes) -> Callable[[dict[str, Any]], Any]:
    """The change that a merge patch describes.

    Raises: BadRequest (400) when it is no JSON object"""
    patch, encoded = decoded(data, "patch")
    if not isinstance(patch, dict):
        raise BadRequest("A merge patch is a JSON object with the members that are to change.", expression="patch")
    if not is_shallow(patch, encoded):
        refuse(data, "patch")
    return lambda resource: merged(resource, patch)


def merged(target: Any, patch: Any) -> Any:
    """The target with the patch in it.

    Spec: https://www.rfc-editor.org/rfc/rfc7396#section-2"""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
