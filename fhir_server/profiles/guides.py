"""The profiles of the installed packages, as this process knows them.

Enters: a connection. Leaves: compiled profiles. Nothing here is truth: the database counts installations, and a process
that has read another number forgets all and begins anew. Definitions are fetched and compiled when the first resource
needs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json
from ecluse.core.fhir.validation.profiles.library import Library
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from fhir_server.store import guides

_ADDRESS = re.compile(rb'"(https?://[^"\\\s]+)"')


class Guides:
    """The compiled profiles of one generation; one a process."""

    def __init__(self) -> None:
        self._generation = -1
        self._profiles = Profiles(Library({}))

    async def current(self, conn: Connection) -> Profiles:
        """The profiles of what is installed now."""
        generation = await guides.generation(conn)
        if generation != self._generation:
            self._profiles = Profiles(Library(await guides.index(conn)))
            self._generation = generation
        return self._profiles


def named(library: Library, body: bytes) -> set[int]:
    """The keys of definitions that a body names and that were not fetched yet."""
    return library.lacking(address.decode("utf-8", "replace") for address in set(_ADDRESS.findall(body)))


async def fetch(conn: Connection, library: Library, keys: Iterable[int]) -> None:
    """Fetches definitions, those that they mention, and so on."""
    wanted = set(keys)
    while wanted:
        found = {key: json.decode(body) for key, body in (await guides.bodies(conn, wanted)).items()}
        library.add({key: found.get(key, {}) for key in wanted})
        wanted = library.wanted(found.values())
