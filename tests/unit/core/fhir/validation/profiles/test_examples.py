"""The guides' own examples: they conform, but for those listed; made wrong, they are refused at the exact place."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.guides import GENOMICS, IPS, MCODE, Shelf, all_examples, all_guides, examples
from tests.unit.core.fhir.mutations import GONE
from tests.unit.core.fhir.validation.profiles.mutations import MUTATIONS

GENOMICS_2 = "made for Genomics Reporting 2.0.0, which npm does not have; 3.0.0 wants a second category, GE"
NOT_CONFORMING = {
    (MCODE, "Bundle-gx-genomic-bundle-adam-anyperson"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-diagnostic-implication-bap1"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-diagnostic-implication-pof1b"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-diagnostic-implication-polrmt"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-therapeutic-implication-alectinib"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-therapeutic-implication-brigatinib"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-therapeutic-implication-ceritinib"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-therapeutic-implication-crizotinib"): GENOMICS_2,
    (MCODE, "Observation-gx-genomic-therapeutic-implication-lorlatinib"): GENOMICS_2,
    (MCODE, "Observation-tnm-pathologic-distant-metastases-category-jenny-m"): (
        "its value is data-absent-reason#not-applicable, which the greatest value set of this binding does not have"
    ),
}
"""Examples that break a profile, with the reason."""


def mutated(wanted: str, name: str, path: str, value: Any) -> dict[str, Any]:
    """An example with one member changed."""
    resource: Any = deepcopy(examples(wanted)[name])
    *parents, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    target = resource
    for step in parents:
        target = target[step]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return dict(resource)


def test_the_examples_of_the_guides_conform_but_for_those_listed() -> None:
    found = {(wanted, name) for wanted, name, resource in all_examples() if all_guides().errors(resource)}
    assert found == set(NOT_CONFORMING)
    assert sum(1 for _ in all_examples()) > 400


def test_what_does_not_conform_to_genomics_3_lacks_a_category_and_nothing_else() -> None:
    for wanted, name in (key for key, reason in NOT_CONFORMING.items() if reason == GENOMICS_2):
        issues = all_guides().errors(examples(wanted)[name])
        assert {issue.expression.rpartition(".")[2] for issue in issues} == {"category"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda row: f"{row[1]} {row[2]}")
def test_a_mutated_example_is_refused_at_the_exact_place(mutation: tuple[str, str, str, Any, str, str, str]) -> None:
    wanted, name, path, value, place, code, profile = mutation
    before = all_guides().errors(examples(wanted)[name])
    issues = all_guides().errors(mutated(wanted, name, path, value))
    told = [(issue.expression, issue.code, issue.profile.partition("|")[0].rpartition("/")[2]) for issue in issues]
    assert not before
    assert (place, code, profile) in told
    assert all(issue.text and issue.diagnostics for issue in issues)


def test_a_differential_alone_finds_what_the_snapshot_finds() -> None:
    bare = Shelf(all_guides().definitions, differentials=True)
    built_on_what_is_there = (IPS, GENOMICS)  # mCODE was built on Genomics Reporting 2.0.0
    resources = [mutated(*row[:4]) for row in MUTATIONS if row[0] in built_on_what_is_there]
    resources += [resource for wanted in built_on_what_is_there for resource in examples(wanted).values()]
    for resource in resources:
        assert told(bare, resource) == told(all_guides(), resource)
    assert len(resources) > 260


def told(shelf: Shelf, resource: dict[str, Any]) -> set[tuple[str, str]]:
    """The errors of a resource, as place and text."""
    return {(issue.expression, issue.text) for issue in shelf.errors(resource)}
