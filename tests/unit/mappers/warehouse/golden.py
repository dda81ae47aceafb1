"""What a mapper gives, as readable JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecluse.core.fhir.json import decode
from mappers.warehouse.mapping import rows
from mappers.warehouse.record import Context, Excluded, Row

FOLDER = Path(__file__).parents[3] / "golden" / "warehouse"
CONTEXT = Context(bases=("http://127.0.0.1:8080/fhir/",))
CASES = sorted(path for path in FOLDER.glob("*/*.json") if not path.name.endswith(".rows.json"))


def expected(case: Path) -> Path:
    """The file beside a case."""
    return case.with_name(f"{case.stem}.rows.json")


def given(case: Path) -> dict[str, Any]:
    """What the mapper gives for a case, in the form of the expected file."""
    found = rows(decode(case.read_bytes()), CONTEXT)
    if isinstance(found, Excluded):
        return {"excluded": found.reason}
    told = {"patient": found.patient, "encounter": found.encounter, "losses": list(found.losses)}
    code = {"code": f"{found.code.system}|{found.code.code}"} if found.code else {}
    return {"rows": [_row(row) for row in found.rows], **{name: value for name, value in told.items() if value}, **code}


def _row(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"table": row.table}
    if row.part:
        told["part"] = row.part
    told["values"] = {name: value if isinstance(value, int) else str(value) for name, value in row.values.items()}
    if row.links:
        told["links"] = {link.column: f"{link.type}/{link.id}" for link in row.links}
    if row.own:
        told["own"] = {own.column: own.part for own in row.own}
    return told


def text(found: dict[str, Any]) -> str:
    """The text of an expected file."""
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"
