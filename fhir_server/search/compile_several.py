"""SQL of searches over several types or sites.

Enters: what each type of each site is asked, with its plan. Leaves: one statement. Keys of resources are unique over
all types and sites, so the order of the whole is that of its parts, and so is the place after which a page begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.search.compile import Compiled, bodiless
from fhir_server.search.conditions import Arguments
from fhir_server.search.plan import Plan
from fhir_server.search.query import SearchQuery, Sort


def page(asked: Sequence[tuple[int, SearchQuery, Plan]]) -> Compiled:
    """A page: rows of (leg, pk, id, version, body, k0, k1 …), one more than asked for when there is a next page. leg:
    the place among what was asked; asked: (site, query, plan), all in the same order and with the same count"""
    arguments = Arguments()
    first = asked[0][1]
    names = "".join(f", f.k{number}" for number in range(len(first.sort)))
    parts = [
        f"SELECT {leg} AS leg, f.pk, f.id, f.version{names}\nFROM (\n{part}\n) f"
        for leg, (site, query, plan) in enumerate(asked)
        for part in bodiless(site, query, plan.instead or plan, arguments)
    ]
    union = "\nUNION ALL\n".join(parts)
    order = f"ORDER BY {_order('f', first.sort, descending=first.descending)}"
    found = f"SELECT * FROM (\n{union}\n) f\n{order}\nLIMIT {first.count + 1}"
    return (
        f"SELECT f.leg, f.pk, f.id, f.version, v.body{names}\nFROM (\n{found}\n) f\n"
        f"JOIN fhir.version v ON v.pk = f.pk AND v.version = f.version\n{order}"
    ), arguments.values


def _order(alias: str, sort: Sequence[Sort], *, descending: bool) -> str:
    keys = [f"{alias}.k{place}{' DESC' if key.descending else ''} NULLS LAST" for place, key in enumerate(sort)]
    return ", ".join([*keys, f"{alias}.pk{' DESC' if descending else ''}"])
