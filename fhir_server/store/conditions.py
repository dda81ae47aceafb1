"""Which resources match a condition: `identifier=https://rpps.esante.gouv.fr|10001234567`.

Enters: a connection in the caller's transaction, and search criteria. Leaves: ids. The caller holds the locks of its
conditions (`resources.lock_conditions`) when it will write what it did not find. Spec:
http://hl7.org/fhir/R4/http.html#cond-update, http://hl7.org/fhir/R4/http.html#trules"""

from __future__ import annotations

from typing import Any

from ecluse.core.errors import PreconditionFailed
from fhir_server.search.compile import matches
from fhir_server.search.parse import parse_criteria


async def only_match(conn: Any, site: int, resource_type: str, criteria: str) -> str | None:
    """The id of the one resource that matches, None when none does.

    Raises: PreconditionFailed (412) when several match, BadRequest (400) when the criteria cannot be read
    """
    sql, arguments = matches(site, parse_criteria(resource_type, criteria))
    rows = await conn.fetch(sql, *arguments)
    if len(rows) > 1:
        raise PreconditionFailed(
            f"Several {resource_type} resources match; make the condition narrower or remove the duplicates.",
            diagnostics=f"{resource_type}?{criteria}",
        )
    return rows[0]["id"] if rows else None
