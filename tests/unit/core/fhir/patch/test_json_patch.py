"""JSON Patch: the letter of RFC 6902, and errors that name operation and place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.json_patch import equal, read


def _patched(document: Any, *operations: dict[str, Any]) -> Any:
    return read(json.encode(list(operations)))(json.decode_exactly(json.encode(document)))


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"a": 1}, [], {"a": 1}),
        ({"a": 1}, [_add("/b", [1, 2])], {"a": 1, "b": [1, 2]}),
        ({"a": None}, [_add("/a", 1)], {"a": 1}),
        ({"a": [1, 2]}, [_add("/a/1", 9)], {"a": [1, 9, 2]}),
        ({"a": [1, 2]}, [_add("/a/2", 9)], {"a": [1, 2, 9]}),
        ({"a": [1, 2]}, [_add("/a/-", [9])], {"a": [1, 2, [9]]}),
        ({"a": {"b": [{}]}}, [_add("/a/b/0/c", "x")], {"a": {"b": [{"c": "x"}]}}),
        ({}, [_add("/", 1)], {"": 1}),
        ({"a/b": 1, "m~n": 2}, [_add("/a~1b", 3), _add("/m~0n", 4)], {"a/b": 3, "m~n": 4}),
        ({"~1": 1}, [_add("/~01", 2)], {"~1": 2}),
        ({"0": 1}, [_add("/0", 2)], {"0": 2}),
        ({"a": 1}, [_add("", {"b": 2})], {"b": 2}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": [0]}], {"a": [0]}),
        ({"a": [1]}, [{"op": "replace", "path": "/a/0", "value": False}], {"a": [False]}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
        (
            {"a": {"b": 1}},
            [{"op": "copy", "from": "/a", "path": "/c"}, _add("/c/b", 2)],
            {"a": {"b": 1}, "c": {"b": 2}},
        ),
        (
            {"a": {"b": 1, "c": [2]}},
            [{"op": "test", "path": "/a", "value": {"c": [2], "b": 1}}],
            {"a": {"b": 1, "c": [2]}},
        ),
        ({"a": None}, [{"op": "test", "path": "/a", "value": None, "more": 1}], {"a": None}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a", "from": ["/b"], "value": "'"}], {"b": 2}),
        ({"1e0": "x"}, [{"op": "test", "path": "/1e0", "value": "x"}], {"1e0": "x"}),
    ],
)
def test_an_operation_does_what_the_rfc_says(document: Any, operations: list[dict[str, Any]], expected: Any) -> None:
    assert _patched(document, *operations) == expected


@pytest.mark.parametrize(
    ("document", "operation", "code"),
    [
        ({"a": [1]}, _add("/a/2", 9), "processing"),
        ({"a": [1]}, _add("/a/-1", 9), "processing"),
        ({"a": [1]}, _add("/a/01", 9), "processing"),
        ({"a": [1]}, _add("/a/1e0", 9), "processing"),
        ({"a": [1]}, _add("/a/b", 9), "processing"),
        ({"a": 1}, _add("/a/b", 9), "processing"),
        ({"a": 1}, _add("/b/c", 9), "not-found"),
        ({"a": 1}, {"op": "remove", "path": "/b"}, "not-found"),
        ({"a": [1]}, {"op": "remove", "path": "/a/1"}, "not-found"),
        ({"a": [1]}, {"op": "remove", "path": "/a/-"}, "processing"),
        ({"a": 1}, {"op": "remove", "path": ""}, "processing"),
        ({"a": 1}, {"op": "replace", "path": "/b", "value": 1}, "not-found"),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a", "path": "/a/b"}, "processing"),
        ({"a": 1}, {"op": "copy", "from": "/b", "path": "/a"}, "not-found"),
        ({"a": 1}, {"op": "test", "path": "/a", "value": True}, "conflict"),
        ({"a": [1, 2]}, {"op": "test", "path": "/a", "value": [1]}, "conflict"),
        ({"a": [1, 2]}, {"op": "test", "path": "/a/00", "value": 1}, "processing"),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused(document: Any, operation: dict[str, Any], code: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        _patched(document, {"op": "test", "path": "", "value": document}, operation)
    (issue,) = refused.value.issues
    assert (issue.code, "Operation 1 " in issue.text) == (code, True)


def test_a_refusal_names_the_place_as_fhirpath() -> None:
    patient = {"resourceType": "Patient", "name": [{"given": ["a"]}]}
    with pytest.raises(Unprocessable) as refused:
        _patched(patient, {"op": "replace", "path": "/name/0/given/1", "value": "b"})
    (issue,) = refused.value.issues
    assert issue.expression == "Patient.name[0].given[1]"
    assert issue.diagnostics == "operation[0] replace /name/0/given/1"
    assert "the array has 1 items" in issue.text


def test_every_operation_that_cannot_be_read_is_told_at_once() -> None:
    patch = [
        {"op": "spam", "path": "/a"},
        {"path": "/a", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "move", "path": "a"},
        7,
        {"op": "remove", "path": "/~2"},
    ]
    with pytest.raises(BadRequest) as refused:
        read(json.encode(patch))
    places = [issue.expression for issue in refused.value.issues]
    assert places == [
        "patch[0].op",
        "patch[1].op",
        "patch[2].value",
        "patch[3].from",
        "patch[3].path",
        "patch[4]",
        "patch[5].path",
    ]


@pytest.mark.parametrize(
    "text", [b"{}", b"7", b"[", b"", b'[{"op":"add","op":"add","path":"/a","value":1}]', b"[" * 9000]
)
def test_what_is_no_patch_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        read(text)


def test_numbers_keep_their_lexemes_and_are_compared_by_value() -> None:
    tests = b'{"op":"test","path":"/a","value":1.0},{"op":"test","path":"/a","value":1}'
    patch = read(b"[%b,%b]" % (tests, b'{"op":"add","path":"/b","value":0.50}'))
    assert json.encode(patch(json.decode_exactly(b'{"a":1.00}'))) == b'{"a":1.00,"b":0.50}'


def test_copies_that_double_without_end_are_refused() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(40)]
    with pytest.raises(Unprocessable, match="copies at most"):
        _patched({"a": {"x": "y" * 100}}, *doubling)


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 9) | some.text("ab~/0", max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text("ab~/0", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def _pointers(value: Any, path: str = "") -> list[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    steps = [(str(name).replace("~", "~0").replace("/", "~1"), one) for name, one in inner]
    return [path, *(found for name, one in steps for found in _pointers(one, f"{path}/{name}"))]


@given(VALUES, VALUES, some.data())
def test_what_is_replaced_tests_as_the_new_value_and_back_again(
    document: Any, value: Any, data: some.DataObject
) -> None:
    path = data.draw(some.sampled_from(_pointers(document)))
    before = json.decode(json.encode(document))
    changed = _patched(
        document, {"op": "replace", "path": path, "value": value}, {"op": "test", "path": path, "value": value}
    )
    old = before
    for name in path.split("/")[1:]:
        old = old[int(name)] if isinstance(old, list) else old[name.replace("~1", "/").replace("~0", "~")]
    assert equal(_patched(changed, {"op": "replace", "path": path, "value": old}), before)


@given(VALUES.filter(lambda value: isinstance(value, (dict, list)) and value), some.data())
def test_what_is_removed_and_added_again_is_the_same(document: Any, data: some.DataObject) -> None:
    path = data.draw(some.sampled_from(_pointers(document)[1:]))
    copied = _patched({"kept": None, "it": document}, {"op": "copy", "from": f"/it{path}", "path": "/kept"})
    moved = _patched(
        copied, {"op": "remove", "path": f"/it{path}"}, {"op": "move", "from": "/kept", "path": f"/it{path}"}
    )
    assert equal(moved["it"], document)


@given(VALUES, VALUES)
def test_equality_is_that_of_json(left: Any, right: Any) -> None:
    assert equal(left, right) == (_typed(left) == _typed(right))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return type(value).__name__, value
