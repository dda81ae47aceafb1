"""Makes `rules.json` of the official R4 definitions: invariants and bindings.

Enters: the folder of the unpacked npm package (see build.py). Leaves: one file, the same bytes for the same package:

    python -m ecluse.core.fhir.definitions.build_rules package

`invariants` has, for each type or backbone element and for each element with rules of its own (`Narrative.div`), the
rules `[key, severity, text, expression]`; what `DomainResource` has holds for every type made from it. `bindings`
names, for each element whose binding is required, the value set; `extensible` and `preferred` do the same for these
strengths. Reference targets are in structures.json.
Spec: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ecluse.core.fhir.definitions.build import read

DOMAIN = "DomainResource"
LEFT_OUT = {"ele-1"}
"""The structure refuses what is empty."""

BROKEN_IN_OFFICIAL_FILES = {
    "bdl-7",  # Bundle-dataelements.json
    "sdf-4",  # StructureDefinition-Definition.json, -Event.json, -FiveWs.json, -Request.json
    "txt-2",  # EventDefinition-example.json, Questionnaire-zika-virus-exposure-assessment.json and two more
}
"""Rules that HL7's own files of this package break: warnings here, so that these can be loaded."""

CORRECTED = {
    "ref-1": "reference.empty() or reference.startsWith('#').not() or resolve().exists()",
    "txt-2": "htmlChecks2()",
    "dom-3": (
        "contained.empty() or contained.where(descendants().where(reference = '#' or as(canonical) = '#').empty())"
        ".select('#' + id).subsetOf("
        "%resource.descendants().reference.combine(%resource.descendants().as(canonical))"
        ".combine(%resource.descendants().as(uri)).combine(%resource.descendants().as(url)))"
    ),
    "bdl-8": "fullUrl.empty() or fullUrl.contains('/_history/').not()",
    "per-1": "start.hasValue().not() or end.hasValue().not() or (start > end).empty() or start <= end",
    "rng-2": "low.empty() or high.empty() or (low > high).empty() or low <= high",
    "mdd-1": (
        "whenHandedOver.empty() or whenPrepared.empty() or (whenHandedOver < whenPrepared).empty() "
        "or whenHandedOver >= whenPrepared"
    ),
    "Task inv-1": (
        "lastModified.empty() or authoredOn.empty() or (lastModified < authoredOn).empty() "
        "or lastModified >= authoredOn"
    ),
    "ras-2": "probability.ofType(decimal).empty() or probability.ofType(decimal) <= 100",
    "que-7": "operator = 'exists' implies (answer is boolean)",
    "con-3": (
        "clinicalStatus.exists() or verificationStatus.coding.where(system="
        "'http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() "
        "or category.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-category' "
        "and code='problem-list-item').empty()"
    ),
}
"""Rules whose published expression does not say what their text says: what is absent, less precise (2015 beside
2015-03-01) or in another unit breaks none of them; que-7 names a type that no element has, con-3 compares a concept
with a text, txt-1 and txt-2 call the same function. dom-3 and ref-1 take the square of the time that these need. R4B
and R5 mended ref-1, bdl-8, per-1, rng-2 and que-7 in the same sense."""

STRENGTHS = {"required": "bindings", "extensible": "extensible", "preferred": "preferred"}
"""The strengths that are kept, and the member that holds each; example bindings ask for nothing."""

NOT_WISHED = {"ElementDefinition.type.code"}
"""Extensible bindings that HL7's own definitions leave in nearly every file: here for `…/fhirpath/System.String`."""

NAMES = "name.matches("
"""How the rules on computable names begin; a name that is not there breaks none."""


def main(package: Path) -> None:
    """Writes rules.json beside this file."""
    definitions = sorted(read(package), key=lambda definition: str(definition["id"]))
    (Path(__file__).parent / "rules.json").write_text(rendered(definitions), encoding="utf-8")


def rendered(definitions: list[dict[str, Any]]) -> str:
    """The text of rules.json, a line for each type or element."""
    invariants: dict[str, list[list[str]]] = {}
    bindings: dict[str, dict[str, str]] = {strength: {} for strength in STRENGTHS}
    [domain] = [item for item in definitions if item["id"] == DOMAIN]
    shared = {rule[0] for rule in rules(domain["snapshot"]["element"][0])}
    for definition in definitions:
        for element in definition["snapshot"]["element"]:
            path = element["path"].removesuffix("[x]")
            if found := [rule for rule in rules(element) if belongs(rule[0], path, definition["id"], shared)]:
                invariants[path] = found
            bound = element.get("binding", {})
            if bound.get("strength") in STRENGTHS and "valueSet" in bound and path not in NOT_WISHED:
                bindings[bound["strength"]][path] = bound["valueSet"].partition("|")[0]
    parts = {"invariants": invariants} | {STRENGTHS[strength]: found for strength, found in bindings.items()}
    told = ",\n".join(f'"{name}":{{\n{lines(entries)}\n}}' for name, entries in parts.items())
    return f"{{{told}}}\n"


def belongs(key: str, path: str, type_name: str, shared: set[str]) -> bool:
    """Whether a rule is the element's own, not the copy of one that holds wherever its type is used."""
    if key == "ext-1":
        return path == "Extension"
    return type_name == DOMAIN or key not in shared


def rules(element: dict[str, Any]) -> list[list[str]]:
    """The rules of an element: key, severity, text, expression."""
    found = [
        [rule["key"], severity(rule), rule["human"], expression(rule, element["path"])]
        for rule in element.get("constraint", [])
        if rule["key"] not in LEFT_OUT and "expression" in rule
    ]
    return found if element["max"] != "0" else []


def severity(rule: dict[str, Any]) -> str:
    """Whether a resource that breaks the rule is refused ("error") or only told so ("warning")."""
    return "warning" if rule["key"] in BROKEN_IN_OFFICIAL_FILES else str(rule["severity"])


def expression(rule: dict[str, Any], path: str) -> str:
    """The rule's expression, corrected where it has to be."""
    text = str(rule["expression"])
    if text.startswith(NAMES):
        return f"name.empty() or {text}"
    return CORRECTED.get(f"{path} {rule['key']}") or CORRECTED.get(rule["key"], text)


def lines(entries: dict[str, Any]) -> str:
    """One line for each entry."""
    return ",\n".join(f"{json.dumps(path)}:{json.dumps(entries[path], ensure_ascii=False)}" for path in sorted(entries))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
