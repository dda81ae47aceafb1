"""HTTP/1.1 as uvicorn reads it, where even what is no HTTP gets an answer that helps.

Enters: bytes of a connection. Leaves: ASGI scopes whose URL has a bounded length: one that is too long ends where the
server sees that it is. What cannot be read at all is answered with an OperationOutcome, and the connection ends."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecluse.core.errors import BadRequest
from fhir_server.http.address import LONGEST_URL_BYTES
from fhir_server.http.failures import outcome_body
from fhir_server.http.responses import CONTENT_TYPE

_NO_HTTP = outcome_body(
    BadRequest("This is not HTTP/1.1. In an address, percent-encode what is not ASCII: é is %C3%A9, a space is %20.")
)


STOPPING, CUT = "stopping", "ecluse.cut"
"""Where the application finds, in the state it shares with all connections, the event that the server's stop sets, and
in the scope's extensions, how to end a connection whose client takes nothing any more."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"abort": self.transport.abort}}

    def shutdown(self) -> None:
        """The server stops: a stream would keep it from that for ever."""
        if STOPPING in self.app_state:
            self.app_state[STOPPING].set()
        super().shutdown()

    def on_url(self, url: bytes) -> None:
        """Part of the URL."""
        self.url += url[: LONGEST_URL_BYTES + 1 - len(self.url)]

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no HTTP."""
        head = (b"HTTP/1.1 400 Bad Request", b"content-type: " + CONTENT_TYPE, b"connection: close")
        length = b"content-length: %d" % len(_NO_HTTP)
        self.transport.write(b"\r\n".join((*head, length, b"", _NO_HTTP)))
        self.transport.close()
