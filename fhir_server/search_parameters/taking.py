"""SearchParameters, taken in as they are stored or installed.

Enters: a connection in the transaction that stores them, and the resources. Leaves: parameters that are asked for, with
the numbers of their paths; the generation is counted on, so that every process notices. Changes wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Issue, Unprocessable
from ecluse.core.fhir import json, types
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.definitions.indexed import FIRST_AT_RUN_TIME, LAST_AT_RUN_TIME
from ecluse.core.fhir.definitions.search_parameters import Parameter
from ecluse.core.fhir.packages import Package
from ecluse.related.registries import Made, load
from fhir_server.search_parameters.parameters import SQL
from mappers.search.composed import Known
from mappers.search.composite import contexts
from mappers.search.definition import Definition, definition, of_r4
from mappers.search.reading import Part, Reading, known_paths
from mappers.search.registry import served
from mappers.search.words import TEXT_OF

SEARCH_PARAMETER = "SearchParameter"
EVERY_SITE = 0


class Stored(NamedTuple):
    """A SearchParameter as a write left it. entry: of the bundle; resource: None when it is gone"""

    entry: int
    pk: int
    id: str
    resource: dict[str, Any] | None


class Origin(NamedTuple):
    """Where a parameter comes from. site: 0 for all; source: of a package, "" for a stored resource; id: of it"""

    site: int
    source: str
    id: str
    resource_pk: int | None = None


async def follow(conn: Connection, site: int, stored: Sequence[Stored]) -> None:
    """Makes the parameters of a site what its SearchParameters say now.

    Raises: Unprocessable (422) when an active one cannot be served, with its entry
    """
    if not await _concerned(conn, stored):
        return
    await conn.execute(SQL["next_generation"])
    held = await _held(conn, stored)
    _, made = await load(conn)
    for one in stored:
        try:
            made = await _follow(conn, site, one, made, held.get(one.pk, set()))
        except EcluseError as error:
            error.entry = one.entry
            raise


async def _concerned(conn: Connection, stored: Sequence[Stored]) -> bool:
    return any(_is_active(one) for one in stored) or bool(await _held(conn, stored))


def _is_active(one: Stored) -> bool:
    return one.resource is not None and one.resource["status"] == "active"


async def _held(conn: Connection, stored: Sequence[Stored]) -> dict[int, set[int]]:
    held: dict[int, set[int]] = {}
    for row in await conn.fetch(SQL["of_resources"], [one.pk for one in stored]):
        held.setdefault(row["resource_pk"], set()).add(row["pk"])
    return held


async def _follow(conn: Connection, site: int, one: Stored, made: list[Made], held: set[int]) -> list[Made]:
    """All parameters, after this one was taken in."""
    own = [each for each in made if each.pk in held]
    others = [each for each in made if each.pk not in held]
    known = _known(site, others)
    wanted = definition(one.resource, known=known) if one.resource and _is_active(one) else None
    if wanted and own and own[0].state != "failed" and _same(own[0], wanted):
        return made
    await conn.execute(SQL["set_aside"], list(held))
    if wanted is None:
        return others
    wanted = beside(wanted, site, others)
    if wanted.readings:
        await _add(conn, Origin(site, "", one.id, one.pk), wanted)
    return (await load(conn))[1]


def _known(site: int, others: Iterable[Made]) -> Known:
    """What parts of a composite may be defined by: R4's own parameters, and those that the site has beside them."""
    made = {one.url: one.defined for one in others if one.readings and _meet(one.site, site)}
    return lambda url: of_r4(url) or made.get(url)


def _same(held: Made, wanted: Definition) -> bool:
    readings = {name: _without_numbers(one) for name, one in held.readings.items()}
    asked = {name: _described(one) for name, one in wanted.readings.items()}
    return (held.code, held.kind, held.url, held.unique, readings) == (*wanted[:4], asked)


def _without_numbers(told: dict[str, Any]) -> dict[str, Any]:
    """A reading as it is stored, but for the numbers of its paths."""
    found = {name: value for name, value in told.items() if name != "paths"}
    if "contexts" in told:
        found["contexts"] = [[_without_numbers(part) for part in one] for one in told["contexts"]]
    return found


