"""What a topic can be filtered by, and the filters of a Subscription held against that.

Enters: `canFilterBy` of a topic; then filters as searches. Leaves: what is allowed as data; then a condition for each
type that is filtered. Without comparators and modifiers a filter compares for equality and nothing else.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#filters, http://hl7.org/fhir/R4B/subscriptiontopic.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.types import number_of
from fhir_server.subscriptions.condition import PLACE, condition
from mappers.search.composite import contexts
from mappers.search.question import parts
from mappers.search.registry import served

Json = dict[str, Any]
EQUAL = "eq"
COMPARATORS = (EQUAL, "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
COMPARED = ("date", "number", "quantity")
"""The types of parameters whose values may begin with a comparator."""
TYPE = "type"
"""The modifier that is itself the name of a type, `subject:Patient`."""
MODIFIERS = (
    *("missing", "exact", "contains", "not", "text", "in", "not-in", "below", "above", TYPE, "identifier", "of-type"),
    *("code-text", "text-advanced", "iterate"),
)
SPELT = {"=": EQUAL, "ofType": "of-type"}
"""Codes of R4 and R4B that R5 spells otherwise."""


class Allowed(NamedTuple):
    """One entry of `canFilterBy`. type: "" for any; comparators, modifiers: None in topics of earlier releases, which
    did not look at them"""

    type: str
    parameter: str
    comparators: Sequence[str] | None = None
    modifiers: Sequence[str] | None = None


def allowed(kind: str, told: Mapping[str, Any], place: str) -> Allowed:
    """What one entry allows. R4B has all operators in `modifier`, R5 comparators of their own.

    kind: the type that it is about, "" for any; place: where it stands, for errors
    Raises: Unprocessable (422) when it names no parameter, or an operator that there is not"""
    parameter = told.get("filterParameter")
    if not parameter:
        raise Unprocessable("Name the search parameter: code.", expression=f"{place}.filterParameter")
    words: list[str] = []
    for name, known in (("comparator", COMPARATORS), ("modifier", COMPARATORS + MODIFIERS)):
        given = [SPELT.get(str(one), str(one)) for one in told.get(name) or ()]
        if unknown := [one for one in given if one not in known]:
            text = f"It is one of {', '.join(known)}."
            raise Unprocessable(text, expression=f"{place}.{name}", diagnostics=unknown[0][:200])
        words += given
    comparators = [one for one in COMPARATORS if one in words] or [EQUAL]
    return Allowed(kind, str(parameter), comparators, [one for one in MODIFIERS if one in words])


def conditions(texts: Sequence[str], definition: Json) -> dict[str, Json]:
    """The condition for each type of the topic that is filtered.

    texts: searches; definition: of the topic
    Raises: Unprocessable (422) for a search that the topic cannot be filtered by"""
    kinds = list(dict.fromkeys(trigger["type"] for trigger in definition["triggers"]))
    listed = [Allowed(*one) for one in definition["filters"]]
    found: dict[str, list[Json]] = {}
    for text in texts:
        named, _, query = text.rpartition("?")
        for kind in [named] if named else kinds:
            _check(kind, kinds, query, listed, text)
            found.setdefault(kind, []).append(condition(f"{kind}?{query}", PLACE)[1])
    return {kind: {"all": told} for kind, told in found.items()}


def _check(kind: str, kinds: Sequence[str], query: str, listed: Sequence[Allowed], text: str) -> None:
    if kind not in kinds:
        raise _refused(f"This topic is about {', '.join(kinds)}.", text)
    own = [one for one in listed if one.type in ("", kind)]
    for name, value in parse_qsl(query, keep_blank_values=True):
        code, _, modifier = name.partition(":")
        entries = [one for one in own if one.parameter == code]
        if not entries:
            shown = ", ".join(sorted({one.parameter for one in own})) or "nothing"
            raise _refused(f"{kind} of this topic can be filtered by {shown}; not by {name[:40]}.", text)
        if modifier:
            _check_modifier(modifier, code, entries, text)
        else:
            _check_comparators(kind, code, value, entries, text)


def _check_modifier(modifier: str, code: str, entries: Sequence[Allowed], text: str) -> None:
    word = TYPE if modifier in number_of else modifier
    if all(one.modifiers is not None and word not in one.modifiers for one in entries):
        shown = ", ".join(f":{word}" for one in entries for word in one.modifiers or ()) or "none"
        raise _refused(f"The modifiers of {code} in filters of this topic: {shown}; not :{modifier[:40]}.", text)


def _check_comparators(kind: str, code: str, value: str, entries: Sequence[Allowed], text: str) -> None:
    if any(one.comparators is None for one in entries):
        return
    able = {word for one in entries for word in one.comparators or ()}
    for word in _comparators(kind, code, value):
        if word not in able:
            shown = ", ".join(one for one in COMPARATORS if one in able)
            raise _refused(f"The comparators of {code} in filters of this topic: {shown}; not {word}.", text)


def _comparators(kind: str, code: str, value: str) -> Iterator[str]:
    """How the values of a parameter are compared; of a composite, its parts."""
    parameter = served(kind).get(code)
    if parameter is None:
        return
    if parameter.type == "composite":
        types = [part.parameter.type for context in contexts(kind, code)[:1] for part in context.components]
        pairs = [pair for one in parts(value, ",") for pair in zip(types, parts(one, "$"), strict=False)]
    else:
        pairs = [(parameter.type, one) for one in parts(value, ",")]
    yield from (one[:2] if one[:2] in COMPARATORS else EQUAL for type_, one in pairs if type_ in COMPARED)


def _refused(text: str, found: str) -> Unprocessable:
    return Unprocessable(text, expression=PLACE, diagnostics=found[:200])
