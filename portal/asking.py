"""A search as an address says it.

Enters: the parameters of a query string. Leaves: an Asked, and addresses of its other pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ecluse.core.errors import BadRequest, Gathering, Issue
from ecluse.index.protocol import Filters

PARAMETERS = ("q", "site", "patient", "type", "from", "to", "count", "page")
IGNORED = frozenset(("format",))
MOST_COUNT = 100
NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched. count: hits a page; page: from 1"""

    q: str = ""
    filters: Filters = NO_FILTERS
    count: int = 20
    page: int = 1

    @property
    def anything(self) -> bool:
        """Whether there is something to search for."""
        return bool(self.q.strip()) or self.filters != NO_FILTERS

    @property
    def offset(self) -> int:
        """Hits before this page."""
        return (self.page - 1) * self.count

    def pages(self, total: int) -> int:
        """How many pages so many hits have."""
        return -(-total // self.count)

    def on_page(self, page: int) -> str:
        """The address of another page of this search."""
        return replace(self, page=page).address("/search")

    def without(self, name: str) -> str:
        """The address of this search without one filter."""
        return replace(self, filters=self.filters._replace(**{name: ""}), page=1).address("/search")

    def of_patient(self, patient: str, site: str) -> str:
        """The address of all reports of a patient."""
        return Asked(filters=Filters(site=site, patient=patient)).address("/search")

    def address(self, path: str) -> str:
        """This search as an address; what is as usual is left out."""
        default = Asked()
        given = {
            "q": self.q,
            "site": self.filters.site,
            "patient": self.filters.patient,
            "type": self.filters.type,
            "from": self.filters.since,
            "to": self.filters.until,
            "count": self.count if self.count != default.count else "",
            "page": self.page if self.page != default.page else "",
        }
        query = urlencode({name: value for name, value in given.items() if value != ""})
        return f"{path}?{query}" if query else path


def asked(parameters: Iterable[tuple[str, str]]) -> Asked:
    """What the parameters of an address ask for.

    Raises: BadRequest (400) with each that is unknown, stands twice or is not of its kind
    """
    wrong = Gathering()
    parameters = tuple(parameters)
    wrong.read(given_once, parameters, PARAMETERS)
    given = {name: value.strip() if name != "q" else value for name, value in parameters}
    found = Asked(
        q=given.get("q", ""),
        filters=Filters(
            given.get("site", ""),
            given.get("patient", ""),
            given.get("type", ""),
            given.get("from", ""),
            given.get("to", ""),
        ),
        count=wrong.read(_number, given, "count", 20, MOST_COUNT),
        page=wrong.read(_number, given, "page", 1, 1_000_000),
    )
    wrong.check()
    return found


def given_once(parameters: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The values of parameters.

    Raises: BadRequest (400) with each that is not among the names or stands twice
    """
    given: dict[str, str] = {}
    issues: list[Issue] = []
    for name, value in parameters:
        if name in IGNORED:
            continue
        if name not in names:
            issues.append(Issue(f"There is no such parameter; there are {', '.join(names)}.", diagnostics=name[:80]))
        if name in given:
            issues.append(Issue("Give each parameter once.", name))
        given[name] = value
    if issues:
        raise BadRequest(issues=issues)
    return given


def _number(given: dict[str, str], name: str, usual: int, most: int) -> int:
    text = given.get(name, "")
    if not text:
        return usual
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise BadRequest(f"{name} is a whole number from 1 to {most}.", expression=name)
    return int(text)
