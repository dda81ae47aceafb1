"""A patient whose name, address, telephone, INS and IPP stand everywhere is found in no column of omop."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from mappers.warehouse.mapping import MAPPERS
from mappers.warehouse.tables import TABLES
from tests.canary import WORDS, resource
from tests.integration.warehouse.feeding import Feeding

OWN_NAMES = {"Organization": "CHU de Rennes", "Location": "Cardiologie"}
"""A place's own name is nobody's secret and does stand in care_site."""

FILLED = {
    *(
        "person",
        "care_site",
        "provider",
        "visit_occurrence",
        "condition_occurrence",
        "drug_exposure",
        "procedure_occurrence",
    ),
    *("device_exposure", "measurement", "observation", "note", "specimen", "observation_period", "location"),
}


def canary(resource_type: str) -> dict[str, Any]:
    """The canary's resource, with the dates and the subject without which nothing would be mapped."""
    made = resource(resource_type, "c", "canary")
    made["id"] = "canary" if resource_type == "Patient" else "c"
    if resource_type in OWN_NAMES:
        made |= {"name": OWN_NAMES[resource_type], "mode": "instance"}
    subject = {"reference": "Patient/canary", "display": " ".join(WORDS.values())}
    made |= {name: subject for name in ("subject", "patient") if name in made}
    for element in ("effective", "performed", "onset", "occurrence", "timing"):
        for name in [name for name in made if name.startswith(element)]:
            del made[name]
        made[f"{element}DateTime"] = "2026-01-05T08:00:00+01:00"
    if resource_type == "Observation":
        made["component"] = [{**each, "dataAbsentReason": None} for each in made["component"]]
        made.pop("dataAbsentReason")
    addresses = made.get("address") or []
    for address in addresses if isinstance(addresses, list) else [addresses]:
        address |= {"city": "Rennes", "postalCode": "35000", "country": "FR"}
    return {name: value for name, value in made.items() if value is not None}


def laboratory() -> dict[str, Any]:
    """The canary's Observation as a measurement."""
    category = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]
    }
    return {**canary("Observation"), "id": "laboratory", "category": [category]}


def everything() -> list[dict[str, Any]]:
    return [*(canary(resource_type) for resource_type in sorted(MAPPERS)), laboratory()]


async def found_in_omop(feeding: Feeding) -> dict[str, str]:
    """The whole text of each table that is not empty."""
    texts = {
        table: await feeding.pool.fetchval(f"SELECT string_agg(t::text, ' ') FROM omop.{table} t") for table in TABLES
    }
    return {table: text for table, text in texts.items() if text}


def canaries(texts: dict[str, str]) -> list[tuple[str, str]]:
    """(table, word) of each word of the canary that a table holds."""
    return [(table, word) for table, text in texts.items() for word in WORDS.values() if word.lower() in text.lower()]


async def test_the_canary_is_in_no_column(feeding: Feeding) -> None:
    assert all(word in repr(everything()) for word in WORDS.values())
    await feeding.tell(everything())
    texts = await found_in_omop(feeding)
    assert FILLED <= texts.keys(), FILLED - texts.keys()
    assert canaries(texts) == []


async def test_the_canary_is_seen_where_identified_text_is_kept(databases: Databases) -> None:
    feeding = Feeding(databases, Settings(omop_note_text="identified"))
    await feeding.tell(everything())
    assert {table for table, _ in canaries(await found_in_omop(feeding))} == {"note"}


@pytest.mark.parametrize(
    "column", ["person_source_value", "visit_source_value", "provider_source_value", "care_site_source_value"]
)
async def test_no_source_value_holds_an_identifier(feeding: Feeding, column: str) -> None:
    await feeding.tell(
        [canary(resource_type) for resource_type in ("Patient", "Encounter", "Practitioner", "Organization")]
    )
    table = (
        "care_site"
        if column.startswith("care")
        else "visit_occurrence"
        if column.startswith("visit")
        else column.split("_")[0]
    )
    expected = "x" if table == "visit_occurrence" else None
    assert set(await feeding.rows(table, column)) <= {(expected,), (None,)}
