"""Makes `extensions.json` of the official R4 definitions: where each extension of R4 may stand.

Enters: the folder of the unpacked npm package (see build.py). Leaves: one file, the same bytes for the same package:

    python -m ecluse.core.fhir.definitions.build_extensions package

The file has a line for each extension: its url without `http://hl7.org/fhir/StructureDefinition/`, its contexts
`type:expression`, its context invariants, and whether it stands in `modifierExtension`.
Spec: http://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecluse.core.fhir.definitions.build import PROFILE

CORRECTED = {"%extension.valueInteger": "%extension.value"}
"""JSON names in expressions: in FHIRPath the element is `value`."""

ALSO_IN_OFFICIAL_FILES = {
    "regex": ("ElementDefinition.type",),  # every StructureDefinition of a primitive type
    "structuredefinition-fhir-type": ("ElementDefinition.type",),  # nearly every StructureDefinition
    "structuredefinition-normative-version": (
        "CodeSystem",  # CodeSystem-FHIR-version.json and 56 more
        "ElementDefinition",  # StructureDefinition-Address.json and 22 more
        "OperationDefinition",  # OperationDefinition-CodeSystem-lookup.json and 5 more
        "ValueSet",  # ValueSet-FHIR-version.json and 66 more
    ),
    "translation": ("ValueSet.expansion.contains",),  # Bundle-valueset-expansions.json
    "valueset-concept-comments": ("CodeSystem.concept",),  # CodeSystem-dicom-dcim.json and its bundle
}
"""Elements on which HL7's own files of this package put these extensions, though their definitions name others; allowed
here, so that these can be loaded."""


def main(package: Path) -> None:
    """Writes extensions.json beside this file."""
    (Path(__file__).parent / "extensions.json").write_text(rendered(package), encoding="utf-8")


def rendered(package: Path) -> str:
    """The text of extensions.json."""
    rows = sorted((definition["url"].removeprefix(PROFILE), _row(definition)) for definition in _read(package))
    return "{\n" + ",\n".join(f"{json.dumps(url)}:{_compact(row)}" for url, row in rows) + "\n}\n"


def _read(package: Path) -> Iterator[dict[str, Any]]:
    for path in package.glob("StructureDefinition-*.json"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        if definition["type"] == "Extension" and definition.get("derivation") == "constraint":
            yield definition


def _row(definition: dict[str, Any]) -> list[Any]:
    contexts = [f"{context['type']}:{context['expression']}" for context in definition["context"]]
    contexts += [f"element:{name}" for name in ALSO_IN_OFFICIAL_FILES.get(definition["id"], ())]
    invariants = [_corrected(text) for text in definition.get("contextInvariant", ())]
    return [contexts, invariants, definition["snapshot"]["element"][0].get("isModifier", False)]


def _corrected(text: str) -> str:
    for wrong, right in CORRECTED.items():
        text = text.replace(wrong, right)
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
