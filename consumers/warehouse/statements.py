"""SQL that is the same for every OMOP table, made from the tables' declarations; no value ever stands in it.

Enters: table names of `mappers.warehouse.tables`. Leaves: statements; each runs where its table has rows in the batch.
"""

from __future__ import annotations

from functools import cache

from mappers.warehouse.tables import EVENTS, MAPPED, TABLES

IN_VISIT = tuple(name for name in MAPPED if TABLES[name].in_visit)
"""The tables whose rows happen in a visit."""

OF_PERSON = tuple(name for name in MAPPED if TABLES[name].of_person and name != "person")
"""The tables whose rows belong to a person."""


def pointing(column: str) -> tuple[str, ...]:
    """The tables that have this column and whose key it is not."""
    return tuple(name for name in MAPPED if column in TABLES[name].names[1:])


@cache
def delete(table: str) -> str:
    """Rows by id, with the persons who lose an event. $1 ids"""
    person = "person_id" if table in EVENTS else "NULL::int AS person_id"
    return f"DELETE FROM omop.{table} WHERE {TABLES[table].key} = ANY ($1) RETURNING {person}"  # noqa: S608


@cache
def rows(table: str) -> str:
    """Rows by id. $1 ids"""
    return f"SELECT * FROM omop.{table} WHERE {TABLES[table].key} = ANY ($1)"  # noqa: S608


@cache
def of_persons(table: str) -> str:
    """Ids of the rows of some persons. $1 persons"""
    return f"SELECT {TABLES[table].key} FROM omop.{table} WHERE person_id = ANY ($1)"  # noqa: S608


@cache
def fill(table: str, column: str, kind: str = "int") -> str:
    """Sets a column. $1 ids, $2 values"""
    return (
        f"UPDATE omop.{table} t SET {column} = s.value FROM unnest($1::int[], $2::{kind}[]) AS s (id, value) "  # noqa: S608
        f"WHERE t.{TABLES[table].key} = s.id"
    )


@cache
def fill_visit(table: str) -> str:
    """Sets both visit columns. $1 ids, $2 visit_occurrence ids, $3 visit_detail ids"""
    return (
        f"UPDATE omop.{table} t SET visit_occurrence_id = s.visit, visit_detail_id = s.detail "  # noqa: S608
        "FROM unnest($1::int[], $2::int[], $3::int[]) AS s (id, visit, detail) "
        f"WHERE t.{TABLES[table].key} = s.id"
    )


@cache
def follow(table: str) -> str:
    """Moves rows along with the visit_detail that they happened in. $1 visit_detail ids, $2 visit_occurrence ids"""
    return (
        f"UPDATE omop.{table} t SET visit_occurrence_id = s.visit "  # noqa: S608
        "FROM unnest($1::int[], $2::int[]) AS s (detail, visit) WHERE t.visit_detail_id = s.detail"
    )


@cache
def detach(table: str, column: str) -> str:
    """Empties a column that points to rows which are gone, and keeps what it referred to as an open link.

    $1 ids of the rows that are gone, $2 sites, $3 types, $4 ids of their resources
    """
    visit = column in ("visit_occurrence_id", "visit_detail_id")
    empty = "visit_occurrence_id = NULL, visit_detail_id = NULL" if visit else f"{column} = NULL"
    direct = " AND t.visit_detail_id IS NULL" if column == "visit_occurrence_id" else ""
    key = TABLES[table].key
    return (
        f"WITH freed AS (UPDATE omop.{table} t SET {empty} "  # noqa: S608
        "FROM unnest($1::int[], $2::text[], $3::text[], $4::text[]) AS g (gone, site, type, id) "
        f"WHERE t.{column} = g.gone{direct} RETURNING t.{key} AS omop_id, g.site, g.type, g.id) "
        "INSERT INTO omop_map.link (omop_id, omop_table, link, site, target_type, target_id, patient) "
        f"SELECT f.omop_id, '{table}', '{'encounter' if visit else column}', f.site, f.type, f.id, m.patient "
        f"FROM freed f JOIN omop_map.id_map m ON m.omop_table = '{table}' AND m.omop_id = f.omop_id"
    )
