"""What a mapper gives: rows of OMOP tables that name others by reference, or the reason why there are none.

Enters: values that a mapper took from one resource. Leaves: rows that every table takes, since what is too long for its
column is cut (source codes) or left out (everything else) here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mappers.warehouse.tables import TABLES

NO_PATIENT = "no reference to a Patient of this server"
NO_DATE = "no date"
NO_CODE = "no code"
TEXT_ONLY = "code is text only"
FREE_VALUE = "value is free text"
_CODE = re.compile(r"[a-z-]{1,32}")


class Link(NamedTuple):
    """The column is filled from another resource: with the id of its row, or with its code."""

    column: str
    type: str
    id: str


class Own(NamedTuple):
    """The column is filled with the id of another row of the same resource."""

    column: str
    part: int


class Row(NamedTuple):
    """One row, known within its resource by (table, part). `values` lacks the id, person_id, visits and links."""

    table: str
    values: dict[str, Any]
    part: int = 0
    links: tuple[Link, ...] = ()
    own: tuple[Own, ...] = ()


class Code(NamedTuple):
    """A code under its system; no system is the empty text."""

    system: str
    code: str


class Mapped(NamedTuple):
    """All that one resource gives.

    patient, encounter: ids of the Patient and the Encounter it belongs to; losses: what was left out
    code: what the rows that refer to a Medication or a Device, which have no row of their own, take as source code
    """

    rows: tuple[Row, ...]
    patient: str | None = None
    encounter: str | None = None
    losses: tuple[str, ...] = ()
    code: Code | None = None


class Excluded(NamedTuple):
    """The resource gives nothing; the reason is a short phrase without patient data, counted in the books."""

    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a mapper may know besides the resource. bases: addresses under which references still mean this site."""

    bases: tuple[str, ...] = ()
    note_text: bool = False


def row(
    table: str, values: dict[str, Any], part: int = 0, links: Sequence[Link | None] = (), own: Sequence[Own] = ()
) -> Row:
    """A row without NULLs, in which no text is longer than its column.

    Too long source values are cut, other texts left out: half a name says nothing, half a local code often does.
    """
    kept = {name: value for name, value in values.items() if value is not None}
    for name, limit in TABLES[table].limits.items():
        if name in kept and len(kept[name]) > limit:
            if name.endswith("_source_value"):
                kept[name] = kept[name][:limit]
            else:
                del kept[name]
    return Row(table, kept, part, tuple(sorted(filter(None, links))), tuple(sorted(own)))


def refused(resource: dict[str, Any], allowed: Collection[str], element: str = "status") -> Excluded | None:
    """The exclusion when the status is none of the allowed ones.

    Spec: http://hl7.org/fhir/uv/omop, f2o-060
    """
    status = resource.get(element)
    if status in allowed:
        return None
    return Excluded(f"{element} {status}" if status and _CODE.fullmatch(str(status)) else f"no {element}")
