"""Lists with filters, as an address says them.

Enters: a request. Leaves: which filters are given, and addresses of the same list with others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from ecluse.core.errors import BadRequest
from portal.asking import given_once

AFTER = "after"
"""The parameter that says where a page begins: what another page of the list does not take over."""

COUNTED = ("site", "type", "severity", "code", "profile", "path")
"""By what issues are counted."""

Read = Callable[[Mapping[str, str]], Awaitable[Any]]


class Reads(NamedTuple):
    """What the pages show, as it is told at /intake.json, /intake/counts.json, /issues and /issues/counts; and what
    tells whether there is a site."""

    arrivals: Read
    tallies: Read
    issues: Read
    counts: Read
    check_site: Callable[[str], Awaitable[None]]
    """Raises: NotFound (404) with the sites there are"""


class Listed(NamedTuple):
    """A list and the filters that are given."""

    path: str
    given: Mapping[str, str] = {}

    def value(self, name: str) -> str:
        """What is given for a filter, "" when nothing is."""
        return self.given.get(name, "")

    def only(self, *names: str) -> dict[str, str]:
        """These filters, where they are given."""
        return {name: value for name, value in self.given.items() if name in names}

    def at(self, path: str = "", /, **changed: str | None) -> str:
        """The address of a list with these filters and what is changed in them; "" takes one away."""
        given = {name: value for name, value in self.given.items() if name != AFTER}
        given |= {name.replace("_", "-"): value or "" for name, value in changed.items()}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"{path or self.path}?{query}" if query else path or self.path

    def request(self, request_id: str) -> str:
        """The address of the page of one request."""
        return Listed("/intake/request", {**self.only("since"), "request-id": request_id}).at()

    def behind(self, row: Mapping[str, Any]) -> str:
        """The address of the resources that a count is about."""
        return self.at("/quality/resources", **{name: row[name] for name in COUNTED})


def listed(request: Request, names: Sequence[str]) -> Listed:
    """The list of a request. names: of the filters that it has

    Raises: BadRequest (400) for a parameter that is unknown, stands twice or holds what no text does
    """
    given = {name: value.strip() for name, value in given_once(request.query_params.multi_items(), names).items()}
    for name, value in given.items():
        if "\x00" in value:
            raise BadRequest("No value holds the character NUL.", expression=name)
    return Listed(request.url.path, {name: value for name, value in given.items() if value})


def choices(rows: Sequence[Mapping[str, Any]], name: str, chosen: str) -> list[str]:
    """What a filter may hold: what the rows do, and what is chosen already."""
    return sorted({str(row[name]) for row in rows if row[name]} | ({chosen} if chosen else set()))
