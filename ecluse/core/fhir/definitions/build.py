"""Makes `structures.json` of the official R4 definitions.

Enters: the folder of the unpacked npm package. Leaves: one file, the same bytes for the same package.
To rebuild (CC0-1.0, 5,306 resources):

    npm pack hl7.fhir.r4.examples@4.0.1 && tar xzf hl7.fhir.r4.examples-4.0.1.tgz
    python -m ecluse.core.fhir.definitions.build package

The file has one line for each type. A type is a list of elements `[name, types, min, max, targets]`: `types` is a
string, or a list for a choice (`value[x]`); `max` is 1 or "*"; `targets` are the types that a reference or canonical
may point to (left out when any). A type written `@string` is an XML attribute in FHIR: it takes no `_name` sibling.
Backbone elements and content references carry the path of the element that defines them, `Patient.contact`.
Spec: http://hl7.org/fhir/R4/formats.html#table
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROFILE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM = "http://hl7.org/fhirpath/System."
ANY_TARGET = "Resource"
ABSTRACT = {"Element", "BackboneElement"}
"""Abstract types that are used as such: `Element` has the siblings of primitives, `BackboneElement` every backbone."""

MISSING_IN_OFFICIAL_FILES = {
    "ImplementationGuide.name",  # ImplementationGuide-fhir.json, ig-r4.json
    "ImplementationGuide.status",  # the same two
    "Questionnaire.item.linkId",  # Questionnaire-qs1.json
    "SearchParameter.base",  # SearchParameter-codesystem-extensions-*.json, SearchParameter-valueset-extensions-*.json
}
"""Required elements that HL7's own files of this package leave out; not required here, so that these can be loaded."""


def main(package: Path) -> None:
    """Writes structures.json beside this file."""
    definitions = sorted(read(package), key=lambda definition: str(definition["id"]))
    (Path(__file__).parent / "structures.json").write_text(rendered(definitions), encoding="utf-8")


def read(package: Path) -> Iterator[dict[str, Any]]:
    """The StructureDefinitions of the types themselves, without profiles and logical models."""
    for path in package.glob("StructureDefinition-*.json"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        if definition.get("derivation") != "constraint" and definition["kind"] != "logical":
            yield definition


def rendered(definitions: list[dict[str, Any]]) -> str:
    """The text of structures.json: primitives with their regular expressions, resources, then all types."""
    primitives = {item["id"]: regex(item) for item in definitions if item["kind"] == "primitive-type"}
    resources = [item["id"] for item in definitions if item["kind"] == "resource" and not item["abstract"]]
    types: dict[str, list[list[Any]]] = {}
    for item in definitions:
        if item["kind"] != "primitive-type" and (not item["abstract"] or item["id"] in ABSTRACT):
            types |= elements_by_type(item)
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(types[name], separators=(',', ':'))}" for name in sorted(types))
    head = f'"primitives":{json.dumps(primitives, indent=0)},\n"resources":{json.dumps(resources)}'
    return f'{{"fhirVersion":"4.0.1",\n{head},\n"types":{{\n{lines}\n}}}}\n'


def regex(primitive: dict[str, Any]) -> str:
    """The regular expression of a primitive, "" for xhtml, which has none."""
    value = next(element for element in primitive["snapshot"]["element"] if element["path"].endswith(".value"))
    found = [item["valueString"] for item in value["type"][0].get("extension", []) if item["url"] == PROFILE + "regex"]
    return found[0] if found else ""


def elements_by_type(definition: dict[str, Any]) -> dict[str, list[list[Any]]]:
    """The elements of a type and of each backbone element inside it."""
    found: dict[str, list[list[Any]]] = {definition["id"]: []}
    for element in definition["snapshot"]["element"][1:]:
        if element["max"] == "0":
            continue
        parent, name = element["path"].rsplit(".", 1)
        if any(kind["code"] in ABSTRACT for kind in element.get("type", [])):
            found[element["path"]] = []
        found[parent].append(described(element, parent, name))
    return found


def described(element: dict[str, Any], parent: str, name: str) -> list[Any]:
    """One element as its row: [name, types, min, max] and, when limited, the targets of its references."""
    types = [type_of(kind, element, parent) for kind in element.get("type", [])]
    if not types:
        types = [element["contentReference"].removeprefix("#")]
    targets = sorted({target for kind in element.get("type", []) for target in targets_of(kind)})
    limit = 1 if element["max"] == "1" else "*"
    least = 0 if element["path"] in MISSING_IN_OFFICIAL_FILES else element["min"]
    row = [name, types if name.endswith("[x]") else types[0], least, limit]
    return [*row, targets] if targets and ANY_TARGET not in targets else row


def type_of(kind: dict[str, Any], element: dict[str, Any], parent: str) -> str:
    """The name of a type; attributes are written with @, backbones by their path."""
    code = str(kind["code"])
    if code in ABSTRACT:
        return str(element["path"])
    if not code.startswith(SYSTEM):
        return "@xhtml" if code == "xhtml" else code
    if element["base"]["path"] == "Resource.id":
        return (
            "@id"  # the definitions say string, the page of Resource says id: http://hl7.org/fhir/R4/resource.html#id
        )
    fhir_type = next(item for item in kind["extension"] if item["url"] == PROFILE + "structuredefinition-fhir-type")
    return "@" + str(fhir_type["valueUrl"])


def targets_of(kind: dict[str, Any]) -> list[str]:
    """The types that a reference or canonical may point to."""
    return [str(profile).removeprefix(PROFILE) for profile in kind.get("targetProfile", [])]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
