"""Organization → care_site, and the commune it stands in → location.

Spec: http://hl7.org/fhir/R4/organization.html
"""

from __future__ import annotations

from typing import Any

from mappers.warehouse import location
from mappers.warehouse.record import Context, Excluded, Mapped


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A care site under the organisation's own name."""
    return Mapped(location.care_site(resource, resource.get("address") or [], resource.get("type")))
