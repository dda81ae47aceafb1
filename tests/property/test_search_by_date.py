"""Every date prefix against every pair of precision, open or closed period and time zone, in PostgreSQL.

The evaluator is written from the words of the specification, range by range, not from the conditions that the SQL uses.
Spec: http://hl7.org/fhir/R4/search.html#prefix, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from ecluse.core import clock
from ecluse.core.fhir.dates import EARLIEST, LATEST
from ecluse.core.fhir.types import number_of
from fhir_server.search import fetch
from fhir_server.search.parse import parse
from mappers.search.index import index_rows
from tests.services.postgres import Postgres

Range = tuple[datetime, datetime]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


STORED: dict[str, tuple[dict[str, str], Range]] = {
    "year": ({"start": "2020", "end": "2020"}, (at(2020, 1, 1), at(2021, 1, 1))),
    "month": ({"start": "2020-03", "end": "2020-03"}, (at(2020, 3, 1), at(2020, 4, 1))),
    "day": ({"start": "2020-03-10", "end": "2020-03-10"}, (at(2020, 3, 10), at(2020, 3, 11))),
    "day before": ({"start": "2020-03-09", "end": "2020-03-09"}, (at(2020, 3, 9), at(2020, 3, 10))),
    "day after": ({"start": "2020-03-11", "end": "2020-03-11"}, (at(2020, 3, 11), at(2020, 3, 12))),
    "second": (
        {"start": "2020-03-10T12:00:00Z", "end": "2020-03-10T12:00:00Z"},
        (at(2020, 3, 10, 12), at(2020, 3, 10, 12, 0, 1)),
    ),
    "zone": (
        {"start": "2020-03-10T00:30:00+02:00", "end": "2020-03-10T00:30:00+02:00"},
        (at(2020, 3, 9, 22, 30), at(2020, 3, 9, 22, 30, 1)),
    ),
    "stay": ({"start": "2020-03-01", "end": "2020-03-15"}, (at(2020, 3, 1), at(2020, 3, 16))),
    "stay across years": ({"start": "2019-12-30", "end": "2020-03-10"}, (at(2019, 12, 30), at(2020, 3, 11))),
    "still there": ({"start": "2020-03-10"}, (at(2020, 3, 10), LATEST)),
    "began unknown": ({"end": "2020-03-10"}, (EARLIEST, at(2020, 3, 11))),
    "long ago": ({"start": "1950", "end": "1951"}, (at(1950, 1, 1), at(1952, 1, 1))),
    "in a while": ({"start": "2050-01-01", "end": "2050-01-02"}, (at(2050, 1, 1), at(2050, 1, 3))),
}

ASKED: dict[str, Range] = {
    "2020": (at(2020, 1, 1), at(2021, 1, 1)),
    "2019": (at(2019, 1, 1), at(2020, 1, 1)),
    "2020-03": (at(2020, 3, 1), at(2020, 4, 1)),
    "2020-03-10": (at(2020, 3, 10), at(2020, 3, 11)),
    "2020-03-09": (at(2020, 3, 9), at(2020, 3, 10)),
    "2020-03-10T12:00": (at(2020, 3, 10, 12), at(2020, 3, 10, 12, 1)),
    "2020-03-10T12:00:00Z": (at(2020, 3, 10, 12), at(2020, 3, 10, 12, 0, 1)),
    "2020-03-10T13:00:00+01:00": (at(2020, 3, 10, 12), at(2020, 3, 10, 12, 0, 1)),
    "2020-03-10T00:00:00Z": (at(2020, 3, 10), at(2020, 3, 10, 0, 0, 1)),
    "2050-01-02": (at(2050, 1, 2), at(2050, 1, 3)),
}


def contains(outer: Range, inner: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def intersects(one: Range, other: Range) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def above(asked: Range) -> Range:
    return asked[1], LATEST


def below(asked: Range) -> Range:
    return EARLIEST, asked[0]


MEANING: dict[str, Callable[[Range, Range], bool]] = {
    "eq": contains,
    "ne": lambda asked, stored: not contains(asked, stored),
    "gt": lambda asked, stored: intersects(above(asked), stored),
    "lt": lambda asked, stored: intersects(below(asked), stored),
    "ge": lambda asked, stored: intersects(above(asked), stored) or contains(asked, stored),
    "le": lambda asked, stored: intersects(below(asked), stored) or contains(asked, stored),
    "sa": lambda asked, stored: not intersects(asked, stored) and contains(above(asked), stored),
    "eb": lambda asked, stored: not intersects(asked, stored) and contains(below(asked), stored),
}


@pytest.fixture(scope="module")
def search(postgres: Postgres) -> Iterator[Callable[[str], set[str]]]:
    """Names of the encounters that a query finds."""
    with postgres.database() as url:
        connection = postgres.wait(asyncpg.connect(url))
        postgres.wait(_fill(connection))

        def found(text: str) -> set[str]:
            rows = postgres.wait(fetch.page(connection, 1, parse("Encounter", text)))
            return {row["id"].replace("-", " ") for row in rows}

        yield found
        postgres.wait(connection.close())


async def _fill(connection: Any) -> None:
    for pk, (name, (period, _)) in enumerate(STORED.items(), 1):
        await connection.execute(
            "INSERT INTO fhir.resource (pk, updated, version, site, type, deleted, id)"
            " VALUES ($1, now(), 1, 1, $2, false, $3)",
            pk,
            number_of["Encounter"],
            name.replace(" ", "-"),
        )
        await connection.execute(
            "INSERT INTO fhir.version (pk, write_id, updated, version, entry, site, type, op, body)"
            " VALUES ($1, 1, now(), 1, 0, 1, $2, 1, '')",
            pk,
            number_of["Encounter"],
        )
        for path, _, low, high in index_rows("Encounter", {"period": period}).dates:
            await connection.execute(
                "INSERT INTO fhir.date (pk, low, high, site, path) VALUES ($1, $2, $3, 1, $4)", pk, low, high, path
            )


@pytest.mark.parametrize("text", ASKED)
@pytest.mark.parametrize("prefix", MEANING)
def test_a_prefix_means_what_the_specification_says(search: Callable[[str], set[str]], prefix: str, text: str) -> None:
    expected = {name for name, (_, stored) in STORED.items() if MEANING[prefix](ASKED[text], stored)}
    assert search(f"date={prefix}{text}") == expected


def test_the_table_asks_something_of_every_prefix() -> None:
    for prefix, holds in MEANING.items():
        answers = {holds(asked, stored) for asked in ASKED.values() for _, stored in STORED.values()}
        assert answers == {True, False}, prefix


def test_without_prefix_it_is_eq(search: Callable[[str], set[str]]) -> None:
    assert search("date=2020-03") == search("date=eq2020-03") >= {"month", "day", "stay"}


def test_a_window_finds_what_touches_it(search: Callable[[str], set[str]]) -> None:
    assert search("date=ge2020-03-11&date=le2020-03-11") == {
        "year",
        "month",
        "stay",
        "day after",
        "still there",
    }


def test_ap_widens_by_a_tenth_of_the_distance_from_now(
    search: Callable[[str], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_clock", lambda: at(2020, 3, 30))
    assert "day" in search("date=ap2020-03-12")
    assert "day" not in search("date=ap2020-03-20")
    assert "long ago" not in search("date=ap2020-03-12")
