"""One search over one type or several, of one site or several.

Enters: nothing. Leaves: frozen values. What all parts share (order, page, includes) stands once, in `asked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fhir_server.search.query import SearchQuery
from fhir_server.store.resources import Site
from mappers.search.registry import BUILT_IN, Registry


class Leg(NamedTuple):
    """What one type of one site is asked. base: address of the site; registry: its parameters"""

    site: Site
    base: str
    query: SearchQuery
    registry: Registry = BUILT_IN


@dataclass(frozen=True, slots=True)
class Search:
    """address: what its links begin with; asked: what all legs share; legs: none when nothing can be found"""

    address: str
    asked: SearchQuery
    legs: tuple[Leg, ...]
