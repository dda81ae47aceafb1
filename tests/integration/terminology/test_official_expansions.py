"""Every value set of R4 is expanded, and compared with the expansions that HL7 publishes (hl7.fhir.r4.expansions).

HL7's leave deprecated and abstract concepts out; with `activeOnly`, and abstract ones set aside, what still differs is
listed here with its reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from ecluse.core.errors import EcluseError
from ecluse.core.fhir import types
from fhir_server.terminology import base
from fhir_server.terminology.expanding import Asked, expansion
from fhir_server.terminology.planning import Planner
from tests.official import expansion_files

HL7, THO = "http://hl7.org/fhir/ValueSet/", "http://terminology.hl7.org/ValueSet/"
MANY = 100_000
NOT_HERE = (
    "http://snomed.info/sct http://loinc.org http://unitsofmeasure.org urn:iso:std:iso:3166 urn:ietf:bcp:13 "
    "urn:ietf:bcp:47 http://hl7.org/fhir/sid/cvx http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem"
).split()
"""Code systems of other publishers, which R4 names and does not contain."""
DIFFERENT = {
    f"{HL7}c80-doc-typecodes": "HL7's has the first 1,000 of 6,401 codes",
    f"{HL7}detectedissue-category": "HL7's passes over what stands below a concept by its property child",
    f"{THO}v3-ActPharmacySupplyType": "the same",
    f"{HL7}provenance-activity-type": "HL7's keeps concepts that are retired, and leaves only deprecated ones out",
    f"{HL7}referencerange-meaning": "the same",
    f"{HL7}security-labels": "the same",
    f"{THO}v3-ActCode": "the same",
    f"{THO}v3-ActReason": "the same",
}
REFUSED = {
    f"{HL7}task-code": "it names version 3.6.0 of a code system that R4 has as 4.0.1",
    "http://dicom.nema.org/medical/dicom/current/output/chtml/part16/sect_CID_29.html": "R4 does not contain it",
}


@pytest.fixture
async def conn(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database that has R4's own definitions."""
    conn = await asyncpg.connect(database)
    await base.settle(conn)
    yield conn
    await conn.close()


def _codes(contains: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in contains:
        if "code" in one and not one.get("abstract"):
            yield one["system"], one["code"]
        yield from _codes(one.get("contains", []))


async def _expanded(conn: Any, url: str) -> set[tuple[str, str]]:
    composed = await Planner(conn, 1).value_set(url)
    found = await expansion(conn, composed, Asked(active_only=True, count=MANY), [])
    return set(_codes(found.get("contains", [])))


async def test_our_expansions_are_those_of_hl7(conn: asyncpg.Connection) -> None:
    published = {one["url"]: one for one in (json.loads(path.read_text()) for path in expansion_files())}
    assert len(published) == 553
    same, different, refused = [], [], {}
    for url, value_set in published.items():
        try:
            own = await _expanded(conn, url)
        except EcluseError as error:
            refused[url] = str(error)
            continue
        theirs = set(_codes(value_set["expansion"].get("contains", [])))
        (same if own == theirs else different).append(url)
    assert set(different) == DIFFERENT.keys()
    unexplained = {url: why for url, why in refused.items() if not any(f" {system} " in why for system in NOT_HERE)}
    assert unexplained.keys() == REFUSED.keys(), unexplained
    assert len(same) == len(published) - len(different) - len(refused)
    assert len(same) > 485


async def test_every_other_value_set_of_r4_expands_or_says_what_is_missing(conn: asyncpg.Connection) -> None:
    kind = types.number_of["ValueSet"]
    urls = [row["url"] for row in await conn.fetch("SELECT url FROM terminology.definition WHERE type = $1", kind)]
    assert len(urls) > 1300
    missing: dict[str, str] = {}
    for url in urls:
        try:
            await _expanded(conn, url)
        except EcluseError as error:
            missing[url] = str(error)
    assert len(missing) < 100
    assert all("not here" in why or "There is no value set" in why for why in missing.values())
