"""What stands between a server and its PostgreSQL, and cuts the connection in a transaction or around its COMMIT.

It passes bytes on as they come, but knows PostgreSQL's messages well enough to see what is asked and the answer to it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

COMMIT = b"COMMIT\0"
STATEMENT, BEFORE, AFTER = "a statement", "before the commit", "after the commit"


@dataclass(slots=True)
class Cut:
    """So many transactions are to be cut, and where; away: the database then stays out of reach."""

    times: int
    where: str
    away: bool


class Cutting:
    """A listener on 127.0.0.1 in front of a database that is reached by a socket of the file system."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._upstream = f"{asked['host']}/.s.PGSQL.{asked.get('port', '5432')}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        self._cut: Cut | None = None
        self._away = False
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._hang_up()

    @contextmanager
    def cutting(self, where: str, times: int = 1, *, away: bool = False) -> Iterator[Cut]:
        """Transactions are cut in here: at their first statement, or when they commit, before that reaches the database
        or before anybody hears of it."""
        self._cut = Cut(times, where, away)
        try:
            yield self._cut
        finally:
            self._cut, self._away = None, False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._away:
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        upstream.connect(self._upstream)
        pair = _Pair(client, upstream)
        self._open |= {client, upstream}
        threading.Thread(target=pair.back, daemon=True).start()
        with suppress(OSError, EOFError):
            upstream.sendall(_message(client, typed=False))
            while True:
                message = _message(client, typed=True)
                cut = self._taken(pair, _place(message, pair))
                if cut is not None:
                    if cut.where == AFTER:
                        pair.deaf = True
                        upstream.sendall(message)
                        pair.ready.wait(10)
                    break
                upstream.sendall(message)
        pair.close()
        self._open -= {client, upstream}

    def _taken(self, pair: _Pair, places: tuple[str, ...]) -> Cut | None:
        """What is to become of a message in these places, when it is to be cut."""
        cut = self._cut
        if cut is None or cut.times == 0 or cut.where not in places:
            return None
        cut.times -= 1
        if cut.away:
            self._away = True
            self._hang_up(but=pair)
        return cut

    def _hang_up(self, but: _Pair | None = None) -> None:
        for one in list(self._open):
            if but is None or one not in (but.client, but.upstream):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class _Pair:
    """One connection and its continuation; deaf: the client hears no more; begun: in a transaction."""

    def __init__(self, client: socket.socket, upstream: socket.socket) -> None:
        self.client, self.upstream = client, upstream
        self.deaf = self.begun = False
        self.ready = threading.Event()

    def back(self) -> None:
        """Passes on what the database says, until it ends."""
        with suppress(OSError):
            while data := self.upstream.recv(65536):
                if self.deaf:
                    self.ready.set()
                else:
                    self.client.sendall(data)
        self.close()

    def close(self) -> None:
        """Ends both."""
        for one in (self.client, self.upstream):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _place(message: bytes, pair: _Pair) -> tuple[str, ...]:
    """Where in a transaction a message stands."""
    if message[:1] == b"Q":
        pair.begun = message[5:].startswith(b"BEGIN; SET LOCAL")
        return (BEFORE, AFTER) if message[5:] == COMMIT else ()
    return (STATEMENT,) if message[:1] == b"B" and pair.begun else ()


def _message(source: socket.socket, *, typed: bool) -> bytes:
    head = _exactly(source, 5 if typed else 4)
    return head + _exactly(source, int.from_bytes(head[-4:], "big") - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
