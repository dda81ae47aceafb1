"""References against the types that they may lead to.

Enters: the node of a Reference. Leaves: the type that it leads to, "" when nothing says so.
Spec: http://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.nodes import Node
from ecluse.core.fhir.fhirpath.scope import Given

_resolved = compile("resolve()")
_ADDRESS_ALONE = {"reference", "display"}
_OF_THIS_SERVER = re.compile(r"([A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")

IN_OFFICIAL_FILES = {
    ("DeviceMetric.parent", "DeviceDefinition"),  # DeviceMetric-example.json
    ("DeviceUseStatement.reasonReference", "Procedure"),  # DeviceUseStatement-example.json
    ("MedicationRequest.dispenseRequest.performer", "Practitioner"),  # MedicationRequest-medrx0301.json
    ("Observation.performer", "Encounter"),  # Observation-clinical-gender.json
}
"""Targets that an element does not take and HL7's own files refer to all the same: warnings, so that these can be
loaded."""


def leads_right(value: Any, allowed: Container[str], addresses: Mapping[str, str]) -> bool:
    """Whether a reference, or each of several, is an address of a type that is allowed and nothing more; most are.

    value: the decoded JSON of the element; addresses: fullUrl → type of what a bundle writes"""
    if type(value) is list:
        return all(leads_right(one, allowed, addresses) for one in value)
    if type(value) is not dict or not value.keys() <= _ADDRESS_ALONE:
        return False
    link = value.get("reference")
    if type(link) is not str:
        return False
    kind, mark, _ = link.partition("?" if "?" in link else "/")
    return kind in allowed if mark else addresses.get(link) in allowed


def target_type(node: Node, given: Given) -> str:
    """The resource type of what a reference names: an address, a contained resource, an entry of the bundle around;
    else the type that it says itself.

    given: knows the entries of the bundle"""
    said, link = node.value.get("type"), node.value.get("reference")
    if isinstance(link, str):
        kind, mark, _ = link.partition("?" if "?" in link else "/")
        if mark and kind in structures().resources:
            return kind
        found = _resolved(node, given)
        if found and found[0].type != "Resource":
            return str(found[0].type)
    return said if isinstance(said, str) and said in structures().resources else ""


def no_type(node: Node) -> str:
    """What stands where an address of this server has a resource type, when R4 has none of that name: `patient/1`; ""
    for every other reference."""
    link = node.value.get("reference")
    found = _OF_THIS_SERVER.fullmatch(link) if isinstance(link, str) else None
    return found[1] if found and found[1] not in structures().resources else ""
