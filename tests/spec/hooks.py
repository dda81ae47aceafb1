"""An app's hook, and the consumer that calls it, for the tests of Subscriptions."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.server import Served

DEADLINE_S = 60.0


class Received(NamedTuple):
    """One request that a hook got and answered with 200."""

    number: int
    method: str
    path: str
    body: bytes
    secret: str | None
    traceparent: str | None


class Hook:
    """An app's hook; status: what it answers; slow_s: how long it takes."""

    def __init__(self, port: int) -> None:
        self.port, self.status, self.slow_s = port, 200, 0.0
        self.received: list[Received] = []
        self.refused = self.begun = 0

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def numbers(self) -> list[int]:
        """The numbers that arrived, in order."""
        return [one.number for one in self.received]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The hook is up."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # who sent it was killed
                return
            hook.begun += 1
            threading.Event().wait(hook.slow_s)
            if hook.status == 200:
                number = int(self.headers["X-Ecluse-Event-Number"])
                told = (self.headers.get("Authorization"), self.headers.get("traceparent"))
                hook.received.append(Received(number, self.command, self.path, body, *told))
            else:
                hook.refused += 1
            self.send_response(hook.status)
            self.end_headers()

        do_PUT = do_POST = _take

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


@contextmanager
def consuming(served: Served, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The consumer in a process of its own."""
    command = [sys.executable, "-m", "ecluse", "consume", "subscriptions"]
    environment = served.environment | {"ECLUSE_HOOK_HOSTS": "127.0.0.1"} | variables
    with Path(f"{served.log}.subscriptions").open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(true: Callable[[], Any]) -> None:
    """Returns when it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.02)