def _described(reading: Reading) -> dict[str, Any]:
    """A reading as it is stored, without the numbers of its paths."""
    expression = reading.evaluated or " | ".join(reading.steps)
    found: dict[str, Any] = {"targets": list(reading.targets), "expression": expression}
    if reading.contexts:
        found["contexts"] = [[_described_part(part) for part in one] for one in reading.contexts]
    return found


def _described_part(part: Part) -> dict[str, Any]:
    told = part._asdict()
    return {**told, "targets": list(part.targets), "steps": list(part.steps)}


def beside(wanted: Definition, site: int, others: Iterable[Made]) -> Definition:
    """What is new of a definition: types for which R4 says the very same need nothing.

    Raises: Unprocessable (422) when another parameter has its code
    """
    issues: list[Issue] = []
    new: dict[str, Reading] = {}
    rivals = [one for one in others if one.code == wanted.code and one.state != "failed" and _meet(one.site, site)]
    for name, reading in wanted.readings.items():
        there = served(name).get(wanted.code)
        if there is not None:
            if there.type == wanted.kind and _is_read_so(there, name, reading) and not wanted.unique:
                continue
            issues.append(_taken(wanted.code, name, f"FHIR R4 has {there.url}"))
        else:
            issues += [_taken(wanted.code, name, f"{one.name} has it") for one in rivals if name in one.readings]
        new[name] = reading
    if issues:
        raise Unprocessable(issues=issues[:20])
    return wanted._replace(readings=new)


def _is_read_so(there: Parameter, name: str, reading: Reading) -> bool:
    """Whether R4's own parameter reads the very same of a type."""
    if reading.contexts:
        own = [[_numbers_of(part, name) for part in one] for one in reading.contexts]
        r4 = [[set(part.parameter.paths) for part in one.components] for one in contexts(name, there.code)]
        return own == r4
    known = known_paths(name, there.type)
    read = {known.get(step, -1) for step in reading.steps} if not reading.evaluated else {-1}
    return set(there.paths) == read


def _numbers_of(part: Part, name: str) -> set[int]:
    known = known_paths(name, part.kind)
    return {-1} if part.evaluated else {known.get(step, -1) for step in part.steps}


def _meet(site: int, other: int) -> bool:
    return site == other or EVERY_SITE in (site, other)


def _taken(code: str, name: str, who: str) -> Issue:
    text = f"{name} has a search parameter {code} already ({who}): take another code."
    return Issue(text, "SearchParameter.code", code, "duplicate")


async def take_package(conn: Connection, package: Package) -> None:
    """Makes the parameters of a package what its SearchParameters say; what cannot be served stands with its reason."""
    await _take_all(conn, package.id, [one.body for one in package.definitions if one.type == SEARCH_PARAMETER])


async def drop_package(conn: Connection, source: str) -> None:
    """Takes the parameters of a package away; those that other packages have under the same codes get another chance.

    source: `name@version`
    """
    await conn.execute(SQL["next_generation"])
    await conn.execute(SQL["set_aside"], [row["pk"] for row in await conn.fetch(SQL["of_source"], source)])
    for row in await conn.fetch(SQL["sources_of_failed"]):
        name, _, version = row["source"].rpartition("@")
        bodies = await conn.fetch(SQL["bodies"], name, version, types.number_of[SEARCH_PARAMETER])
        await _take_all(conn, row["source"], [each["body"] for each in bodies])


async def of_source(conn: Connection, source: str) -> list[Made]:
    """The parameters of a package, as they stand."""
    return [one for one in (await load(conn))[1] if one.source == source]


async def _take_all(conn: Connection, source: str, bodies: Iterable[bytes]) -> None:
    await conn.execute(SQL["next_generation"])
    _, made = await load(conn)
    left = {one.pk: one for one in made if one.source == source}
    for body in sorted(bodies, key=_is_composite):  # those that define its parts first
        made = await _take(conn, source, body, made, left)
    await conn.execute(SQL["set_aside"], list(left))


def _is_composite(body: bytes) -> bool:
    return bool(json.decode(body).get("type") == "composite")


