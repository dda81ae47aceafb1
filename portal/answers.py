"""Answers of the portal: the same read as a page or as JSON, and failures as either.

Enters: data and a template's name, or an error. Leaves: a response that no cache keeps, that loads nothing from
elsewhere and tells no other server what was searched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ecluse.core import clock
from ecluse.core.errors import EcluseError, MethodNotAllowed, NotFound
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.log import Log
from portal import french

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}

Endpoint = Callable[[Any, Request], Awaitable[Response]]

log = Log("portal")
templates = Environment(
    loader=PackageLoader("portal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
templates.globals["french"] = french


class Failed(EcluseError):
    """Something went wrong here; the log says more under the number of this request."""


def wants_page(request: Request, usual: bool = False) -> bool:
    """Whether the client would rather read a page than JSON. usual: the answer when it says neither"""
    wanted = request.query_params.get("format")
    if wanted:
        return wanted == "html"
    weights = dict(map(_weight, request.headers.get("accept", "*/*").split(",")))
    page, data = weights.get("text/html", 0.0), weights.get("application/json", 0.0)
    return page > data or (usual and page == data)


def _weight(offer: str) -> tuple[str, float]:
    kind, _, parameters = offer.partition(";")
    _, _, weight = parameters.replace(" ", "").partition("q=")
    try:
        return kind.strip().lower(), float(weight or 1)
    except ValueError:
        return kind.strip().lower(), 0.0


def page(name: str, status: int = 200, **given: Any) -> Response:
    """A rendered template."""
    text = templates.get_template(name).render(**given)
    return Response(text, status, HEADERS, "text/html; charset=utf-8")


def data(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(json.encode(value), status, HEADERS, "application/json")


def answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with every error as a page or an OperationOutcome."""

    @wraps(endpoint)
    async def wrapped(portal: Any, request: Request) -> Response:
        try:
            return await endpoint(portal, request)
        except EcluseError as error:
            return failure(request, error)
        except Exception as error:
            request_id = clock.new_id()
            log.error("page failed", error=type(error).__name__, request_id=request_id)
            return failure(request, Failed("The page failed.", diagnostics=request_id))

    return wrapped


async def refused(request: Request, error: Exception) -> Response:
    """What is answered where nothing is served, or not by this method. error: as the router raises it"""
    assert isinstance(error, HTTPException)
    path = request.url.path[:80]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        answer = failure(request, MethodNotAllowed(f"{request.method} does not work here; use {allowed}.", ()))
        answer.headers["Allow"] = allowed
        return answer
    where = "FHIR is at /fhir and at /sites/{site}/fhir; /docs tells all other addresses."
    return failure(request, NotFound(f"Nothing is served at {path}. {where}"))


def failure(request: Request, error: EcluseError) -> Response:
    """An error as the client reads it."""
    if not wants_page(request, usual=request.url.path == "/"):
        return data(operation_outcome(error.issues, error.code), error.status)
    if isinstance(error, Failed):
        text = f"Une erreur est survenue. Elle est dans les journaux sous le numéro {error.issues[0].diagnostics}."
    else:
        text = french.failure(error)
    return page("failure.html", error.status, text=text)
