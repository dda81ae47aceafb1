"""The pages, and the same reads as JSON.

Enters: settings, a call that tells what is stored and where each consumer stands, the OpenAPI document, and the reads
behind the lists. Leaves: routes.

    /                              what is stored and where it stands (as JSON: /status.json)
    /flow                          what flows now, and what holds it up (as JSON too)
    /search                        search in the reports
    /search/choices.json           what the filters of a search may hold
    /reports/{site}/{type}/{id}    one report with its whole text
    /intake                        what arrived, from whom, what was refused (as JSON: /intake.json)
    /intake/request                one request, by its X-Request-Id
    /quality                       what is stored although it breaks a rule (as JSON: /issues/counts)
    /quality/resources             the resources behind it (as JSON: /issues)
    /docs                          what is served over HTTP (as JSON: /openapi.json)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.settings import Settings, fhir_base
from ecluse.index.protocol import Choices, Entry, Hit, Hits, IndexReader, Missing
from ecluse.index.snippet import marked
from ecluse.index.tantivy import Reader
from portal.answers import HEADERS, answered, data, failure, page, wants_page
from portal.asking import Asked, asked
from portal.flow import FlowPage
from portal.french import failure as explained
from portal.intake import IntakePages
from portal.lists import Reads
from portal.quality import QualityPages

Status = Callable[[], Awaitable[Mapping[str, Any]]]

STATIC = {"portal.css": "text/css; charset=utf-8", "ecluse.svg": "image/svg+xml"}


def routes(
    settings: Settings, status: Status, flowing: Status, document: Mapping[str, Any], reads: Reads
) -> list[BaseRoute]:
    """The routes of the portal.

    status: what /status.json answers; flowing: what /flow tells; document: what /openapi.json answers; reads: what
    lists answer
    """
    portal = Portal(Reader(settings.data / "index"), status, document, reads)
    intake, quality = IntakePages(reads), QualityPages(reads)
    return [
        Route("/", portal.home),
        Route("/flow", FlowPage(flowing).now),
        Route("/search", portal.search),
        Route("/search/choices.json", portal.choices),
        Route("/reports/{site}/{type}/{id}", portal.report),
        Route("/intake", intake.requests),
        Route("/intake/request", intake.one),
        Route("/quality", quality.kinds),
        Route("/quality/resources", quality.resources),
        Route("/docs", portal.docs),
        Route("/static/{name}", portal.static),
    ]


class Portal:
    """The endpoints; they keep nothing between requests."""

    def __init__(self, reader: IndexReader, status: Status, document: Mapping[str, Any], reads: Reads) -> None:
        self._reader = reader
        self._reads = reads
        self._status = status
        self._document = document

    @answered
    async def home(self, request: Request) -> Response:
        """What is stored and where it stands."""
        present = await self._status()
        return page("home.html", present=present, totals=_totals(present["stored"]))

    @answered
    async def search(self, request: Request) -> Response:
        """Reports that match, as a page or as JSON."""
        if wants_page(request):
            return await self._search_page(request)
        wanted = asked(request.query_params.multi_items())
        found = await self._find(wanted)
        return data(
            {
                "total": found.total,
                "page": wanted.page,
                "count": wanted.count,
                "hits": [hit._asdict() | _addresses(hit.key) for hit in found.hits],
            }
        )

    async def _search_page(self, request: Request) -> Response:
        given: dict[str, Any] = {"asked": Asked(), "found": None, "problem": "", "hits": [], "choices": Choices([], [])}
        status = 200
        try:
            given["choices"] = await asyncio.to_thread(self._reader.choices)
            given["asked"] = wanted = asked(request.query_params.multi_items())
            if wanted.anything:
                given["found"] = found = await self._find(wanted)
                given["hits"] = [_shown(hit, wanted) for hit in found.hits]
        except (BadRequest, NotFound, Missing) as error:
            given["problem"], status = explained(error), error.status
        return page("search.html", status, **given)

    async def _find(self, wanted: Asked) -> Hits:
        """Raises: NotFound (404) when the search is of a site that there is not, and what searching raises"""
        found = await asyncio.to_thread(
            self._reader.search, wanted.q, wanted.filters, limit=wanted.count, offset=wanted.offset
        )
        if not found.total and wanted.filters.site:
            await self._reads.check_site(wanted.filters.site)
        return found

    @answered
    async def choices(self, request: Request) -> Response:
        """What the filters of a search may hold."""
        found = await asyncio.to_thread(self._reader.choices)
        return data({"sites": found.sites, "types": [{"code": code, "display": text} for code, text in found.types]})

    @answered
    async def report(self, request: Request) -> Response:
        """One report; `q` says what to highlight."""
        key = "/".join(request.path_params[part] for part in ("site", "type", "id"))
        entry = await asyncio.to_thread(self._reader.entry, key)
        if entry is None:
            raise NotFound("No report of this address is in the index.")
        if not wants_page(request):
            return data(_report(entry))
        return await self._report_page(entry, asked(request.query_params.multi_items()))

    async def _report_page(self, entry: Entry, wanted: Asked) -> Response:
        places = await asyncio.to_thread(self._reader.highlighted, wanted.q, entry.text) if wanted.q else []
        text = Markup(marked(entry.text, places, lines=True))  # noqa: S704 - marked() escapes the report
        addresses = _addresses(entry.key)
        return page("report.html", entry=entry, text=text, places=len(places), asked=wanted, addresses=addresses)

    @answered
    async def docs(self, request: Request) -> Response:
        """What is served over HTTP."""
        return page("docs.html", document=self._document)

    async def static(self, request: Request) -> Response:
        """A file that the pages need."""
        name = request.path_params["name"]
        if name not in STATIC:
            return failure(request, NotFound(f"There is no file {name[:80]}."))
        content = files("portal").joinpath("static", name).read_bytes()
        return Response(content, 200, HEADERS | {"Cache-Control": "public, max-age=300"}, STATIC[name])


def _shown(hit: Hit, wanted: Asked) -> dict[str, Any]:
    """A hit for the template."""
    addresses = _addresses(hit.key)
    return {
        **hit._asdict(),
        "snippet": Markup(hit.snippet_html),  # noqa: S704 - the index escapes its snippets
        "address": wanted.address(addresses["report_url"]),
    }


def _addresses(key: str) -> dict[str, str]:
    """Where a report is read here and as the FHIR resource."""
    site, resource_type, resource_id = key.split("/")
    return {"report_url": f"/reports/{key}", "fhir_url": f"{fhir_base('', site)}/{resource_type}/{resource_id}"}


def _report(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__} | _addresses(entry.key)


def _totals(stored: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[tuple[str, list[int]]]:
    """(resource type, present resources at each site), the most frequent first."""
    names = {name for counts in stored.values() for name in counts}
    rows = [(name, [counts.get(name, {}).get("present", 0) for counts in stored.values()]) for name in names]
    return sorted((row for row in rows if any(row[1])), key=lambda row: (-sum(row[1]), row[0]))
