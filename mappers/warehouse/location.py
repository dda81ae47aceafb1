"""Location → care_site, and the commune it stands in → location. Also: the commune of any Address.

location holds commune and département and nothing finer: no line, no postal code, no coordinates.
Spec: http://hl7.org/fhir/R4/location.html
"""

from __future__ import annotations

import re
from typing import Any

from mappers.warehouse import coding, concepts
from mappers.warehouse.record import Context, Excluded, Mapped, Own, Row, row

HOMES = frozenset({"PTRES", "ho"})
FRANCE = frozenset({"", "FR", "FRA", "FRANCE"})
_COMMUNE = re.compile(r"[^\W\d_]+(?:[ '’.()-]+[^\W\d_]+)*[.)]*(?: \d{1,2}\w{0,3}(?: [Aa][A-Za-z]+)?)?")
_STATE = re.compile(r"[A-Z]{2}")
_COUNTRY = re.compile(r"[A-Za-z]{2,3}|[Ff][Rr][Aa][Nn][Cc][Ee]")


def rows(resource: dict[str, Any], context: Context) -> Mapped | Excluded:
    """A care site and its commune. A kind of place is no place, and a patient's home is no care site: name and
    address are theirs.
    """
    if resource.get("mode") == "kind":
        return Excluded("a kind of place, not a place")
    if coding.has([*(resource.get("type") or ()), resource.get("physicalType") or {}], HOMES):
        return Excluded("a patient's home")
    address = resource.get("address")
    return Mapped(care_site(resource, [address] if address else [], resource.get("type")))


def care_site(resource: dict[str, Any], addresses: list[dict[str, Any]], kinds: Any) -> tuple[Row, ...]:
    """The rows of a place or organisation that cares: its own name, the code of its kind, its commune."""
    where = place(addresses)
    kind = coding.source(kinds)
    values = {
        "care_site_name": resource.get("name"),
        "place_of_service_concept_id": concepts.NONE,
        "place_of_service_source_value": kind,
    }
    site = row("care_site", values, own=(Own("location_id", 0),) if where else ())
    return (where, site) if where else (site,)


def place(addresses: list[dict[str, Any]]) -> Row | None:
    """The commune and département of the first address in use that tells one.

    city: only what looks like the name of a commune; state, county: the département, of a French postal code
    """
    for address in sorted(addresses, key=lambda each: each.get("use") in ("old", "billing", "temp")):
        values = _place(address)
        if values:
            return row("location", values)
    return None


def _place(address: dict[str, Any]) -> dict[str, Any]:
    country = (address.get("country") or "").strip()
    city = (address.get("city") or "").strip()
    state = address.get("state") or ""
    department = _department(address.get("postalCode") or "", country, state)
    values = {
        "city": city if len(city) <= 50 and _COMMUNE.fullmatch(city) else None,
        "state": department[:2] if department else state if _STATE.fullmatch(state) else None,
        "county": department or None,
        "country_source_value": country if _COUNTRY.fullmatch(country) else None,
    }
    if not any(values[name] for name in ("city", "state")):
        return {}
    return {**values, "country_concept_id": concepts.NONE}


def _department(postal_code: str, country: str, state: str) -> str:
    if (
        country.upper() not in FRANCE
        or not re.fullmatch(r"\d{5}", postal_code)
        or (not country and _STATE.fullmatch(state))
    ):
        return ""
    if postal_code[:2] in ("97", "98"):
        return postal_code[:3]
    if postal_code[:2] == "20":
        return "2A" if postal_code < "20200" else "2B"
    return postal_code[:2]
