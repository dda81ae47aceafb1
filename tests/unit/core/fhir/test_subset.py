"""Subsets of a resource that HTTP alone does not show."""

from __future__ import annotations

import pytest

from ecluse.core.fhir import json, subset
from ecluse.core.fhir.acceptance import accept
from tests.official import official_files

EXTENSION = [{"url": "urn:x", "valueBoolean": True}]


def test_a_member_that_has_nothing_but_extensions_leaves_the_summary() -> None:
    resource = {"resourceType": "Patient", "name": [{"family": "x"}], "address": [{"extension": EXTENSION}]}
    assert subset.summary(resource).keys() == {"resourceType", "meta", "name"}


def test_what_changes_the_meaning_stays() -> None:
    resource = {"resourceType": "Patient", "implicitRules": "urn:x", "modifierExtension": EXTENSION, "gender": "male"}
    for less in (subset.summary(resource), subset.named(resource, {"name"}), subset.text(resource)):
        assert {"implicitRules", "modifierExtension"} <= less.keys()


def test_the_tag_stands_once() -> None:
    once = subset.data({"resourceType": "Patient", "id": "1"})
    assert subset.data(once) == once == {"resourceType": "Patient", "id": "1", "meta": {"tag": [subset.SUBSETTED]}}


@pytest.mark.parametrize("cut", [subset.summary, subset.text, subset.data], ids=["true", "text", "data"])
def test_every_subset_of_an_official_file_is_accepted(cut: subset.Cut) -> None:
    for path in official_files()[::40]:
        less = cut(json.decode(path.read_bytes()))
        assert accept(less["resourceType"], json.encode(less))["meta"]["tag"], path.name
