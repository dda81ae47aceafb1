"""fhir_server/terminology/membership.py: what validators get told, and when nobody can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ecluse.core.fhir.definitions.value_sets import codes_of
from fhir_server.terminology import base, intake
from fhir_server.terminology.membership import Coding, membership

SITE = 1
HL7 = "http://hl7.org/fhir"
SNOMED = "http://snomed.info/sct"
PARTS, LISTED, WITHOUT = "urn:vs:parts", "urn:vs:listed", "urn:vs:without"
NAMES_A_VERSION_THAT_R4_HAS_NOT = f"{HL7}/ValueSet/task-code"
LETTERS = {"url": "urn:letters", "status": "active", "content": "fragment", "caseSensitive": False}


def _value_set(url: str, *include: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": list(include), **more}}


@pytest.fixture
async def conn(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with R4's definitions and a few more."""
    conn = await asyncpg.connect(database)
    await base.settle(conn)
    below = {"system": SNOMED, "filter": [{"property": "concept", "op": "is-a", "value": "1"}]}
    gender = {"system": f"{HL7}/administrative-gender"}
    fragment = {"resourceType": "CodeSystem", **LETTERS, "concept": [{"code": "Ab", "display": "A, b"}]}
    listed = {"system": SNOMED, "concept": [{"code": "22298006", "display": "Heart attack"}]}
    definitions = [
        fragment,
        _value_set(PARTS, gender, below, {"system": "urn:letters"}),
        _value_set(LISTED, listed),
        _value_set(WITHOUT, gender, exclude=[{"valueSet": ["urn:vs:nowhere"]}]),
    ]
    await intake.take(conn, "tests", definitions)
    yield conn
    await conn.close()


async def _told(conn: Any, url: str, *codings: Coding) -> list[tuple[bool | None, str]]:
    return [(one.result, one.reason) for one in await membership(conn, SITE, url, codings)]


async def test_each_coding_gets_its_answer_in_its_order(conn: asyncpg.Connection) -> None:
    system = f"{HL7}/administrative-gender"
    codings = [Coding("male", system), Coding("man", system), Coding("female"), Coding("male", "urn:other")]
    answers = await membership(conn, SITE, f"{HL7}/ValueSet/administrative-gender|4.0.1", codings)
    assert [one.result for one in answers] == [True, False, True, False]
    assert (answers[0].display, answers[2].system) == ("Male", system)
    assert "'man'" in answers[1].reason


async def test_what_cannot_be_told_is_none_with_the_reason(conn: asyncpg.Connection) -> None:
    ((result, reason),) = await _told(conn, "urn:vs:nowhere", Coding("x"))
    assert (result, "There is no value set urn:vs:nowhere here" in reason) == (None, True)
    answers = await _told(conn, PARTS, Coding("male"), Coding("2", SNOMED), Coding("x", f"{HL7}/administrative-gender"))
    assert [one[0] for one in answers] == [True, None, False]
    assert "The concepts of http://snomed.info/sct are not here" in answers[1][1]


async def test_a_fragment_knows_its_codes_and_no_others(conn: asyncpg.Connection) -> None:
    answers = await _told(conn, PARTS, Coding("aB", "urn:letters"), Coding("c", "urn:letters"))
    assert [one[0] for one in answers] == [True, None]
    assert answers[1][1] == "Only some concepts of urn:letters are here."


async def test_a_list_tells_of_a_code_system_that_is_not_here(conn: asyncpg.Connection) -> None:
    answers = await membership(conn, SITE, LISTED, [Coding("22298006", SNOMED), Coding("1", SNOMED)])
    assert [(one.result, one.display) for one in answers] == [(True, "Heart attack"), (False, "")]


async def test_an_exclude_that_cannot_be_followed_leaves_it_open(conn: asyncpg.Connection) -> None:
    answers = await _told(conn, WITHOUT, Coding("male"), Coding("male", f"{HL7}/administrative-gender"))
    assert [one[0] for one in answers] == [None, None]


async def test_languages_and_media_types_are_told_by_their_grammar(conn: asyncpg.Connection) -> None:
    answers = await _told(conn, f"{HL7}/ValueSet/mimetypes", Coding("application/pdf"), Coding("pdf"))
    assert [one[0] for one in answers] == [True, False]


async def test_many_codings_take_one_answer_each(conn: asyncpg.Connection) -> None:
    codings = [Coding(code) for code in ("male", "x") * 500]
    answers = await membership(conn, SITE, f"{HL7}/ValueSet/administrative-gender", codings)
    assert [one.result for one in answers] == [True, False] * 500


async def test_the_database_and_the_file_agree_on_r4(conn: asyncpg.Connection) -> None:
    rows = await conn.fetch(
        "SELECT DISTINCT url FROM terminology.definition WHERE source = $1 ORDER BY url", base.SOURCE
    )
    compared = 0
    for url in [row["url"] for row in rows if "/ValueSet/" in row["url"]][::12]:
        own = codes_of(url)
        if own and url != NAMES_A_VERSION_THAT_R4_HAS_NOT:
            codings = [Coding(code, system) for system, codes in own.items() for code in sorted(codes)[:20]]
            answers = await membership(conn, SITE, url, codings)
            assert all(one.result for one in answers), (url, answers)
            compared += 1
    assert compared > 80
