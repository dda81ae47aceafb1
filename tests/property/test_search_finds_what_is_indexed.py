"""Index and query agree: for random parameters and values, PostgreSQL answers what a slow evaluator in memory answers.

The evaluator compares the index rows of each resource with what the specification says of each search type; the rows
themselves are held against fhirpathpy elsewhere. Beside the resources that are searched stand the same ones in another
site, and deleted ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecluse.core.fhir import json
from ecluse.core.fhir.dates import EARLIEST, LATEST, bounds
from ecluse.core.fhir.types import name_of, number_of
from fhir_server.search import compile, plan
from fhir_server.search.cursor import after
from fhir_server.search.parse import parse
from fhir_server.search.query import SearchQuery
from fhir_server.search.tree import groups
from fhir_server.store.search_rows import TABLES
from mappers.search.index import IndexRows, index_rows
from mappers.search.question import escaped
from mappers.search.registry import Parameter, served
from mappers.search.string import normalise as folded
from mappers.search.token import system_key
from tests.official import official_files
from tests.services.postgres import Postgres

SITE, OTHER_SITE = 1, 2
HASHED = re.compile("…[0-9a-f]{32}$")
OF_A_TYPE = 12
LARGEST_BYTES = 30_000
START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=7)
DELETED_EVERY = 5
"""Every fifth resource of the other site's copies is deleted here under another id."""


class Stored(NamedTuple):
    """One resource of the searched site."""

    pk: int
    type: str
    id: str
    updated: datetime
    rows: IndexRows


class World(NamedTuple):
    """What is stored, the parameters that have rows of it, and a way to ask for it."""

    by_type: dict[str, list[Stored]]
    asked_for: dict[str, list[Parameter]]
    systems: dict[int, str]
    fetch: Callable[[tuple[str, list[Any]]], list[Any]]

    def __repr__(self) -> str:
        return f"{sum(map(len, self.by_type.values()))} resources"


@cache
def resources() -> list[dict[str, Any]]:
    counts: dict[str, int] = defaultdict(int)
    found = []
    for file in official_files():
        name = file.name.partition("-")[0]
        if name in number_of and counts[name] < OF_A_TYPE and file.stat().st_size < LARGEST_BYTES:
            counts[name] += 1
            found.append(json.decode(file.read_bytes()))
    return found


@pytest.fixture(scope="module")
def world(postgres: Postgres) -> Iterator[World]:
    by_type: dict[str, list[Stored]] = defaultdict(list)
    systems: dict[int, str] = {}
    for number, resource in enumerate(resources()):
        name = resource["resourceType"]
        by_type[name].append(
            Stored(number + 1, name, resource["id"], START + number % 40 * STEP, index_rows(name, resource))
        )
        systems |= {system_key(url): url for url in _systems(resource)}
    with postgres.database() as url:
        connection = postgres.wait(asyncpg.connect(url))
        postgres.wait(_fill(connection, [stored for own in by_type.values() for stored in own]))
        yield World(
            by_type,
            dict(_asked_for(by_type)),
            systems,
            lambda compiled: postgres.wait(connection.fetch(compiled[0], *compiled[1])),
        )
        postgres.wait(connection.close())


def _asked_for(by_type: dict[str, list[Stored]]) -> Iterator[tuple[str, list[Parameter]]]:
    for name, own in by_type.items():
        if found := [
            parameter for parameter in served(name).values() if any(map(_can_be_written, _rows(own, parameter)))
        ]:
            yield name, found


def _systems(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("system"), str):
            yield value["system"]
        for member in value.values():
            yield from _systems(member)
    elif isinstance(value, list):
        for item in value:
            yield from _systems(item)


async def _fill(connection: Any, everything: list[Stored]) -> None:
    tables: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for stored in everything:
        number = number_of[stored.type]
        for site, pk in ((SITE, stored.pk), (OTHER_SITE, stored.pk + 100_000)):
            tables["resource"].append((pk, stored.updated, 2, site, number, False, stored.id, None))
            tables["version"] += [(pk, 1, START, 1, 0, site, number, 1, None, b"old")]
            tables["version"] += [(pk, 1, stored.updated, 2, 0, site, number, 2, None, stored.id.encode())]
            for table, rows in zip(TABLES.values(), stored.rows, strict=True):
                tables[table.name] += [(pk, site, *row) for row in rows]
        if stored.pk % DELETED_EVERY == 0:
            tables["resource"].append(
                (stored.pk + 200_000, stored.updated, 2, SITE, number, True, f"gone-{stored.pk}", None)
            )
    for table, rows in tables.items():
        await connection.copy_records_to_table(table, schema_name="fhir", records=rows, columns=COLUMNS[table])
    await connection.execute("ANALYZE")


COLUMNS = {
    "resource": ("pk", "updated", "version", "site", "type", "deleted", "id", "patient"),
    "version": ("pk", "write_id", "updated", "version", "entry", "site", "type", "op", "patient", "body"),
    **{table.name: ("pk", "site", *table.columns) for table in TABLES.values()},
}


