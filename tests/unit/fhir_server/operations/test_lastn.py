"""fhir_server/operations/lastn.py: groups of equal codes, against a plain closure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.operations.lastn import Code, Seen, chosen_of

DAY = datetime(2020, 1, 1, tzinfo=UTC)
codes = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)
observations = st.lists(st.tuples(codes, st.integers(0, 4)), max_size=12)


def _groups(seen: list[Seen]) -> list[set[Code]]:
    groups: list[set[Code]] = []
    for one in seen:
        joined = set(one.codes)
        for group in [group for group in groups if group & joined]:
            joined |= group
            groups.remove(group)
        groups.append(joined)
    return groups


@given(observations, st.integers(1, 3))
def test_each_group_gives_its_last_ones_and_what_ties_with_them(found: list[tuple[list[str], int]], most: int) -> None:
    seen = [
        Seen(DAY + timedelta(days=day), pk, tuple(("s", code) for code in listed))
        for pk, (listed, day) in enumerate(found)
    ]
    chosen = chosen_of(seen, most)
    expected: set[int] = set()
    for group in _groups(seen):
        own = [one for one in seen if group & set(one.codes)]
        expected |= {one.pk for one in own if sum(other.at > one.at for other in own) < most}
    assert {one.pk for one in chosen} == expected
    assert len(chosen) == len(expected)
    assert [one.at for one in chosen] == sorted((one.at for one in chosen), reverse=True)
