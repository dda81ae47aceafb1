"""The pages of what is stored although it breaks a rule: which site sends what.

Enters: the reads of /issues/counts and /issues. Leaves: a page of kinds of issues, a page of the resources behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.settings import fhir_base
from portal.answers import answered, page
from portal.french import failure as explained
from portal.lists import AFTER, COUNTED, Listed, Reads, choices, listed

SEVERITIES = ("error", "warning", "information")
KINDS = 200
ROWS = 50


class QualityPages:
    """The endpoints; they keep nothing between requests."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @answered
    async def kinds(self, request: Request) -> Response:
        """How many resources have which issue, errors first."""
        shown: dict[str, Any] = {"asked": Listed("/quality"), "rows": [], "more": "", "problem": ""}
        status = 200
        try:
            shown["asked"] = asked = listed(request, (*COUNTED, AFTER))
            found = await self._reads.counts({**asked.given, "_count": str(KINDS)})
            shown["rows"], shown["more"] = found["counts"], asked.at(after=found["next"]) if "next" in found else ""
        except (BadRequest, NotFound) as error:
            shown["problem"], status = explained(error), error.status
        offers = {name: choices(shown["rows"], name, shown["asked"].value(name)) for name in COUNTED}
        return page("quality.html", status, **shown, offers=offers, severities=SEVERITIES)

    @answered
    async def resources(self, request: Request) -> Response:
        """Issues of single resources, each with what leads to the resource.

        Raises: BadRequest (400) when a filter cannot be read
        """
        asked = listed(request, (*COUNTED, AFTER))
        found = await self._reads.issues({**asked.given, "_count": str(ROWS)})
        more = asked.at(after=found["next"]) if "next" in found else ""
        rows = [{**row, "address": _address(row)} for row in found["issues"]]
        return page("flagged.html", asked=asked, rows=rows, more=more)


def _address(row: Mapping[str, Any]) -> str:
    """Where the resource is read, in lines."""
    return f"{fhir_base('', row['site'])}/{row['resource']}?_format=json&_pretty=true"
