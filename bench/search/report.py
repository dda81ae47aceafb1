"""The figures of `make bench-search` as the tables of docs/performance.md.

Enters: what was measured on each store, the scans of each index. Leaves: Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.search.indexes import Scans
from bench.search.measure import Measured

Stores = Sequence[tuple[int, Sequence[Measured]]]
MOST_TIMES = 2.0
"""How much the p99 of a limited scenario may grow with ten times the data."""


def tables(stores: Stores, scans: Sequence[Scans]) -> str:
    """All tables."""
    return "\n".join([*_scenarios(stores), "", *_refusals(stores), "", *_indexes(scans)]) + "\n"


def _scenarios(stores: Stores) -> Iterator[str]:
    sizes = [f"{resources:,}: p50 · p99 ms | CPU (database) ms | rows · blocks" for resources, _ in stores]
    yield f"| search | values | {' | '.join(sizes)} | growth of p99, CPU | matches | limit |"
    yield "|---" * (5 + 3 * len(stores)) + "|"
    for each in zip(*(results for _, results in stores), strict=True):
        yield _row(each)


def _row(each: Sequence[Measured]) -> str:
    first, last = each[0], each[-1]
    cells = [first.scenario.name, first.scenario.kind]
    for one in each:
        cells += ["refused", "", ""] if one.refused else _cells(one)
    grown = "" if first.refused or last.refused or len(each) < 2 else _growth(first, last)
    limit = first.scenario.limit_ms
    verdict = "" if limit is None else f"{limit} ms {'met' if _is_met(each, limit) else 'missed'}"
    return f"| {' | '.join([*cells, grown, f'{last.matches:g}', verdict])} |"


def _cells(one: Measured) -> list[str]:
    return [
        f"{one.p50_ms:g} · {one.p99_ms:g}",
        f"{one.cpu_ms:g} ({one.database_ms:g})",
        f"{one.touched.rows:,} · {one.touched.blocks:,}",
    ]


def _growth(first: Measured, last: Measured) -> str:
    return f"{last.p99_ms / first.p99_ms:.1f}, {last.cpu_ms / first.cpu_ms:.1f}"


def _is_met(each: Sequence[Measured], limit: int) -> bool:
    first, last = each[0], each[-1]
    if any(one.refused for one in each) or first.p99_ms > limit:
        return False
    return last.p99_ms <= max(MOST_TIMES * first.p99_ms, limit if len(each) == 1 else 0)


def _refusals(stores: Stores) -> Iterator[str]:
    """What has no figures, and why; the same on both stores is said once."""
    found = [(f"{one.scenario.name}, {one.scenario.kind}", one.refused) for _, all_of in stores for one in all_of]
    for name, reason in {name: reason for name, reason in found if reason}.items():
        yield f"- {name}: {reason}"


def _indexes(scans: Sequence[Scans]) -> Iterator[str]:
    yield "| table | index | scans | rows read | MB |"
    yield "|---|---|---|---|---|"
    for one in scans:
        used = f"{one.scans:,}" if one.scans else "none"
        yield f"| {one.table} | {one.index} | {used} | {one.rows_read:,} | {one.bytes / 1e6:.0f} |"
