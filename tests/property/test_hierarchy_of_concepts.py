"""Positions and intervals tell subsumption exactly as a walk up the parents does, whatever the graph."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mappers.terminology.concept import Concept
from mappers.terminology.hierarchy import Hierarchy, hierarchy


@st.composite
def graphs(draw: st.DrawFn) -> list[Concept]:
    """Up to twenty concepts with up to three parents each; circles and unknown parents among them."""
    count = draw(st.integers(1, 20))
    parents = st.lists(st.integers(0, count), max_size=3)
    return [Concept(str(n), parents=tuple(map(str, draw(parents)))) for n in range(count)]


def _above(found: Hierarchy, code: str) -> set[str]:
    """What a walk up reaches, by the parents that were kept."""
    at = {found.place(one).position: one for one in found.number}
    reached, waiting = {code}, [code]
    while waiting:
        for position in found.place(waiting.pop()).parents:
            if at[position] not in reached:
                reached.add(at[position])
                waiting.append(at[position])
    return reached


@given(graphs())
def test_a_position_is_under_a_concept_when_a_walk_up_reaches_it(concepts: list[Concept]) -> None:
    found = hierarchy(concepts)
    for code in found.number:
        position, above = found.place(code).position, _above(found, code)
        for other in found.number:
            under = any(low <= position <= high for low, high in found.place(other).under)
            assert under == (other in above), (code, other)


@given(graphs())
def test_positions_count_the_concepts_and_intervals_are_apart(concepts: list[Concept]) -> None:
    found = hierarchy(concepts)
    assert sorted(found.position) == list(range(len(concepts)))
    for code in found.number:
        under = found.place(code).under
        assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(under))


@given(graphs())
def test_only_circles_and_unknown_codes_lose_a_parent(concepts: list[Concept]) -> None:
    found = hierarchy(concepts)
    named = {(one.code, parent) for one in concepts for parent in one.parents if parent != one.code}
    kept = sum(len(found.place(one.code).parents) for one in concepts)
    lost_to_unknown = sum(parent not in found.number for _, parent in named)
    assert kept == len(named) - lost_to_unknown - len(found.cyclic)
