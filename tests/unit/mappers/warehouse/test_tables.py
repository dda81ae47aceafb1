"""The declared tables are those of OMOP CDM 5.4, column by column."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from mappers.warehouse.tables import CODES, EVENTS, LINKS, MAPPED, NUMBERED, OWN, TABLES, Column

PUBLISHED = Path(__file__).parents[5] / "shared" / "data" / "omop-cdm-5.4" / "OMOP_CDMv5.4_Field_Level.csv"
KINDS = {"integer": "i", "date": "d", "datetime": "t", "float": "f", "varchar": "s"}
DIGEST = "caae3fc86a3d008f27a3e252739bc1550a7adf08cb9d6e1a7237f5e51fe375e2"
"""Of the declaration as it stood when it was last held against the published file."""

Shape = dict[str, list[tuple[str, str, int, bool]]]


def declared() -> Shape:
    return {name: [(c.name, c.kind, c.limit, c.required) for c in table.columns] for name, table in TABLES.items()}


def published() -> Shape:
    found: Shape = {}
    with PUBLISHED.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            kind, _, limit = row["cdmDatatype"].lower().rstrip(")").partition("(")
            column = (row["cdmFieldName"].strip('"'), KINDS[kind], int(limit) if limit.isdigit() else 0)
            found.setdefault(row["cdmTableName"].lower(), []).append((*column, row["isRequired"] == "Yes"))
    return found


def test_the_declaration_is_the_published_one() -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"NOT COMPARED: {PUBLISHED.name} of OHDSI/CommonDataModel is not in ../shared/data/omop-cdm-5.4")
    assert declared() == published()


def test_the_declaration_has_not_changed_since_it_was_compared() -> None:
    assert hashlib.sha256(repr(declared()).encode()).hexdigest() == DIGEST
    assert len(TABLES) == 39


@pytest.mark.parametrize("table", [*MAPPED, *NUMBERED, *EVENTS, *LINKS.values(), *CODES, *OWN.values()])
def test_every_table_that_is_named_is_declared(table: str) -> None:
    assert isinstance(TABLES[table].columns[0], Column)


def test_every_column_that_is_filled_from_elsewhere_is_declared() -> None:
    for column in (*LINKS, *OWN):
        assert any(column in table.names for table in TABLES.values())
    assert all(column in TABLES[table].names for table, column in CODES.items())
    assert all(name in TABLES[table].names for table, ends in EVENTS.items() for name in ends if name)
