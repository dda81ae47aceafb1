"""What came of a job, as it is kept, and as clients read it.

Spec: http://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ecluse.bus.position import Position
from ecluse.core import clock


class File(msgspec.Struct, omit_defaults=True):
    """One file. type: of the resources in it; name: "" when there is nothing to fetch; input: the address that an
    import read it from."""

    type: str
    name: str
    count: int
    input: str = ""


class Manifest(msgspec.Struct):
    """What came of a job that has ended well. event: of an import, one behind all that it wrote"""

    transaction_time: datetime
    request: str
    output: list[File] = []
    deleted: list[File] = []
    error: list[File] = []
    event: Position | None = None


def told(manifest: Manifest, address: str) -> dict[str, Any]:
    """The manifest as JSON. address: of the job"""
    return {
        "transactionTime": clock.instant_text(manifest.transaction_time),
        "request": manifest.request,
        "requiresAccessToken": False,
        "output": [_item(file, address) for file in manifest.output],
        "deleted": [_item(file, address) for file in manifest.deleted],
        "error": [_item(file, address) for file in manifest.error],
    }


def _item(file: File, address: str) -> dict[str, Any]:
    item: dict[str, Any] = {"type": file.type, "count": file.count}
    if file.name:
        item["url"] = f"{address}/{file.name}"
    if file.input:
        item["inputUrl"] = file.input
    return item
