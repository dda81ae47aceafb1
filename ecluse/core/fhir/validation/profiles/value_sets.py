"""Whether a code is in a value set: those that list codes, take whole code systems, or follow their hierarchy.

Enters: value sets and code systems of a library; what it does not have, R4's own may. Leaves: True, False, or None when
it cannot be known here.
Spec: http://hl7.org/fhir/R4/valueset.html#composition
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ecluse.core.fhir.definitions.value_sets import is_member
from ecluse.core.fhir.validation.profiles.library import Library
from ecluse.core.fhir.validation.profiles.three_valued import every, some

HIERARCHY = {"is-a": True, "descendent-of": False}
"""Filters that follow a hierarchy, and whether the concept itself is in."""


class Coded(NamedTuple):
    """A code with its system, None where the element gives none."""

    system: str | None
    code: str


Test = Callable[[Coded], bool | None]
Members = Callable[[str, Coded], bool | None]
"""Of a value set's canonical and a code: whether it is in."""
Question = tuple[str, Coded]
"""A value set and a code that is perhaps in it."""


class Answers:
    """What somebody else, a terminology server or a store, says where packages do not tell. open: what has not been
    asked yet; questionnaires: by canonical, None when nobody has them; wanted: those that have not been looked for"""

    def __init__(self) -> None:
        self.given: dict[Question, bool | None] = {}
        self.open: set[Question] = set()
        self.questionnaires: dict[str, dict[str, Any] | None] = {}
        self.wanted: set[str] = set()

    def get(self, question: Question) -> bool | None:
        """The answer to a question; one that has not been asked is noted."""
        if question not in self.given:
            self.open.add(question)
        return self.given.get(question)

    def settle(self) -> None:
        """Nothing, when everything has been asked.

        Raises: NotAnswered"""
        if self.open or self.wanted:
            raise NotAnswered(frozenset(self.open), frozenset(self.wanted))


class NotAnswered(Exception):
    """Questions that somebody else has to be asked first, and Questionnaires that have to be looked for."""

    def __init__(self, questions: frozenset[Question], questionnaires: frozenset[str] = frozenset()) -> None:
        self.questions = questions
        self.questionnaires = questionnaires
        super().__init__(f"{len(questions)} questions, {len(questionnaires)} questionnaires")


class ValueSets:
    """Value sets compiled to tests, each once."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tests: dict[str, Test] = {}

    def __call__(self, canonical: str, coded: Coded) -> bool | None:
        """Whether a code is in a value set.

        Raises: NotLoaded when the library was not asked yet for what it takes to know
        """
        if canonical not in self._tests:
            try:
                self._tests[canonical] = self._test(canonical)
            except (KeyError, TypeError, ValueError, AttributeError):  # other people's files
                self._tests[canonical] = _unknown
        return self._tests[canonical](coded)

    def _test(self, canonical: str) -> Test:
        definition = self._library.get(canonical)
        if definition is None or definition.get("resourceType") != "ValueSet":
            return lambda coded: is_member(canonical, coded.code, coded.system)
        return self.of(definition)

    def of(self, definition: dict[str, Any]) -> Test:
        """What tells whether a code is in this value set.

        Raises: NotLoaded; KeyError, TypeError, ValueError, AttributeError when it is none"""
        compose = definition.get("compose", {})
        expanded = list(_contained(definition.get("expansion", {})))
        if expanded:
            return _listed(frozenset(expanded), complete="compose" not in definition)
        included = [self._included(row) for row in compose.get("include", ())]
        excluded = [self._included(row) for row in compose.get("exclude", ())]
        if not included:
            return _unknown
        return _composed(included, excluded)

    def _included(self, row: dict[str, Any]) -> Test:
        parts = [self._of_set(canonical) for canonical in row.get("valueSet", ())]
        if row.get("system"):
            parts.append(self._of_system(row["system"], row))
        return lambda coded: every(part(coded) for part in parts)

    def _of_set(self, canonical: str) -> Test:
        return lambda coded: self(canonical, coded)

    def _of_system(self, system: str, row: dict[str, Any]) -> Test:
        if row.get("concept"):
            listed = frozenset(concept["code"] for concept in row["concept"])
            return lambda coded: coded.code in listed and coded.system in (None, system)
        codes = self._codes(system, row.get("filter", ()))

        def test(coded: Coded) -> bool | None:
            if coded.system not in (None, system):
                return False
            if codes is None:
                return None if row.get("filter") or coded.system is None else True
            return coded.code in codes

        return test

    def _codes(self, system: str, filters: Any) -> frozenset[str] | None:
        """The codes of a system that pass its filters, None when the system or a filter is not known whole."""
        definition = self._library.get(system)
        if definition is None or definition.get("content") != "complete":
            return None
        concepts = definition.get("concept", [])
        codes = frozenset(_codes(concepts))
        for one in filters:
            if one.get("property") != "concept" or one.get("op") not in HIERARCHY:
                return None
            codes &= _below(definition, one["value"], itself=HIERARCHY[one["op"]])
        return codes


def _unknown(_: Coded) -> bool | None:
    return None


def _contained(expansion: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for row in expansion.get("contains", ()):
        if row.get("code") and not row.get("abstract"):
            yield row.get("system", ""), row["code"]
        yield from _contained(row)


def _listed(listed: frozenset[tuple[str, str]], *, complete: bool) -> Test:
    codes = {code for _, code in listed}

    def test(coded: Coded) -> bool | None:
        found = coded.code in codes if coded.system is None else coded in listed
        return found or (False if complete else None)

    return test


def _composed(included: list[Test], excluded: list[Test]) -> Test:
    def test(coded: Coded) -> bool | None:
        inside = some(one(coded) for one in included)
        if not excluded or inside is False:
            return inside
        outside = some(one(coded) for one in excluded)
        return False if outside else inside if outside is False else None

    return test


def _codes(concepts: list[dict[str, Any]]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _codes(concept.get("concept", []))


def _below(definition: dict[str, Any], top: str, *, itself: bool) -> frozenset[str]:
    """The codes below a concept, by nesting and by the properties `subsumedBy` and `parent`."""
    children: dict[str, list[str]] = {}
    for parent, child in _edges(definition.get("concept", []), None):
        children.setdefault(parent, []).append(child)
    found: set[str] = set()
    waiting = [top]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return frozenset(found | {top} if itself else found - {top})


def _edges(concepts: list[dict[str, Any]], parent: str | None) -> Iterator[tuple[str, str]]:
    for concept in concepts:
        if parent is not None:
            yield parent, concept["code"]
        for row in concept.get("property", ()):
            if row.get("code") in ("subsumedBy", "parent") and "valueCode" in row:
                yield row["valueCode"], concept["code"]
        yield from _edges(concept.get("concept", []), concept["code"])
