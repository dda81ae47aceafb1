"""The person behind each patient.

Enters: (site, patient id). Leaves: an opaque number that all of a person's records share, made when the patient is
first seen. Numbers are kept in memory until the identity database says that somebody changed who is who.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from ecluse.core.db import queries

SQL = queries.load(__package__, "persons.sql")
REMEMBERED = 100_000

PatientKey = tuple[str, str]
"""(site, patient id)"""


class Persons:
    """The persons of one process."""

    def __init__(self, pool: Any, remembered: int = REMEMBERED) -> None:
        """pool: the identity database; remembered: how many to keep in memory."""
        self._pool = pool
        self._remembered = remembered
        self._known: OrderedDict[PatientKey, int] = OrderedDict()
        self._generation = -1

    async def resolve(self, patients: Iterable[PatientKey]) -> dict[PatientKey, int]:
        """The person of each patient; made where there was none."""
        asked = set(patients)
        if not asked:
            return {}
        await self._refresh()
        found = {key: self._known[key] for key in asked if key in self._known}
        missing = sorted(asked - found.keys())
        if missing:
            found |= await self._fetch(missing)
        self._remember(found)
        return found

    async def _refresh(self) -> None:
        generation = await self._pool.fetchval(SQL["generation"])
        if generation != self._generation:
            self._known.clear()
            self._generation = generation

    async def _fetch(self, missing: Sequence[PatientKey]) -> dict[PatientKey, int]:
        found = await self._select(missing)
        unseen = [key for key in missing if key not in found]
        if unseen:
            await self._pool.execute(SQL["create"], *_columns(unseen))
            found |= await self._select(unseen)
        return found

    async def _select(self, keys: Sequence[PatientKey]) -> dict[PatientKey, int]:
        rows = await self._pool.fetch(SQL["known"], *_columns(keys))
        return {(row["site"], row["patient_id"]): row["person"] for row in rows}

    def _remember(self, found: dict[PatientKey, int]) -> None:
        for key, person in found.items():
            self._known[key] = person
            self._known.move_to_end(key)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)


def _columns(keys: Sequence[PatientKey]) -> tuple[list[str], list[str]]:
    return [site for site, _ in keys], [patient for _, patient in keys]
