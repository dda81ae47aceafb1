"""SQL that has statements of searches explained.

Enters: a statement of ours. Leaves: text. Values come in as literals only as PostgreSQL has quoted them itself.
"""

from __future__ import annotations

from collections.abc import Sequence

NAME = "explained"
PLANNED = "EXPLAIN (FORMAT JSON)"
FORGET = f"DEALLOCATE {NAME}"


def planned(sql: str) -> str:
    """What answers with the plan of a statement for the values that come with it, without running it."""
    return f"{PLANNED} {sql}"


def quoted(types: Sequence[str]) -> str:
    """What answers with the literals of values of these types, one row."""
    return "SELECT " + ", ".join(f"quote_nullable(${place}::{kind}::text)" for place, kind in enumerate(types, 1))


def prepared(sql: str, types: Sequence[str]) -> str:
    """What prepares a statement, so that it is planned as a search's own statements are."""
    return f"PREPARE {NAME}{_listed(types)} AS {sql}"


def executed(literals: Sequence[str], *, analyze: bool) -> str:
    """What answers with the plan of the statement that was prepared. analyze: having run it"""
    options = "FORMAT JSON, ANALYZE, BUFFERS" if analyze else "FORMAT JSON"
    return f"EXPLAIN ({options}) EXECUTE {NAME}{_listed(literals)}"


def _listed(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""
