"""Requests as spans, when traces are on.

Enters: requests, some with a `traceparent`. Leaves: the same requests with the `traceparent` of their own span, which
what they write carries to the consumers.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecluse.core import tracing
from fhir_server.http.interaction import asked_for

CARRIED = (b"traceparent", b"tracestate")


def traced(application: ASGIApp) -> ASGIApp:
    """The application with a span for each request; itself while traces are off."""
    spans = tracing.spans
    if spans is None:
        return application

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        carrier = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in CARRIED}
        with spans.request(" ".join(asked_for(scope)), carrier, {"http.request.method": scope["method"]}) as request:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request.answered(message["status"])
                await send(message)

            headers = [each for each in scope["headers"] if each[0] != CARRIED[0]]
            own = (CARRIED[0], request.traceparent.encode())
            await application({**scope, "headers": [*headers, own]}, receive, told)

    return asked
