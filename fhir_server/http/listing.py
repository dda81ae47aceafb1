"""Lists beside FHIR, as JSON: how their queries are read, and how they are answered.

Enters: a request, and what finds the rows. Leaves: the rows, or an OperationOutcome that says why there
are none.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ecluse.core import clock
from ecluse.core.db.pool import translated
from ecluse.core.fhir import json
from fhir_server.http.address import check
from fhir_server.http.failures import failure

_NUMBER = re.compile(r"0{0,9}[1-9][0-9]{0,8}")


async def listing(request: Request, find: Callable[[], Awaitable[Any]]) -> Response:
    """200 with what is found, or an OperationOutcome. find: called when the query is text"""

    async def answer() -> Response:
        return Response(json.encode(await find()), media_type="application/json")

    return await answering(request, answer)


async def answering(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
    """The answer, or an OperationOutcome. answer: called when the query is text"""
    try:
        check(request.scope["query_string"], "query")
        with translated():
            return await answer()
    except Exception as error:
        told = failure(error, clock.new_id())
        return Response(told.body, told.status, dict(told.headers), "application/json")


def number(text: str, most: int) -> int | None:
    """The whole number from 1 to `most` that a text is, None when it is none."""
    found = int(text) if _NUMBER.fullmatch(text) else 0
    return found if 0 < found <= most else None