Draw = Callable[[st.SearchStrategy[Any]], Any]


class Asked(NamedTuple):
    """A value as a query writes it, and whether a row matches it."""

    text: str
    holds: Callable[[tuple[Any, ...]], bool]


def of_token(draw: Draw, row: tuple[Any, ...], systems: dict[int, str]) -> Asked:
    _, _, system, code = row
    written = escaped(code)
    forms: list[Asked] = []
    if code:
        forms.append(Asked(written, lambda other: other[3] == code))
    if code and not system:
        forms.append(Asked(f"|{written}", lambda other: other[2:] == (0, code)))
    if system:
        url = escaped(systems[system])
        forms.append(Asked(f"{url}|", lambda other: other[2] == system))
        forms += [Asked(f"{url}|{written}", lambda other: other[2:] == (system, code))] if code else []
    found: Asked = _one(draw, forms)
    return found


def of_reference(draw: Draw, row: tuple[Any, ...], parameter: Parameter) -> Asked:
    _, _, number, target = row
    if not number:
        return Asked(escaped(target), lambda other: other[2:] == (0, target))
    allowed = {number_of[name] for name in parameter.targets}
    bare = Asked(target, lambda other: other[2] > 0 and other[3] == target and (not allowed or other[2] in allowed))
    if allowed and number not in allowed:
        return bare
    typed = Asked(f"{name_of[number]}/{target}", lambda other: other[2:] == (number, target))
    return typed if draw(st.booleans()) else bare


def of_string(draw: Draw, row: tuple[Any, ...]) -> Asked:
    exact = row[2][: draw(st.integers(1, 12))]
    changed = draw(st.sampled_from([exact, exact.upper(), exact.lower(), f" {exact}"]))
    return Asked(escaped(changed), lambda other: other[1].startswith(folded(changed)))


PREFIXES: dict[str, Callable[[datetime, datetime, datetime, datetime], bool]] = {
    "": lambda low, high, a, b: low <= a and b <= high,
    "eq": lambda low, high, a, b: low <= a and b <= high,
    "ne": lambda low, high, a, b: not (low <= a and b <= high),
    "gt": lambda low, high, a, b: b > high,
    "lt": lambda low, high, a, b: a < low,
    "ge": lambda low, high, a, b: b > high or (low <= a and b <= high),
    "le": lambda low, high, a, b: a < low or (low <= a and b <= high),
    "sa": lambda low, high, a, b: a >= high,
    "eb": lambda low, high, a, b: b <= low,
}
"""What each prefix means: the query covers [low, high), the resource [a, b);
http://hl7.org/fhir/R4/search.html#prefix."""
PRECISIONS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ")


def of_date(draw: Draw, row: tuple[Any, ...]) -> Asked:
    low, high = row[2], row[3]
    moment = low if low > EARLIEST else high if high < LATEST else START
    moment += draw(st.sampled_from([timedelta(0), timedelta(microseconds=-1), timedelta(days=1), timedelta(days=-400)]))
    text = moment.strftime(draw(st.sampled_from(PRECISIONS))).zfill(4)
    prefix = draw(st.sampled_from(sorted(PREFIXES)))
    return Asked(prefix + text, lambda other: PREFIXES[prefix](*bounds(text), other[2], other[3]))


class Clause(NamedTuple):
    """A parameter with values, and whether a resource matches."""

    code: str
    text: str
    holds: Callable[[Stored], bool]


def clause(draw: Draw, world: World, resource_type: str) -> Clause:
    """A clause on some element that a resource of the type has."""
    parameter = _one(draw, world.asked_for[resource_type])
    rows = [row for row in _rows(world.by_type[resource_type], parameter) if _can_be_written(row)]
    chosen = [_one(draw, rows) for _ in range(draw(st.sampled_from([1, 1, 3, 10])))]
    asked = [_value(draw, row, parameter, world) for row in chosen]

    def holds(stored: Stored) -> bool:
        return any(value.holds(row) for row in _rows([stored], parameter) for value in asked)

    return Clause(parameter.code, ",".join(value.text for value in asked), holds)


def _one(draw: Draw, items: list[Any]) -> Any:
    """One of many items; `sampled_from` would print them all."""
    return items[draw(st.integers(0, len(items) - 1))]


def _value(draw: Draw, row: tuple[Any, ...], parameter: Parameter, world: World) -> Asked:
    match parameter.type:
        case "token":
            return of_token(draw, row, world.systems)
        case "uri":
            return Asked(escaped(row[3]), lambda other: other[2:] == (0, row[3]))
        case "reference":
            return of_reference(draw, row, parameter)
        case "string":
            return of_string(draw, row)
    return of_date(draw, row)


