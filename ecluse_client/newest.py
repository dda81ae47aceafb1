"""Once in effect: which event of each resource was handled, kept where the effect is kept.

Enters: a connection to the caller's own database, and events. Leaves: whether an event is to be handled. It is written
in the caller's transaction, together with what the caller makes of the event: both stand, or neither.
"""

from __future__ import annotations

import re
from typing import Any

from ecluse_client.event import Event

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Newest:
    """The newest event that was handled of each resource, in a table of the caller's database.

    connection: of sqlite3, or of a driver of PostgreSQL that speaks the DB-API (psycopg); `cursor()` is all it needs
    """

    def __init__(self, connection: Any, table: str = "ecluse_newest", mark: str = "") -> None:
        """mark: how the driver writes a parameter; `?` for sqlite3, else `%s`, unless given

        Raises: ValueError when the table has a name that would have to be quoted"""
        if not _NAME.fullmatch(table):
            raise ValueError(f"{table!r}: write small letters, digits and _")
        mark = mark or ("?" if type(connection).__module__.startswith("sqlite3") else "%s")
        self._connection = connection
        self._sql = (
            f"INSERT INTO {table} (key, epoch, version, seq, stays) VALUES ({mark}, {mark}, {mark}, {mark}, {mark})"  # noqa: S608
            " ON CONFLICT (key) DO UPDATE SET"
            " epoch = excluded.epoch, version = excluded.version, seq = excluded.seq, stays = excluded.stays"
            f" WHERE ({table}.epoch, {table}.version, {table}.seq, {table}.stays)"
            " < (excluded.epoch, excluded.version, excluded.seq, excluded.stays)"
        )
        cursor = connection.cursor()
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key text PRIMARY KEY, epoch bigint NOT NULL, version bigint NOT NULL,"
            " seq bigint NOT NULL, stays smallint NOT NULL)"
        )
        cursor.close()

    def take(self, event: Event) -> bool:
        """Whether the event is news: neither handled already nor older than what was. Said once; commit it together
        with what you make of the event.

        `moved` has version and position of the new patient's event, in another partition: it is False when that one
        came first, and never makes that one False."""
        cursor = self._connection.cursor()
        try:
            stays = int(event.action != "moved")
            cursor.execute(self._sql, (event.key, event.position.epoch, event.version, event.position.seq, stays))
            return bool(cursor.rowcount == 1)
        finally:
            cursor.close()
