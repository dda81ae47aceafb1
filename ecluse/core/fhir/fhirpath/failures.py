"""What is wrong with an expression, or with what it is asked to do."""

from __future__ import annotations

from ecluse.core.errors import BadRequest


class FhirPathError(BadRequest):
    """A FHIRPath expression that cannot be read or evaluated."""

    code = "invalid"
