"""A resource that names a person wherever FHIR has room for it, made from the definitions of R4."""

from __future__ import annotations

import base64
from typing import Any

from ecluse.core.fhir.definitions.structures import Element, structures

DEEPEST = 4
NAME, PHONE, INS, IPP, STREET = "KERVADEC", "612345678", "256035612345678", "IPP0099887", "12 rue des Ajoncs"
WORDS = (NAME, PHONE, INS, IPP, "Ajoncs", "29417", base64.b64encode(NAME.encode()).decode().rstrip("="))

TEXT = f"Zoé {NAME}, {STREET}, 29417 Brest, tel 0{PHONE}, INS {INS}, {IPP}"
VALUES: dict[str, Any] = {
    "string": TEXT,
    "markdown": TEXT,
    "xhtml": f'<div xmlns="http://www.w3.org/1999/xhtml">{TEXT}</div>',
    "code": NAME,
    "id": f"{NAME}-{IPP}",
    "uri": f"urn:ins:{INS}:{NAME}",
    "url": f"tel:0{PHONE}",
    "canonical": f"http://example.org/{NAME}|{IPP}",
    "oid": "urn:oid:1.2.250.256035612345678",
    "uuid": "urn:uuid:61234567-8612-4345-8612-345678612345",
    "base64Binary": base64.b64encode(NAME.encode()).decode(),
    "boolean": True,
    "integer": int(PHONE),
    "positiveInt": int(PHONE),
    "unsignedInt": int(PHONE),
    "decimal": int(INS),
    "date": "1956-03-02",
    "dateTime": "2024-05-06T07:08:09+02:00",
    "instant": "2024-05-06T07:08:09.123+02:00",
    "time": "07:08:09",
}


def resource(resource_type: str, variant: int) -> dict[str, Any]:
    """Every element of a type, with elements inside to some depth. variant: which member of each choice"""
    made = {"resourceType": resource_type} | _object(resource_type, variant, 0)
    return made | {"id": "r1", "contained": [{"resourceType": "Patient", "id": "c", "name": [{"text": TEXT}]}]}


def _object(type_name: str, variant: int, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for element in structures().types[type_name]:
        members = element.members()
        name, kind = members[variant % len(members)]
        # A modifier extension keeps the whole resource here, which would prove nothing.
        if name != "modifierExtension" and name != "contained" and name != "implicitRules":
            _add(made, element, name, kind, variant, depth)
    return made


def _add(made: dict[str, Any], element: Element, name: str, kind: str, variant: int, depth: int) -> None:
    if kind in structures().primitives:
        one = VALUES[kind]
        if not element.attribute and depth < DEEPEST:
            beside = {"extension": [{"url": VALUES["uri"], "valueString": TEXT}]}
            made["_" + name] = [beside] if element.many else beside
    elif depth >= DEEPEST or kind in ("Resource", "Extension"):
        one = {"url": VALUES["uri"], "valueString": TEXT} if kind == "Extension" else None
    else:
        one = _object(kind, variant, depth + 1)
    if one is not None and one != {}:
        made[name] = [one] if element.many else one
