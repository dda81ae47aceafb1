"""What R4 lets clients search by and this server does not, each with the reason. A query that asks for it is refused
with it.

Enters: nothing. Leaves: two tables. To serve one: a row less here.
"""

from __future__ import annotations

PARAMETERS: dict[str, str] = {
    "Bundle.composition": "it leads into the first entry of a bundle, which is no resource of its own here",
    "Bundle.message": "it leads into the first entry of a bundle, which is no resource of its own here",
    "Patient.age": "R4 gives it no expression",
    "Patient.birthOrderBoolean": "R4 gives it no expression",
}
"""Parameters of one type, `Type.code`."""

GENERAL: dict[str, str] = {
    "_filter": "it is a whole search: it stands by itself, and not behind a chain or _has",
    "_content": "their words are not indexed here; POST R4's SearchParameter Resource-content with such types as base",
    "_in": "R4 has no such parameter; ask _list, or _has:Group:member:_id",
    "_query": "this server has no named queries",
    "_text": "narratives are not indexed here; POST R4's SearchParameter DomainResource-text with such types as base",
    "_type": "a search below a type is for that type; write it at the base, as in /?_type=Observation,Condition",
    "_contained": "contained resources are not searched",
    "_containedType": "contained resources are not searched",
}
"""Parameters of every type."""
