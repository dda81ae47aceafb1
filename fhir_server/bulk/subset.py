"""Lines of resources of which only some elements are wanted.

Enters: lines of NDJSON. Leaves: the same resources with fewer elements, marked as such.
Spec: http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ecluse.core.fhir import json
from ecluse.core.fhir.subset import named


def subset(resource_type: str, elements: Sequence[str]) -> Callable[[bytes], bytes]:
    """What makes of whole lines the same lines with fewer elements. elements: `name` or `Patient.name`"""
    names = {each.removeprefix(f"{resource_type}.") for each in elements}

    def change(lines: bytes) -> bytes:
        return b"".join(json.encode(named(json.decode(line), names)) + b"\n" for line in lines.splitlines())

    return change
