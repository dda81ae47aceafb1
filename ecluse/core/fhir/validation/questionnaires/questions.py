"""A Questionnaire as a tree of questions.

Enters: a Questionnaire, decoded. Leaves: its items with what the checks of answers ask of them.
Spec: http://hl7.org/fhir/R4/questionnaire.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
WITHOUT_ANSWERS = frozenset({"group", "display", "question"})
"""Types of items that are not answered; `question` is R4's abstract one."""


class Value(NamedTuple):
    """A choice of types as JSON has it: `valueCoding` is ("Coding", {...}). data: None where only extensions stand"""

    kind: str
    data: Any


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One item of a Questionnaire. links: its linkId and those of all items inside; source: as JSON has it"""

    link_id: str
    type: str
    items: tuple[Question, ...]
    links: frozenset[str]
    source: dict[str, Any] = field(repr=False)

    @property
    def required(self) -> bool:
        """Whether it has to be answered."""
        return self.source.get("required") is True

    @property
    def repeats(self) -> bool:
        """Whether it may be answered several times."""
        return self.source.get("repeats") is True

    @property
    def options(self) -> list[dict[str, Any]]:
        """The answers that are offered."""
        return list(self.source.get("answerOption", ()))

    @property
    def value_set(self) -> str:
        """The canonical of the value set whose codes are the answers, `#id` of a contained one, "" without."""
        return str(self.source.get("answerValueSet", ""))

    def extensions(self, *urls: str) -> list[Value]:
        """The values of its extensions with one of these urls."""
        found = (value_of(one) for one in self.source.get("extension", ()) if one.get("url") in urls)
        return [value for value in found if value is not None]

    def extension(self, *urls: str) -> Any:
        """The value of the first of them, None when there is none."""
        return next((value.data for value in self.extensions(*urls)), None)


def questions(items: list[dict[str, Any]]) -> tuple[Question, ...]:
    """The questions of a Questionnaire, or of one of its items.

    Raises: KeyError, TypeError, AttributeError, RecursionError when these are none"""
    return tuple(map(_question, items))


def _question(item: dict[str, Any]) -> Question:
    inner = questions(item.get("item", []))
    links = frozenset({item["linkId"]}).union(*(one.links for one in inner))
    return Question(item["linkId"], item["type"], inner, links, item)


def every(asked: tuple[Question, ...]) -> Iterator[Question]:
    """These questions and all inside them, as they stand."""
    for question in asked:
        yield question
        yield from every(question.items)


def value_of(holder: dict[str, Any], name: str = "value") -> Value | None:
    """The choice of types of this name, None when there is none."""
    for key, data in holder.items():
        if key.startswith(name) and len(key) > len(name):
            return Value(key[len(name) :], data)
        if key.startswith(f"_{name}") and len(key) > len(name) + 1:
            return Value(key[len(name) + 1 :], holder.get(key[1:]))
    return None
