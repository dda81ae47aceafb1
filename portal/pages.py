"""The pages of the portal: home and search. Each renders what also exists as JSON.

Enters: settings and a way to ask for the present state. Leaves: routes. `/search` answers JSON to whoever asks for it
(Accept or `format=json`) and a page to a browser; `/` renders `/status.json`. No query stands in a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ecluse.core.errors import BadRequest, EcluseError
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from ecluse.index.protocol import Filters, Hit, Hits
from ecluse.index.tantivy import Reader

State = Callable[[], Awaitable[dict[str, Any]]]
DEFAULT_COUNT, MOST, FURTHEST = 20, 100, 10_000
FILTERS = {"site": "site", "patient": "patient", "type": "type", "from": "since", "to": "until"}
FOLDER = Path(__file__).parent

_templates = Environment(loader=PackageLoader("portal"), autoescape=select_autoescape(), trim_blocks=True)


def routes(settings: Settings, state: State) -> list[BaseRoute]:
    """The routes of the portal."""
    reader = Reader(settings.data / "index")

    async def home(request: Request) -> Response:
        try:
            return _page("home.html", state=await state())
        except EcluseError as error:
            return _page("home.html", status=error.status, failure=str(error))

    async def search(request: Request) -> Response:
        try:
            found = await _found(reader, request)
        except EcluseError as error:
            return _refusal(request, error)
        if _wants_json(request):
            return Response(json.encode(_as_data(found, request)), media_type="application/json")
        return _page("search.html", **_view(found, request))

    static = Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    return [Route("/", home), Route("/search", search), static]


async def _found(reader: Reader, request: Request) -> Hits | None:
    """What matches; None when nothing was asked."""
    question = request.query_params.get("q", "").strip()
    if not question:
        return None if not _wants_json(request) else Hits(0, [])
    filters = Filters(**{field: request.query_params.get(name, "") for name, field in FILTERS.items()})
    count, page = _whole(request, "count", DEFAULT_COUNT, MOST), _whole(request, "page", 1, FURTHEST)
    # The engine works without the interpreter's lock, so other requests go on meanwhile.
    return await asyncio.to_thread(reader.search, question, filters, limit=count, offset=(page - 1) * count)


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= most):
        raise BadRequest(f"{name} is a whole number from 1 to {most}.", expression=name)
    return int(text)


def _wants_json(request: Request) -> bool:
    wanted = request.query_params.get("format")
    return wanted == "json" if wanted else "text/html" not in request.headers.get("accept", "")


def _as_data(found: Hits | None, request: Request) -> dict[str, Any]:
    hits = found or Hits(0, [])
    return {"total": hits.total, "page": _whole(request, "page", 1, FURTHEST), "hits": [_hit(hit) for hit in hits.hits]}


def _hit(hit: Hit) -> dict[str, Any]:
    site, resource = hit.key.split("/", 1)
    base = "/fhir" if site == "default" else f"/sites/{site}/fhir"
    return {**hit._asdict(), "url": f"{base}/{resource}"}


def _view(found: Hits | None, request: Request) -> dict[str, Any]:
    asked = dict(request.query_params)
    page, count = _whole(request, "page", 1, FURTHEST), _whole(request, "count", DEFAULT_COUNT, MOST)
    hits = [{**_hit(hit), "snippet": Markup(hit.snippet_html)} for hit in found.hits] if found else []  # noqa: S704 - escaped by the index
    links = {}
    if page > 1:
        links["before"] = f"/search?{urlencode({**asked, 'page': page - 1})}"
    if found and page * count < found.total:
        links["after"] = f"/search?{urlencode({**asked, 'page': page + 1})}"
    return {"asked": asked, "total": found.total if found else None, "hits": hits, "links": links, "page": page}


def _refusal(request: Request, error: EcluseError) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": str(error)}, error.status)
    return _page(
        "search.html", status=error.status, asked=dict(request.query_params), hits=[], links={}, failure=str(error)
    )


def _page(template: str, status: int = 200, **values: Any) -> Response:
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"}
    return HTMLResponse(_templates.get_template(template).render(**values), status, headers)
