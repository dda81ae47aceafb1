"""Pages: together they are the whole answer, whatever their size, and whatever others write meanwhile.

Spec: http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from fhir_server.store.write import Intent
from tests.property.search.asking import Asking, asking
from tests.property.search.comparing import Comparison
from tests.property.search.definitions import Resource
from tests.property.search.evaluator import answer
from tests.property.search.query_values import MODIFIED
from tests.services.postgres import Postgres

STANDING = 50
MOVING = 25
WRITERS = 3
MOST_WRITES = 40
ORDERS = (
    "",
    "_id",
    "-_id",
    "birthdate",
    "-birthdate",
    "family",
    "-family",
    "gender,-birthdate",
    "_lastUpdated",
    "-_lastUpdated",
)
CASES = 60
PLANS = 5
"""How often the bounds that plans hang on are drawn anew."""
MEASURED = 3
"""Observations of each patient that stands."""
CODE = {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}
CHAINS = (
    "patient.active=true",
    "patient.active=true&status=final",
    "subject:Patient.name=m,n,z&code=http://loinc.org|1-8&status=final,amended",
    "patient.name=m&patient.gender=male,female",
    "patient.name=m&status:not=final",
)


@pytest.mark.parametrize("kind", MODIFIED)
def test_the_answer_is_the_same_for_every_page_size(comparison: Comparison, kind: str) -> None:
    queries = comparison.queries(f"pages of {kind}")
    cases = [queries.case(kind, queries.random.choice(MODIFIED[kind])) for _ in range(CASES)]
    for count in (1, 7, 1000):
        assert [str(one) for one in comparison.differences(cases, count)] == []


def test_the_total_is_the_number_of_matches(comparison: Comparison) -> None:
    queries = comparison.queries("totals")
    for kind, features in MODIFIED.items():
        for feature in features:
            case = queries.case(kind, feature)
            page = comparison.asking.totalled(case.type, case.query)
            (found,) = comparison.asking.ask([(case.type, case.query)])
            assert isinstance(found, list) and page == len(found), case


def test_a_conditional_write_sees_up_to_two_of_the_matches(comparison: Comparison) -> None:
    queries = comparison.queries("conditions")
    for kind, features in MODIFIED.items():
        for feature in features:
            case = queries.unsorted(kind, feature)
            expected = answer(comparison.world, case.type, case.query)
            found = comparison.asking.conditional(case.type, case.query)
            assert len(found) == min(2, len(expected)) and set(found) <= set(expected), case


def patient(name: str, random: Random) -> Resource:
    """A Patient with values that many share; some have none."""
    body: Resource = {"resourceType": "Patient", "id": name, "active": True}
    if random.random() < 0.8:
        body["birthDate"] = f"20{random.randrange(10, 15)}-0{random.randrange(1, 4)}"
    if random.random() < 0.8:
        body["gender"] = random.choice(("male", "female"))
    body["name"] = [{"family": random.choice(("Müller", "muller", "Noël", "Zola"))} for _ in range(random.randrange(3))]
    return {key: value for key, value in body.items() if value}


def observation(number: int, name: str) -> Resource:
    """One of a patient's, every third of another status."""
    status = "final" if number % 3 else "amended"
    subject = {"reference": f"Patient/{name}"}
    return {"resourceType": "Observation", "id": f"o-{number}", "status": status, "code": CODE, "subject": subject}


@pytest.fixture(scope="module")
def crowded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    random = Random(7)
    with asking(postgres, tmp_path_factory.mktemp("data")) as found:
        names = [f"stands-{n}" for n in range(STANDING)] + [f"moves-{n}" for n in range(MOVING)]
        random.shuffle(names)
        found.store([patient(name, random) for name in names])
        measured = [name for name in names if name.startswith("stands")] * MEASURED
        random.shuffle(measured)
        found.store([observation(number, name) for number, name in enumerate(measured)])
        found.analyze()
        yield found


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("condition", ["", "active=true"])
@pytest.mark.parametrize("order", ORDERS)
def test_what_stands_from_start_to_end_is_on_exactly_one_page(
    crowded: Asking, order: str, condition: str, count: int
) -> None:
    query = f"{condition}&_count={count}" + (f"&_sort={order}" if order else "")
    with crowded.any_plan():
        found, writes = crowded.wait(_while_others_write(crowded, query))
    seen = Counter(name for name in found if name.startswith("stands"))
    assert seen == Counter({f"stands-{n}": 1 for n in range(STANDING)})
    assert writes > 0


@pytest.mark.parametrize("query", CHAINS)
def test_a_chain_comes_in_the_order_of_what_it_leads_to(crowded: Asking, query: str) -> None:
    kind, code = "Observation", query.partition(".")[0].partition(":")[0]
    with crowded.any_plan():
        (expected,) = crowded.ask([(kind, f"{query}&_sort={code}")])
        (reversed_,) = crowded.ask([(kind, f"{query}&_sort=-{code}")])
    assert isinstance(expected, list) and expected and reversed_ == expected[::-1]
    for _ in range(PLANS):
        for count in (1, 7, 1000):
            assert crowded.ask([(kind, query), (kind, f"{query}&_sort=-{code}")], count) == [expected, reversed_]


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("query", CHAINS[:2])
def test_what_a_chain_finds_from_start_to_end_is_on_exactly_one_page(crowded: Asking, query: str, count: int) -> None:
    with crowded.any_plan():
        found, writes = crowded.wait(_while_others_write(crowded, f"{query}&_count={count}", "Observation"))
    (expected,) = crowded.ask([("Observation", query)])
    assert found == expected and len(found) in (STANDING * MEASURED, STANDING * MEASURED * 2 // 3)
    assert writes > 0


async def _while_others_write(server: Asking, query: str, kind: str = "Patient") -> tuple[list[str], int]:
    """All ids, page after page, with writes between and during all of them; and how many writes there were."""
    done = asyncio.Event()
    writers = [asyncio.create_task(_write(server, Random(seed), done)) for seed in range(WRITERS)]
    try:
        found = await _paged(server, kind, query)
    finally:
        done.set()
        writes = sum(await asyncio.gather(*writers))
    return found, writes


async def _paged(server: Asking, kind: str, query: str) -> list[str]:
    found: list[str] = []
    while query:
        page = await server.page(kind, query)
        found += page.ids
        query = page.following
    return found


async def _write(server: Asking, random: Random, done: asyncio.Event) -> int:
    """Creates, updates and deletes what may move, until told that it is enough; there is an end, since in the order
    of `_lastUpdated` what is written stands behind the last page each time."""
    writes = 0
    while not writes or (writes < MOST_WRITES and not done.is_set()):
        name = f"moves-{random.randrange(MOVING * 2)}"
        gone = random.random() < 0.3
        written = await server.write(
            [Intent("Patient", name, None)] if gone else [server.intent(patient(name, random))]
        )
        writes += len(written)
    return writes
