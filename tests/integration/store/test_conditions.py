"""Conditions that are one code are searched by one statement, and find what the search finds."""

from __future__ import annotations

from typing import Any

from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from fhir_server.server import Server
from fhir_server.store.conditions import matching, matching_codes
from fhir_server.store.write import Context, intent, write

ONE, SEVERAL, NONE = "urn:s|1", "urn:s|2", "urn:s|3"
OTHERS = ("identifier=1", f"identifier={ONE},{NONE}", f"identifier={ONE}&active=true", f"identifier:not={ONE}", "x=1")


def _practitioner(resource_id: str, *values: str) -> Any:
    identifier = [{"system": "urn:s", "value": value} for value in values]
    return intent({"resourceType": "Practitioner", "id": resource_id, "identifier": identifier}, resource_id)


async def test_codes_are_found_together_and_all_else_is_left_to_a_search(databases: Databases) -> None:
    server = Server(Settings(), databases, lambda: None)
    site = await server.site("default")
    context = Context(site.number, "default", "", "r", "fhir+json", clock.now())
    async with server.transaction() as conn:
        given = [_practitioner("a", "1", "2"), _practitioner("b", "2"), _practitioner("c", "2")]
        await write(conn, server.keys, given, context)
        codes = [("Practitioner", f"identifier={each}") for each in (ONE, SEVERAL, NONE)]
        address = ("Practitioner", f"Practitioner?identifier={ONE}")
        left_out = [*(("Practitioner", each) for each in OTHERS), ("Nothing", f"identifier={ONE}")]
        found = await matching_codes(conn, site, [*codes, address, *codes, *left_out])
        assert {condition: len(matches) for condition, matches in found.items()} == {
            codes[0]: 1,
            codes[1]: 2,
            codes[2]: 0,
            address: 1,
        }
        for condition in (codes[0], codes[2], address):
            assert found[condition] == await matching(conn, site, *condition)
        assert await matching_codes(conn, site, left_out) == {}
