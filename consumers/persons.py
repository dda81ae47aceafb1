"""The person behind each patient.

Enters: (site, patient id), and merges as events tell them. Leaves: an opaque number that all of a person's records
share, made when the patient is first seen, and the Patient into whom this one was merged. Both are kept in memory until
the identity database says that somebody changed who is who. Merges are numbered: an older one changes nothing, so that
events may come in any order, to any consumer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ecluse.core.db import queries

SQL = queries.load(__package__, "persons.sql")
REMEMBERED = 100_000

PatientKey = tuple[str, str]
"""(site, patient id)"""


class Identity(NamedTuple):
    """Who a patient is. survivor: the Patient that a merged one is now, None when it was not merged; merge: the number
    of the merge that was applied last."""

    person: int
    survivor: str | None = None
    merge: int = 0


class Merge(NamedTuple):
    """A merge as an event tells it. survivor: the patient itself when it was undone"""

    survivor: str
    number: int


NO_MERGES: Mapping[PatientKey, Merge] = {}


class Persons:
    """The persons of one process."""

    def __init__(self, pool: Any, remembered: int = REMEMBERED) -> None:
        """pool: the identity database; remembered: how many to keep in memory."""
        self._pool = pool
        self._remembered = remembered
        self._known: OrderedDict[PatientKey, Identity] = OrderedDict()
        self._generation = -1

    async def resolve(
        self, patients: Iterable[PatientKey], merges: Mapping[PatientKey, Merge] = NO_MERGES
    ) -> dict[PatientKey, Identity]:
        """Who each patient is; a person is made where there was none, and merges that are newer are applied first."""
        asked = set(patients)
        if not asked:
            return {}
        await self._refresh()
        found = {key: self._known[key] for key in asked if key in self._known}
        missing = sorted(asked - found.keys())
        if missing:
            found |= await self._fetch(missing)
        newer = {key: merge for key, merge in merges.items() if merge.number > found[key].merge}
        for key in sorted(newer):
            await self._apply(key, newer[key])
        if newer:
            self._known.clear()
            found = await self._select(sorted(asked))
        self._remember(found)
        return found

    async def _apply(self, key: PatientKey, merge: Merge) -> None:
        """Makes the patient the survivor's person, or its own again."""
        survivor = (key[0], merge.survivor)
        await self._fetch([survivor])
        async with self._pool.acquire() as conn, conn.transaction():
            if await _applied(conn, key) >= merge.number:
                return
            # A survivor is merged into nobody, so it is its own person, whatever of that is applied here yet.
            person = await conn.fetchval(SQL["own_person"], *survivor)
            told = (None, merge.number, "unmerged") if survivor == key else (merge.survivor, merge.number, "merged")
            await conn.execute(SQL["end"], *key)
            await conn.execute(SQL["begin"], person, *key, *told)
            await conn.execute(SQL["changed"])

    async def _refresh(self) -> None:
        generation = await self._pool.fetchval(SQL["generation"])
        if generation != self._generation:
            self._known.clear()
            self._generation = generation

    async def _fetch(self, missing: Sequence[PatientKey]) -> dict[PatientKey, Identity]:
        found = await self._select(missing)
        unseen = [key for key in missing if key not in found]
        if unseen:
            await self._pool.execute(SQL["create"], *_columns(unseen))
            found |= await self._select(unseen)
        return found

    async def _select(self, keys: Sequence[PatientKey]) -> dict[PatientKey, Identity]:
        rows = await self._pool.fetch(SQL["known"], *_columns(keys))
        return {
            (row["site"], row["patient_id"]): Identity(row["person"], row["survivor"], row["merge"]) for row in rows
        }

    def _remember(self, found: dict[PatientKey, Identity]) -> None:
        for key, identity in found.items():
            self._known[key] = identity
            self._known.move_to_end(key)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)


async def _applied(conn: Any, key: PatientKey) -> int:
    """The number of the merge that was applied to a patient last; the patient stays locked."""
    # Who has waited for another process finds the row that it locked ended, and sees the new one by asking again.
    while (number := await conn.fetchval(SQL["lock"], *key)) is None:
        await conn.execute(SQL["create"], *_columns([key]))
    return int(number)


def _columns(keys: Sequence[PatientKey]) -> tuple[list[str], list[str]]:
    return [site for site, _ in keys], [patient for _, patient in keys]
