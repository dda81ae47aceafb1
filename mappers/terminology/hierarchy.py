"""Where each concept stands in its code system, so that subsumption is a comparison of numbers.

Enters: concepts, for their codes and who is above whom. Leaves: for each code a position and the positions under it.
Positions count the concepts in the order of a walk down the tree: all that stand below a concept have positions from
its own to its last, one interval. A concept with several parents stands below the first; the others get its interval
as a further one. (Tree cover of a directed acyclic graph, Agrawal, Borgida, Jagadish 1989.)
Spec: http://hl7.org/fhir/R4/codesystem.html#subsumption
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mappers.terminology.concept import Concept

Interval = tuple[int, int]
"""First and last position, both within."""


class Place(NamedTuple):
    """position: from 0; under: intervals of what the concept subsumes, itself included, ascending, apart; parents:
    positions."""

    position: int
    under: tuple[Interval, ...]
    parents: tuple[int, ...]


class Hierarchy(NamedTuple):
    """cyclic: codes whose way up leads back to them, there cut; unknown: codes that are named as parent or child and
    are none; the rest is what places are made of, as numbers of concepts."""

    number: dict[str, int]
    position: Sequence[int]
    under: dict[int, tuple[Interval, ...]]
    last: Sequence[int]
    parents: Sequence[Sequence[int]]
    cyclic: list[str]
    unknown: list[str]

    def place(self, code: str) -> Place:
        """Where a concept stands; of two with one code, the first.

        Raises: KeyError when it is none"""
        n = self.number[code]
        own = self.under.get(n) or ((self.position[n], self.last[n]),)
        return Place(self.position[n], own, tuple(self.position[parent] for parent in self.parents[n]))


def hierarchy(concepts: Iterable[Concept]) -> Hierarchy:
    """The place of every code."""
    number: dict[str, int] = {}
    named: list[tuple[str, str]] = []
    for concept in concepts:
        number.setdefault(concept.code, len(number))
        named += [(parent, concept.code) for parent in concept.parents]
        named += [(concept.code, child) for child in concept.children]
    edges = dict.fromkeys((number[a], number[b]) for a, b in named if a in number and b in number and a != b)
    unknown = list(dict.fromkeys(code for edge in named for code in edge if code not in number))
    parents: list[list[int]] = [[] for _ in number]
    for above, below in edges:
        parents[below].append(above)
    codes = list(number)
    cut = _cut_cycles(parents)
    position, last = _walk(parents)
    under = _under(parents, position, last)
    return Hierarchy(number, position, under, last, parents, [codes[n] for n in cut], unknown)


def _children(parents: list[list[int]], first_only: bool) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for below, above in enumerate(parents):
        for parent in above[:1] if first_only else above:
            children[parent].append(below)
    return children


def _cut_cycles(parents: list[list[int]]) -> list[int]:
    """Takes away each parent that is reached from below itself. Returns: the concepts that lost one"""
    state = bytearray(len(parents))  # 0 not seen, 1 on the way, 2 done
    cut: list[int] = []
    for start in range(len(parents)):
        stack = [(start, 0)] if state[start] == 0 else []
        while stack:
            n, nth = stack.pop()
            state[n] = 1
            if nth == len(parents[n]):
                state[n] = 2
                continue
            parent = parents[n][nth]
            if state[parent] == 1:
                parents[n].pop(nth)
                cut.append(n)
                stack.append((n, nth))
            else:
                stack.append((n, nth + 1))
                if state[parent] == 0:
                    stack.append((parent, 0))
    return cut


def _walk(parents: list[list[int]]) -> tuple[list[int], list[int]]:
    """Position and last position below, by concept, along first parents."""
    children = _children(parents, first_only=True)
    position, last = [0] * len(parents), [0] * len(parents)
    count = 0
    for root in range(len(parents)):
        stack = [] if parents[root] else [(root, False)]
        while stack:
            n, done = stack.pop()
            if done:
                last[n] = count - 1
                continue
            position[n] = count
            count += 1
            stack.append((n, True))
            stack.extend((child, False) for child in reversed(children[n]))
    return position, last


def _under(parents: list[list[int]], position: list[int], last: list[int]) -> dict[int, tuple[Interval, ...]]:
    """The intervals below each concept that has several. Those of a second way down travel up to all above it."""
    beyond: dict[int, set[Interval]] = {}
    order = _below_first(parents) if any(len(above) > 1 for above in parents) else []
    for n in order:
        for nth, parent in enumerate(parents[n]):
            carried = {*beyond.get(n, ()), *([(position[n], last[n])] if nth else [])}
            carried = {one for one in carried if not (position[parent] <= one[0] and one[1] <= last[parent])}
            if carried:
                beyond.setdefault(parent, set()).update(carried)
    return {n: _merged((position[n], last[n]), others) for n, others in beyond.items()}


def _below_first(parents: list[list[int]]) -> list[int]:
    """The concepts in an order in which each stands before all of its parents."""
    waiting = [len(own) for own in _children(parents, first_only=False)]
    ready = [n for n, count in enumerate(waiting) if count == 0]
    for n in ready:
        for parent in parents[n]:
            waiting[parent] -= 1
            if waiting[parent] == 0:
                ready.append(parent)
    return ready


def _merged(own: Interval, others: Iterable[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for low, high in sorted((own, *others)):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
