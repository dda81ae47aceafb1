"""What the database gives for a value set is what its definition says, worked out one concept at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.terminology import base, intake
from fhir_server.terminology.expanding import Asked, expansion
from fhir_server.terminology.membership import Coding, members, membership
from fhir_server.terminology.planning import Planner
from mappers.terminology.words import words, words_of
from tests.services.postgres import Postgres
from tests.spec.terminology import ANIMALS, Json, animals

SITE = 1
OTHER = "urn:other-animals"
ABOVE = {
    "animal": {"animal"},
    "mammal": {"animal", "mammal"},
    "dog": {"animal", "mammal", "dog"},
    "whale": {"animal", "mammal", "swimmer", "whale"},
    "dodo": {"animal", "mammal", "dodo"},
    "swimmer": {"animal", "swimmer"},
    "fish": {"animal", "swimmer", "fish"},
}
"""Code → what subsumes it, written by hand from the tree in tests/spec/terminology.py."""
PARENTS = {"mammal": {"animal"}, "swimmer": {"animal"}, "dog": {"mammal"}, "dodo": {"mammal"}}
PARENTS |= {"whale": {"mammal", "swimmer"}, "fish": {"swimmer"}}
LEGS = {"dog": "4", "whale": "0", "fish": "0"}
DISPLAYS = {
    **{"animal": "Animal", "mammal": "Mammal", "dog": "Dog", "whale": "Blue whale", "dodo": "Dodo"},
    **{"swimmer": "Swimmer", "fish": "Fish"},
}
Holds = Callable[[str, str], bool]
"""Code and value of the filter → whether it holds."""
FILTERS: dict[tuple[str, str], Holds] = {
    ("concept", "is-a"): lambda code, value: value in ABOVE[code],
    ("concept", "descendent-of"): lambda code, value: value in ABOVE[code] - {code},
    ("concept", "is-not-a"): lambda code, value: value not in ABOVE[code],
    ("concept", "generalizes"): lambda code, value: code in ABOVE[value],
    ("concept", "="): lambda code, value: code == value,
    ("concept", "in"): lambda code, value: code in value.split(","),
    ("concept", "not-in"): lambda code, value: code not in value.split(","),
    ("parent", "="): lambda code, value: value in PARENTS.get(code, ()),
    ("child", "="): lambda code, value: code in PARENTS.get(value, ()),
    ("legs", "="): lambda code, value: LEGS.get(code) == str(len(value) % 5),
    ("legs", "exists"): lambda code, value: (code in LEGS) == (len(value) % 2 == 0),
}
CODES = st.sampled_from(sorted(ABOVE))


@st.composite
def filters(draw: st.DrawFn) -> tuple[Json, Callable[[str], bool]]:
    """A filter, and whether a code passes it."""
    (name, op), holds = draw(st.sampled_from(sorted(FILTERS.items(), key=lambda one: one[0])))
    several = draw(st.lists(CODES, min_size=1, max_size=3))
    value = ",".join(several) if op in ("in", "not-in") else several[0]
    written = value
    if name == "legs":
        written = str(len(value) % 5) if op == "=" else "true" if len(value) % 2 == 0 else "false"
    return {"property": name, "op": op, "value": written}, lambda code: holds(code, value)


@st.composite
def parts(draw: st.DrawFn, deep: bool = True) -> tuple[Json, set[tuple[str, str]]]:
    """An include or exclude, and the concepts it says."""
    system = draw(st.sampled_from([ANIMALS, OTHER]))
    kind = draw(st.sampled_from(["whole", "listed", "filtered", *(["imported", "narrowed"] if deep else [])]))
    part: Json = {"system": system}
    found = {(system, code) for code in ABOVE}
    if kind == "listed":
        named = draw(st.lists(CODES, min_size=1, max_size=4))
        part["concept"] = [{"code": code} for code in named]
        found = {(system, code) for code in named}
    if kind in ("filtered", "narrowed"):
        chosen = draw(st.lists(filters(), min_size=1, max_size=2))
        part["filter"] = [one for one, _ in chosen]
        found = {(system, code) for system, code in found if all(holds(code) for _, holds in chosen)}
    if kind in ("imported", "narrowed"):
        imported = draw(st.lists(value_sets(deep=False), min_size=1, max_size=2))
        part["_imported"] = [resource for resource, _ in imported]
        found = found if kind == "narrowed" else imported[0][1]
        found = set.intersection(found, *(own for _, own in imported))
        if kind == "imported":
            del part["system"]
    return part, found


@st.composite
def value_sets(draw: st.DrawFn, deep: bool = True) -> tuple[Json, set[tuple[str, str]]]:
    """A value set, and the concepts it has."""
    includes = draw(st.lists(parts(deep), min_size=1, max_size=3))
    excludes = draw(st.lists(parts(deep), max_size=2))
    compose: Json = {"include": [part for part, _ in includes]}
    if excludes:
        compose["exclude"] = [part for part, _ in excludes]
    found = set().union(*(own for _, own in includes)).difference(*(own for _, own in excludes))
    return {"resourceType": "ValueSet", "status": "active", "compose": compose}, found


def _with_addresses(resource: Json, loaded: list[Json]) -> Json:
    """The value set with the addresses of those it imports, which are added to what is to be loaded."""
    sides = {}
    for side, items in resource["compose"].items():
        sides[side] = []
        for part in items:
            urls = []
            for imported in part.get("_imported", ()):
                url = f"urn:imported:{len(loaded)}"
                loaded.append({**_with_addresses(imported, loaded), "url": url})
                urls.append(url)
            kept = {name: value for name, value in part.items() if name != "_imported"}
            sides[side].append({**kept, **({"valueSet": urls} if urls else {})})
    return {**resource, "compose": sides}


async def _compared(url: str, resource: Json, expected: set[tuple[str, str]], text: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await base.settle(conn)
        other = animals(OTHER)
        loaded: list[Json] = [animals(), other]
        whole = _with_addresses(resource, loaded)
        await intake.take(conn, "property", loaded)
        composed = await Planner(conn, SITE).composed(whole)
        found = await expansion(conn, composed, Asked(), [])
        listed = [(one["system"], one["code"]) for one in found.get("contains", [])]
        assert len(listed) == len(set(listed)) == found["total"]
        assert set(listed) == expected
        paged: list[Any] = []
        for offset in range(0, len(listed) + 1, 3):
            page = await expansion(conn, composed, Asked(offset=offset, count=3), [])
            paged += [(one["system"], one["code"]) for one in page.get("contains", [])]
        assert paged == listed
        codings = [Coding(code, system) for system in (ANIMALS, OTHER) for code in ABOVE]
        told = await members(conn, composed, codings)
        assert {(one.system, one.code) for one, member in zip(codings, told, strict=True) if member.result} == expected
        filtered = await expansion(conn, composed, Asked(filter=text), [])
        matching = {(system, code) for system, code in expected if _has(code, text)}
        assert {(one["system"], one["code"]) for one in filtered.get("contains", [])} == matching
    finally:
        await conn.close()


def _has(code: str, text: str) -> bool:
    french = [{"value": "chien"}] if code == "dog" else []
    own = words_of(code, DISPLAYS[code], french)
    return all(any(word.startswith(each) for word in own) for each in words([text]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=value_sets(), text=st.sampled_from(["d", "wh bl", "chi", "m", "nothing"]))
def test_a_value_set_has_what_its_definition_says(
    postgres: Postgres, database: str, made: tuple[Json, set[tuple[str, str]]], text: str
) -> None:
    postgres.wait(_compared(database, *made, text))


async def test_membership_by_address_is_the_same_as_the_expansion(database: str) -> None:
    conn = await asyncpg.connect(database)
    below = {"system": ANIMALS, "filter": [{"property": "concept", "op": "is-a", "value": "swimmer"}]}
    named = {"resourceType": "ValueSet", "url": "urn:swimmers", "status": "active", "compose": {"include": [below]}}
    await intake.take(conn, "property", [animals(), named])
    told = await membership(conn, SITE, "urn:swimmers", [Coding(code, ANIMALS) for code in ABOVE])
    assert [one.result for one in told] == ["swimmer" in above for above in ABOVE.values()]
    await conn.close()