def _rows(stored: list[Stored], parameter: Parameter) -> list[tuple[Any, ...]]:
    return [row for one in stored for kind in one.rows for row in kind if row[0] in parameter.paths]


def _can_be_written(row: tuple[Any, ...]) -> bool:
    """Whether a query can ask for this row: not for a code that is kept by its hash."""
    return not any(isinstance(part, str) and HASHED.search(part) for part in row)


def _page(world: World, query: SearchQuery, *, dense: bool) -> list[Any]:
    """A page, by the plan for few rows or by the one for many."""
    rows: list[Any] = []
    decided = plan.settled(query)
    if decided is None:
        many = [plan.MOST + 1] * len(groups(query.conditions))
        decided = plan.decided(query, many if dense else world.fetch(plan.counts(SITE, query))[0])
    for leg in compile.legs(SITE, query, decided):
        rows += world.fetch(leg)
        if len(rows) > query.count:
            break
    return rows[: query.count + 1]


def pages(world: World, query: SearchQuery, *, dense: bool = False) -> list[Any]:
    """All rows of a search, page after page."""
    found: list[Any] = []
    while True:
        rows = _page(world, query, dense=dense)
        found += rows[: query.count]
        if len(rows) <= query.count:
            return found
        text = urlencode([*query.understood, ("_cursor", after(query.sort, found[-1]).text)])
        query = parse(query.type, text)


def in_order(found: list[Stored], order: str, *, descending: bool) -> list[Stored]:
    """The same resources as `_sort` wants them; without a date they come last, whatever the direction."""
    keys: dict[str, Callable[[Stored], Any]] = {
        "": lambda stored: stored.pk,
        "_id": lambda stored: stored.id,
        "_lastUpdated": lambda stored: (stored.updated, stored.pk),
    }
    if order in keys:
        return sorted(found, key=keys[order], reverse=descending)

    def moment(stored: Stored) -> tuple[datetime, int]:
        rows = _rows([stored], served(stored.type)[order])
        undated = EARLIEST if descending else LATEST
        first = max if descending else min
        return first((row[2] for row in rows), default=undated), stored.pk

    return sorted(found, key=moment, reverse=descending)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_postgres_answers_what_the_evaluator_answers(world: World, data: st.DataObject) -> None:
    resource_type = data.draw(st.sampled_from(sorted(world.asked_for)))
    asked = [clause(data.draw, world, resource_type) for _ in range(data.draw(st.integers(1, 3)))]
    dates = [parameter.code for parameter in served(resource_type).values() if parameter.type == "date"]
    order = data.draw(st.sampled_from(["", "_id", *dates]))
    descending = bool(order) and data.draw(st.booleans())
    text = [(one.code, one.text) for one in asked]
    text += [("_sort", f"{'-' * descending}{order}")] if order else []
    query = parse(resource_type, urlencode([*text, ("_count", str(data.draw(st.sampled_from([1, 2, 7, 1000]))))]))
    expected = [stored for stored in world.by_type[resource_type] if all(one.holds(stored) for one in asked)]
    expected = in_order(expected, order, descending=descending)
    found = pages(world, query, dense=data.draw(st.booleans()))
    assert [row["id"] for row in found] == [stored.id for stored in expected]
    assert [bytes(row["body"]).decode() for row in found] == [stored.id for stored in expected]
    assert [row["updated"] for row in found] == [stored.updated for stored in expected]
    assert world.fetch(compile.count(SITE, query))[0][0] == len(expected)
    matches = {row["id"] for row in world.fetch(compile.matches(SITE, query))}
    assert len(matches) == min(2, len(expected))
    assert matches <= {stored.id for stored in expected}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_ids_and_instants_are_found_by_the_columns(world: World, data: st.DataObject) -> None:
    resource_type = data.draw(st.sampled_from(sorted(world.by_type)))
    own = world.by_type[resource_type]
    ids = data.draw(
        st.lists(st.sampled_from([*[stored.id for stored in own], "nobody", "gone-5"]), min_size=1, max_size=12)
    )
    moment = own[data.draw(st.integers(0, len(own) - 1))].updated
    precision = data.draw(st.sampled_from(PRECISIONS[:-1]))
    prefix = data.draw(st.sampled_from(sorted(PREFIXES)))
    text = moment.strftime(precision)
    low, high = bounds(text)
    query = parse(resource_type, urlencode({"_id": ",".join(ids), "_lastUpdated": prefix + text}))
    millisecond = timedelta(milliseconds=1)
    expected = [
        stored.id
        for stored in own
        if stored.id in ids and PREFIXES[prefix](low, high, stored.updated, stored.updated + millisecond)
    ]
    assert [row["id"] for row in pages(world, query)] == expected


def test_a_search_of_everything_gives_every_resource_once(world: World) -> None:
    for resource_type, own in world.by_type.items():
        found = pages(world, parse(resource_type, "_count=5"))
        assert [row["id"] for row in found] == [stored.id for stored in own]