async def _take(conn: Connection, source: str, body: bytes, made: list[Made], left: dict[int, Made]) -> list[Made]:
    """All parameters, after this one was taken in. left: those of the package that are not spoken for yet"""
    head = json.decode(body)
    origin = Origin(EVERY_SITE, source, str(head.get("id", "")))
    try:
        wanted = definition(accept(SEARCH_PARAMETER, body), known=_known(EVERY_SITE, made))
        if wanted.code in TEXT_OF:
            raise Unprocessable("words are indexed where a site's own SearchParameter asks for them")
        same = [one for one in left.values() if one.state != "failed" and _same(one, wanted)]
        if same:
            del left[same[0].pk]
            return made
        wanted = beside(wanted, EVERY_SITE, [one for one in made if one.pk not in left])
    except EcluseError as error:
        await _add_failed(conn, origin, head, "; ".join(issue.text for issue in error.issues))
        return made
    if not wanted.readings:
        return made
    await _add(conn, origin, wanted)
    return (await load(conn))[1]


async def _add(conn: Connection, origin: Origin, wanted: Definition) -> None:
    """Asks for a parameter. One that only combines what is indexed already is active at once."""
    every = [
        place
        for name, reading in wanted.readings.items()
        for one in _each(reading)
        for place in _places(name, wanted.kind, one)
    ]
    new = [place for place in dict.fromkeys(every) if place.known is None]
    numbers = dict(zip(new, await _numbers(conn, len(new)), strict=True))
    readings = {name: _told(name, wanted.kind, reading, numbers) for name, reading in wanted.readings.items()}
    state = "requested" if new or wanted.unique else "active"
    parameter = await _insert(conn, origin, wanted, state, "", readings)
    if new:
        columns = zip(*((types.number_of[one.type], one.evaluated, one.text) for one in new), strict=True)
        await conn.execute(SQL["add_paths"], parameter, list(numbers.values()), *map(list, columns))


class _Place(NamedTuple):
    """One path that is read. known: its number, where R4's own parameters read it, too"""

    type: str
    kind: str
    context: str
    evaluated: bool
    text: str
    known: int | None


def _each(reading: Reading) -> Iterator[Reading | Part]:
    """The reading, and its parts in each context."""
    yield reading
    for context in reading.contexts:
        yield from context


def _places(name: str, kind: str, read: Reading | Part) -> list[_Place]:
    if read.evaluated:
        context = read.context if isinstance(read, Part) else ""
        return [_Place(name, read.kind if isinstance(read, Part) else kind, context, True, read.evaluated, None)]
    kind = read.kind if isinstance(read, Part) else kind
    known = known_paths(name, kind)
    return [_Place(name, kind, "", False, text, known.get(text)) for text in read.steps]


def _told(name: str, kind: str, reading: Reading, numbers: dict[_Place, int]) -> dict[str, Any]:
    """A reading as it is stored."""

    def paths(read: Reading | Part) -> list[int]:
        places = _places(name, kind, read)
        return [numbers[place] if place.known is None else place.known for place in places]

    found = {"paths": paths(reading), **_described(reading)}
    for told, parts in zip(found.get("contexts", ()), reading.contexts, strict=True):
        for one, part in zip(told, parts, strict=True):
            one["paths"] = paths(part)
    return found


async def _numbers(conn: Connection, count: int) -> list[int]:
    """So many numbers of paths. Raises: Unprocessable (422) when all are given"""
    rows = await conn.fetch(SQL["free_numbers"], FIRST_AT_RUN_TIME, LAST_AT_RUN_TIME, count)
    if len(rows) < count:
        text = f"All {LAST_AT_RUN_TIME - FIRST_AT_RUN_TIME + 1} paths of run-time parameters are taken: delete some."
        raise Unprocessable(text, expression="SearchParameter.expression")
    return [row["number"] for row in rows]


async def _add_failed(conn: Connection, origin: Origin, head: dict[str, Any], reason: str) -> None:
    code, kind, url = (str(head.get(name, "")) for name in ("code", "type", "url"))
    await _insert(conn, origin, Definition(code, kind, url, False, {}), "failed", reason, {})


async def _insert(
    conn: Connection, origin: Origin, wanted: Definition, state: str, reason: str, readings: dict[str, Any]
) -> int:
    what = (wanted.code, wanted.kind, wanted.url, json.encode(readings).decode())
    came = (origin.resource_pk, clock.now(), origin.site, wanted.unique, state, reason, origin.source, origin.id)
    number: int = await conn.fetchval(SQL["add"], *came, *what)
    return number
