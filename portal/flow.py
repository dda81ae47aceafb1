"""The page of what flows now, for those who run the server: it renews itself until it is paused.

Enters: a call that tells what flows. Leaves: a page, or the same as JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ecluse.core import clock
from portal.answers import answered, data, page, wants_page

RENEWED_S = 5


class FlowPage:
    """The endpoint; it keeps nothing between requests."""

    def __init__(self, flowing: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._flowing = flowing

    @answered
    async def now(self, request: Request) -> Response:
        """What arrives, what waits, who is behind, and what holds it up."""
        found = await self._flowing()
        if not wants_page(request):
            return data(found)
        paused = "paused" in request.query_params
        shown = page("flow.html", flow=found, paused=paused, every_s=RENEWED_S, at=clock.now())
        if not paused:
            shown.headers["Refresh"] = str(RENEWED_S)
        return shown
