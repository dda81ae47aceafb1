"""References as (type, id) of resources of this site.

Enters: Reference elements. Leaves: what they point to, or None: a reference to another server, to nothing but an
identifier, or into the resource itself points to no row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from mappers.warehouse.record import Context, Link

PROVIDERS = frozenset({"Practitioner", "PractitionerRole"})
CARE_SITES = frozenset({"Organization", "Location"})
REMEMBERED = 4096
_RELATIVE = re.compile(r"([A-Z][A-Za-z]{1,40})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


class Target(NamedTuple):
    """What a reference points to."""

    type: str
    id: str


def target(reference: dict[str, Any] | None, context: Context) -> Target | None:
    """The type and id that a Reference names on this site."""
    text = reference.get("reference") if reference else None
    return _named(text, context.bases) if text else None


@lru_cache(REMEMBERED)
def _named(text: str, bases: tuple[str, ...]) -> Target | None:
    """Remembered: what one patient's resources refer to is the same few again and again."""
    for base in bases:
        text = text.removeprefix(base)
    found = _RELATIVE.fullmatch(text)
    return Target(found[1], found[2]) if found else None


def first(references: Iterable[dict[str, Any] | None], types: Collection[str], context: Context) -> Target | None:
    """The first target that is of one of the types."""
    for reference in references:
        found = target(reference, context)
        if found and found.type in types:
            return found
    return None


def patient(reference: dict[str, Any] | None, context: Context) -> str | None:
    """The id of the Patient that a Reference names."""
    found = target(reference, context)
    return found.id if found and found.type == "Patient" else None


def encounter(reference: dict[str, Any] | None, context: Context) -> str | None:
    """The id of the Encounter that a Reference names; an EpisodeOfCare, which a medication may have, is no visit."""
    found = target(reference, context)
    return found.id if found and found.type == "Encounter" else None


def provider(references: Iterable[dict[str, Any] | None], context: Context) -> Link | None:
    """The link of provider_id to the first Practitioner or PractitionerRole."""
    found = first(references, PROVIDERS, context)
    return Link("provider_id", *found) if found else None


def care_site(references: Iterable[dict[str, Any] | None], context: Context) -> Link | None:
    """The link of care_site_id to the first Organization or Location."""
    found = first(references, CARE_SITES, context)
    return Link("care_site_id", *found) if found else None


def contained(resource: dict[str, Any], reference: dict[str, Any] | None) -> dict[str, Any] | None:
    """The resource inside this one that a Reference such as `#med` names."""
    text = (reference or {}).get("reference") or ""
    inside: list[dict[str, Any]] = resource.get("contained") or []
    return next((each for each in inside if text == f"#{each.get('id')}"), None)
