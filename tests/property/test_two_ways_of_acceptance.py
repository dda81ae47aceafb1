"""The compiled structs and the walk say the same of every resource.

What the structs accept, the walk accepts; what the walk accepts, without anything rare in it, the structs accept.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json, structs
from ecluse.core.fhir.acceptance import accept_encoded, is_plain, is_shallow
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.explain import problems
from ecluse.core.fhir.primitives import annotation, expected
from tests.official import official_files

RARE = (b'"_', b"null", b"\\", b'"Bundle"', b'"Parameters"', b'"data":"')
LARGEST_BYTES = 12_000

JUNK = st.sampled_from(
    (
        'null|true|false|0|-1|1|2147483648|1.50|""|" "|"a"|"a b"|" a"|"2018"|"2018-02-30"|"2020-02-29"|"10:00:00"'
        '|"2018-02-03T04:05:06Z"|"2018-02-03T04:05:06"|"urn:oid:1.2"|"urn:uuid:x"|"QUJD"|"QU="|"<div>a</div>"'
        '|[]|{}|[null]|[{}]|["a"]|[["a"]]|{"id":"a"}|{"text":"a"}|{"extension":[]}|{"resourceType":"Basic"}'
        '|{"extension":[{"url":"http://a","valueString":"b"}]}|[{"url":"http://a","valueString":"b","valueCode":"c"}]'
        '|[{"url":"http://a"}]|{"reference":"Patient/1"}'
    ).split("|")
).map(lambda text: json.decode(text.encode()))
NAMES = st.sampled_from(
    """
    id _id extension modifierExtension contained resourceType value valueString valueQuantity _valueString status
    _status code name deceasedBoolean deceasedDateTime url text x
    """.split()
)
CHOSEN = {
    "String": "a",
    "Boolean": True,
    "DateTime": "2018",
    "CodeableConcept": {"text": "a"},
    "Period": {"end": "2018"},
}
"""Types of choices, with a value that is right."""
CHOICES = {
    name: element.choice
    for elements in structures().types.values()
    for element in elements
    if element.choice
    for name, _ in element.members()
}


@cache
def examples() -> list[Any]:
    """One small example of each resource type, decoded."""
    smallest: dict[str, bytes] = {}
    for path in official_files():
        data = path.read_bytes()
        name = path.name.partition("-")[0]
        if len(data) < LARGEST_BYTES and len(data) > len(smallest.get(name, b"")):
            smallest[name] = data
    return [json.decode(data) for _, data in sorted(smallest.items())]


def parents(value: Any) -> Iterator[Any]:
    """All objects and arrays of a value."""
    if isinstance(value, (dict, list)) and value:
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from parents(child)


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """An official example with up to three members taken away, replaced, added or moved."""
    resource = copy.deepcopy(draw(st.sampled_from(examples())))
    for _ in range(draw(st.integers(0, 3))):
        change = draw(
            st.sampled_from(["drop", "junk", "add", "wrap", "unwrap", "copy", "choose", "unchoose", "contain"])
        )
        found = [
            (target, place)
            for target in parents(resource)
            for place in (list(target) if isinstance(target, dict) else range(len(target)))
            if ("choose" not in change or place in CHOICES) and (change != "contain" or place == "resourceType")
        ]
        if found:
            mutate(draw, change, *found[draw(st.integers(0, len(found) - 1))])
    return resource


def mutate(draw: st.DrawFn, change: str, target: Any, place: Any) -> None:
    if change in ("drop", "unchoose"):
        del target[place]
    elif change == "junk":
        target[place] = draw(JUNK)
    elif change == "wrap":
        target[place] = [target[place]]
    elif change == "choose":
        kind = draw(st.sampled_from(sorted(CHOSEN)))
        target[CHOICES[place] + kind] = copy.deepcopy(CHOSEN[kind])
    elif change == "contain":
        target["contained"] = [{"resourceType": "Basic", "code": {"text": "a"}}]
    elif change == "unwrap" and isinstance(target[place], list) and target[place]:
        target[place] = target[place][0]
    elif isinstance(target, dict):
        target[draw(NAMES)] = draw(JUNK) if change == "add" else copy.deepcopy(target[place])
    else:
        target.append(draw(JUNK) if change == "add" else copy.deepcopy(target[place]))


def quick_says_yes(value: Any, encoded: bytes) -> bool:
    name = value.get("resourceType")
    if not isinstance(name, str) or name not in structures().resources:
        return False
    try:
        structs.check(name)(encoded)
    except ValueError:
        return False
    return is_plain(encoded) and is_shallow(value, encoded)


@settings(max_examples=500)
@given(mutants())
def test_structs_and_walk_agree_on_mutated_examples(value: Any) -> None:
    encoded = json.encode(value)
    quick, found = quick_says_yes(value, encoded), problems(None, json.decode(encoded))
    assert not (quick and found), found
    if not found and not any(mark in encoded for mark in RARE):
        assert quick


@settings(max_examples=300)
@given(mutants())
def test_what_is_accepted_is_kept_and_what_is_refused_has_a_place(value: Any) -> None:
    data = json.encode(value)
    try:
        accepted, encoded = accept_encoded(None, data)
    except BadRequest as error:
        name = value.get("resourceType")
        assert all(
            issue.expression.startswith(name if isinstance(name, str) else "resourceType") for issue in error.issues
        )
    else:
        assert encoded == data
        assert json.encode(accepted) == data


def texts(name: str) -> st.SearchStrategy[str]:
    """Texts that are, nearly are, or are not of a primitive type."""
    right = st.from_regex(structures().primitives[name] or r"<div[ >]", fullmatch=bool(structures().primitives[name]))
    around = st.sampled_from(["", " ", "\n", "a", "-", "0", "\u00a0", "é", "٣", "="])
    near = st.builds(
        lambda text, at, what: text[: at % (len(text) + 1)] + what + text[at % (len(text) + 1) :],
        right,
        st.integers(0, 40),
        around,
    )
    return right | near | st.text(max_size=20)


TEXT_TYPES = sorted(set(structures().primitives) - {"boolean", "decimal", "integer", "unsignedInt", "positiveInt"})


@pytest.mark.parametrize("name", TEXT_TYPES)
@settings(max_examples=100)
@given(data=st.data())
def test_the_quick_expression_of_a_primitive_is_never_wider(name: str, data: st.DataObject) -> None:
    text = data.draw(texts(name))
    encoded = json.encode(text)
    try:
        msgspec.json.decode(encoded, type=annotation(name))
        quick = True
    except ValueError:
        quick = False
    right = expected(name, text) == ""
    if is_plain(encoded):
        assert right or not quick
        assert quick or not right or name == "base64Binary"


@pytest.mark.parametrize("name", ["integer", "unsignedInt", "positiveInt", "decimal", "boolean"])
@settings(max_examples=100)
@given(
    text=st.from_regex(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
    | st.sampled_from(["true", "false", '"1"', '"true"'])
)
def test_the_quick_type_of_a_number_is_never_wider(name: str, text: str) -> None:
    try:
        msgspec.json.decode(text.encode(), type=annotation(name))
        quick = True
    except ValueError:
        quick = False
    value = json.decode_exactly(text.encode())
    assert quick == (expected(name, value) == "")
