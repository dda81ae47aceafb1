"""Makes `summaries.json` of the official R4 definitions: which elements a summary has.

Enters: the folder of the unpacked npm package, as for build.py. Leaves: one file, a line for each type with the names
of its elements that are marked Σ; a choice is written `value[x]`.

    python -m ecluse.core.fhir.definitions.build_summaries package

Spec: http://hl7.org/fhir/R4/search.html#summary
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ecluse.core.fhir.definitions.build import elements_by_type, read


def main(package: Path) -> None:
    """Writes summaries.json beside this file."""
    definitions = [item for item in read(package) if item["kind"] != "primitive-type"]
    types: dict[str, list[str]] = {}
    for definition in sorted(definitions, key=lambda definition: str(definition["id"])):
        types |= marked(definition)
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(names, separators=(',', ':'))}" for name, names in types.items()
    )
    (Path(__file__).parent / "summaries.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def marked(definition: dict[str, Any]) -> dict[str, list[str]]:
    """The marked elements of a type and of each backbone element inside it, where there are any."""
    found: dict[str, list[str]] = {kind: [] for kind in elements_by_type(definition)}
    for element in definition["snapshot"]["element"][1:]:
        parent, name = element["path"].rsplit(".", 1)
        if element.get("isSummary") and parent in found:
            found[parent].append(name)
    return {kind: names for kind, names in found.items() if names}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
