"""R4's own code systems, value sets and concept maps, there without a step by the user.

Enters: a connection. Leaves: a database that holds this release's edition of them; a newer one stays. They are read
when somebody first asks for terminology, so that a start takes no longer, and once a database, however many processes
ask.
Spec: http://hl7.org/fhir/R4/terminologies.html
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.resources import files

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.fhir import definitions as data
from ecluse.core.fhir import json
from fhir_server.terminology import loading
from fhir_server.terminology.loading import Origin
from fhir_server.terminology.savepoint import atomic
from mappers.terminology.concept import Json

SQL = queries.load(__package__, "definitions.sql")
SOURCE = "hl7.fhir.r4.examples#4.0.1"
EDITION = 1
"""Raised when terminology.json.gz, or what is kept of it, changes."""


async def settle(conn: Connection) -> int:
    """Takes R4's own definitions in when they are not there. Returns: the generation of the tables"""
    ((generation, edition),) = await conn.fetch(SQL["state"])
    if edition >= EDITION:
        return int(generation)
    async with atomic(conn):
        if await conn.fetchval(SQL["lock_state"]) < EDITION:
            await conn.execute(SQL["set_aside"], SOURCE)
            await loading.load_many(conn, Origin(SOURCE), _definitions())
            await conn.execute(SQL["next_state"], EDITION)
    ((generation, _),) = await conn.fetch(SQL["state"])
    return int(generation)


def _definitions() -> Iterator[Json]:
    packed = files(data.__package__) / "terminology.json.gz"
    with packed.open("rb") as opened, gzip.open(opened) as lines:
        for line in lines:
            yield json.decode(line)
