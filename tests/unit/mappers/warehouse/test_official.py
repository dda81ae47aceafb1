"""Every official example and the canary of every type give rows that their tables take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ecluse.core.fhir.json import decode
from mappers.warehouse.mapping import MAPPERS, rows
from mappers.warehouse.record import Context, Excluded, Mapped, Row
from mappers.warehouse.tables import CODES, LINKS, OWN, TABLES
from tests.canary import WORDS, resource
from tests.official import official_files

TYPES: dict[str, type | tuple[type, ...]] = {"i": int, "d": date, "t": datetime, "f": Decimal, "s": str}
CONTEXT = Context()


def resources(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The resource, or those in a bundle, as far as they have a mapper."""
    inside = (
        [entry["resource"] for entry in content.get("entry", []) if "resource" in entry] if "entry" in content else []
    )
    for each in [content, *inside]:
        if each.get("resourceType") in MAPPERS:
            yield {**each, "id": each.get("id", "x")}


def fits(row: Row) -> None:
    """Raises when a table would not take the row."""
    kinds, limits = TABLES[row.table].kinds, TABLES[row.table].limits
    for name, value in row.values.items():
        assert isinstance(value, TYPES[kinds[name]]), (row.table, name, value)
        assert not isinstance(value, str) or len(value) <= limits.get(name, len(value)), (row.table, name)
        assert not isinstance(value, int) or abs(value) < 2**31
    assert {link.column for link in row.links} <= LINKS.keys() | {CODES.get(row.table)}
    assert {own.column for own in row.own} <= OWN.keys()


def test_every_official_resource_of_a_mapped_type_fits() -> None:
    found: dict[str, int] = {}
    for path in official_files():
        for each in resources(decode(path.read_bytes())) if b"resourceType" in path.read_bytes() else ():
            mapped = rows(each, CONTEXT)
            assert mapped == rows(each, CONTEXT)
            for made in mapped.rows if isinstance(mapped, Mapped) else ():
                fits(made)
                found[made.table] = found.get(made.table, 0) + 1
            if isinstance(mapped, Excluded):
                assert 0 < len(mapped.reason) < 60
    assert found["measurement"] > 50
    assert found["provider"] > 50


@pytest.mark.parametrize("resource_type", sorted(MAPPERS))
def test_no_word_of_the_canary_is_in_a_row(resource_type: str) -> None:
    made = resource(resource_type, "c", "canary")
    for name in ("name", "mode"):
        if resource_type in ("Organization", "Location"):
            made.pop(name, None)
    told = repr(rows(made, CONTEXT)).lower()
    assert [word for word in WORDS.values() if word.lower() in told] == []
