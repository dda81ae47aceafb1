"""From where an index of intervals is read, so that a walk begins where the first match can be.

Enters: clauses on the same row. Leaves: what follows their conditions; a walk for each part. The indexes are ordered by
where intervals begin, and some prefixes only say where they end: intervals that end after that begin not long before
it, or are among the few long ones, which have an index of their own by their end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ecluse.core.fhir.dates import EARLIEST
from fhir_server.search.conditions import Arguments
from fhir_server.search.query import Clause
from mappers.search.question import Amount, Moment, Value

AFTER = ("gt", "ge", "ap")
"""The prefixes that bound the end of an interval, and not its beginning."""
SHORT = timedelta(days=7)
LONG = (
    "CASE WHEN isfinite({d}.low) AND isfinite({d}.high)"
    " THEN {d}.high - {d}.low > make_interval(days => 7) ELSE true END"
)
"""Intervals longer than that, as the index `date_long` has it."""
BEYOND = {"gt": (">", "<="), "ge": (">=", "<"), "ap": (">=", "<")}
"""How a number that is no range is compared with the bound, and a range that begins before it."""
WIDE = {"": "{d}.high <> {d}.low", "canonical_": "{d}.canonical_high <> {d}.canonical_low AND {d}.unit <> 0"}
"""Ranges, as the indexes `quantity_wide` and `quantity_canonical_wide` have them."""


def parts(clauses: Sequence[Clause], alias: str, arguments: Arguments) -> list[str]:
    """One text for each walk, empty where the conditions of the clauses are enough."""
    values = [one.values[0] for one in clauses if len(one.values) == 1]
    if (since := _since(values)) is not None:
        begins = arguments.add(max(since, EARLIEST + SHORT) - SHORT)
        ends = arguments.add(since)
        return [f" AND {alias}.low >= {begins}", f" AND {alias}.high > {ends} AND {LONG.format(d=alias)}"]
    amounts = [value for value in values if isinstance(value, Amount)]
    if not any(amount.prefix in ("eq", "sa") for amount in amounts):
        for amount in amounts:
            if amount.prefix in AFTER:
                return _of_amount(amount, alias, arguments)
    return [""]


def _since(values: Sequence[Value]) -> datetime | None:
    """The instant after which all intervals that match end, when nothing says where they begin."""
    moments = [value for value in values if isinstance(value, Moment)]
    if any(moment.prefix in ("eq", "sa") for moment in moments):
        return None
    ends = [moment.high if moment.prefix == "gt" else moment.low for moment in moments if moment.prefix in AFTER]
    return max(ends, default=None)


def _of_amount(amount: Amount, alias: str, arguments: Arguments) -> list[str]:
    """A number begins where it ends; a range that begins before the bound may end beyond it."""
    which = "" if amount.unit is None else "canonical_"
    bound = arguments.add(amount.low if amount.prefix == "ap" else amount.exact)
    beyond, before = BEYOND[amount.prefix]
    low = f"{alias}.{which}low"
    return [f" AND {low} {beyond} {bound}", f" AND {low} {before} {bound} AND {WIDE[which].format(d=alias)}"]
