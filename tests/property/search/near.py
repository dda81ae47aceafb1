"""Distances on the globe.

Enters: the position of a Location and `latitude|longitude|distance|units`. Leaves: whether it is that near.
Spec: http://hl7.org/fhir/R4/location.html#positional
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from tests.property.search.definitions import Value

EARTH_KM = 6371.0088
KM = {"km": 1.0, "": 1.0, "m": 0.001, "[mi_us]": 1.609347219, "[mi_i]": 1.609344}


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Along the great circle of a sphere (haversine)."""
    one, other = radians(latitude), radians(other_latitude)
    chord = sin((other - one) / 2) ** 2
    chord += cos(one) * cos(other) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(chord))


def is_near(value: Value, asked: str) -> bool:
    """Whether a position is within the distance, in kilometres unless a unit is named."""
    latitude, longitude, distance, *unit = asked.split("|")
    found = distance_km(
        float(latitude), float(longitude), float(value.data["latitude"]), float(value.data["longitude"])
    )
    return found <= float(distance) * KM["".join(unit)]
