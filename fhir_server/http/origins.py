"""Which web pages may call the server from a browser.

Enters: the application and the origins an operator named. Leaves: the same application, or one that answers browsers'
preflights and tells them which headers a page may read. Credentials of the browser (cookies) are never allowed.
Spec: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READABLE = (
    "Content-Location",
    "ETag",
    "Last-Modified",
    "Location",
    "Retry-After",
    "X-Ecluse-Event",
    "X-Ecluse-Kept",
    "X-Ecluse-Repeated",
    "X-Progress",
    "X-Request-Id",
)
REMEMBERED_S = 600


def allowing_origins(application: ASGIApp, origins: str) -> ASGIApp:
    """The application for these origins. origins: separated by commas, `*` for any, "" for none"""
    named = [origin.strip().rstrip("/") for origin in origins.split(",") if origin.strip()]
    if not named:
        return application
    return CORSMiddleware(
        application,
        allow_origins=named,
        allow_methods=METHODS,
        allow_headers=["*"],
        expose_headers=READABLE,
        max_age=REMEMBERED_S,
    )
