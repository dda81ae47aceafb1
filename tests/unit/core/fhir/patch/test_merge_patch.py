"""JSON Merge Patch: the table of RFC 7396, appendix A."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json
from ecluse.core.fhir.patch.merge_patch import merged, read


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_patch_is_merged_as_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    assert merged(target, patch) == expected


def test_numbers_keep_their_lexemes() -> None:
    assert json.encode(read(b'{"a":{"b":0.50}}')({"a": {"c": 1}})) == b'{"a":{"c":1,"b":0.50}}'


@pytest.mark.parametrize(
    "text", [b"[]", b"7", b"", b'{"a":1,"a":2}', b'{"a":' * 5000, b'{"a":' * 150 + b"1" + b"}" * 150]
)
def test_what_is_no_merge_patch_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        read(text)
