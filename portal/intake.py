"""The pages of the intake: what arrived, from whom, what was refused and why.

Enters: the reads of /intake.json and /intake/counts.json. Leaves: a page of requests, the page of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ecluse.core.errors import BadRequest, Issue, NotFound
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from portal.answers import answered, page
from portal.french import failure as explained
from portal.lists import AFTER, Listed, Reads, choices, listed

FILTERS = ("site", "sender", "status", "reason", "since")
USUAL = "24h"
ROWS, PARTS = 50, 1000


class Sender(NamedTuple):
    """What one sender sent to a site. refusals: entries that were refused, of batches and alone"""

    site: str
    sender: str
    requests: int
    accepted: int
    refused: int
    failed: int
    refusals: int


class IntakePages:
    """The endpoints; they keep nothing between requests."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @answered
    async def requests(self, request: Request) -> Response:
        """Who sent how much, and the requests, the newest first."""
        shown: dict[str, Any] = {"asked": Listed("/intake"), "rows": [], "tallies": [], "more": "", "problem": ""}
        status = 200
        try:
            shown["asked"] = asked = listed(request, (*FILTERS, AFTER))
            shown["tallies"] = await self._reads.tallies(asked.only(*FILTERS))
            rows = await self._reads.arrivals({**asked.given, "count": str(ROWS + 1)})
            shown["rows"] = rows[:ROWS]
            shown["more"] = asked.at(after=rows[ROWS - 1]["cursor"]) if len(rows) > ROWS else ""
        except (BadRequest, NotFound) as error:
            shown["problem"], status = explained(error), error.status
        senders = by_sender(shown["tallies"])
        offers = {name: choices(shown["tallies"], name, shown["asked"].value(name)) for name in FILTERS[:4]}
        return page("intake.html", status, **shown, senders=senders, offers=offers, usual=USUAL)

    @answered
    async def one(self, request: Request) -> Response:
        """One request, with its entries and the OperationOutcome of each.

        Raises: BadRequest (400) without its number; NotFound (404) when the intake has none of it
        """
        asked = listed(request, ("request-id", "since"))
        if not asked.value("request-id"):
            raise BadRequest("Say which request, by its X-Request-Id.", expression="request-id")
        rows = await self._reads.arrivals({**asked.given, "count": str(PARTS)})
        if not rows:
            raise NotFound("The intake has no request of this X-Request-Id.", expression="request-id")
        shown = [_with_outcome(row) for row in sorted(rows, key=_place)]
        return page("request.html", asked=asked, rows=shown, full=len(rows) == PARTS)


def by_sender(tallies: Sequence[Mapping[str, Any]]) -> list[Sender]:
    """One row a sender and site, the one who sent most first."""
    found: dict[tuple[str, str], Sender] = {}
    for row in tallies:
        key = (row["site"] or "", row["sender"])
        sums = found.get(key, Sender(*key, 0, 0, 0, 0, 0))
        count, status = row["requests"], row["status"]
        found[key] = sums._replace(
            requests=sums.requests + count,
            accepted=sums.accepted + count * (200 <= status < 400),
            refused=sums.refused + count * (400 <= status < 500),
            failed=sums.failed + count * (status >= 500),
            refusals=sums.refusals + row["refused"],
        )
    return sorted(found.values(), key=lambda one: (-one.requests, one))


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    """A batch before its entries, in their order; what was sent again with the same number comes later."""
    return row["received_at"], -1 if row["part"] is None else row["part"]


def _with_outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its issues as FHIR tells them; "" when it has none."""
    issues = [Issue(one["text"], one["expression"], "", one["code"], one["severity"]) for one in row["issues"]]
    outcome = msgspec.json.format(json.encode(operation_outcome(issues)), indent=2).decode() if issues else ""
    return {**row, "outcome": outcome}
