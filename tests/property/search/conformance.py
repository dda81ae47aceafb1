"""The table of docs/search.md: every search type with every modifier and prefix of the specification, and its test.

Enters: nothing. Leaves: rows, and the section of the document that is made of them.
`python -m tests.property.search.conformance` writes the section anew.
Spec: http://hl7.org/fhir/R4/search.html#modifiers, http://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.property.search.query_values import MODIFIED
from tests.property.search.ranges import PREFIXES
from tests.property.search.test_answers import SHAPES, named
from tests.property.search.test_refusals import refused

DOCUMENT = Path(__file__).parents[3] / "docs" / "search.md"
HEADING = "## What proves it\n"
INTRODUCTION = """
Tests of `tests/property/search/` hold the server's answers, by the same SQL that clients' searches become, against an
evaluator in memory that is written from the words of the specification and takes values by fhirpathpy with the official
expressions. This table is made of the list that the tests are run by; a test holds them equal.

| type | modifier or prefix | test |
|---|---|---|
"""
SPELLED = {
    "sort": "`_sort`",
    "list": "`_list`",
    "filter": "`_filter`",
    "has": "`_has`",
    "has-in-has": "`_has` in `_has`",
} | {
    "chain": "`a.b`",
    "chain-of-two": "`a.b.c`",
    "chain-of-three": "`a.b.c.d`",
    "chain-in-has": "`_has`, then a chain",
    "chain-by-address": "`a.b` over canonical addresses",
    "has-by-address": "`_has` over canonical addresses",
    "chain-in-has-by-address": "`_has`, then a chain, over canonical addresses",
    "long-chain-in-has": "`_has` in `_has`, then a chain of two",
}
"""How the document writes what the tests name."""


class Row(NamedTuple):
    """test: below tests/property/search"""

    type: str
    feature: str
    test: str


def rows() -> Iterator[Row]:
    """All rows, in the order of the table."""
    for kind, features in MODIFIED.items():
        for feature in features:
            test = f"test_answers.py::test_a_feature_means_what_the_specification_says[{named(kind, feature)}]"
            yield Row(kind, _spelled(feature), test)
        words = " ".join(f"`:{modifier}`" for modifier in refused(kind))
        yield Row(kind, f"refused: {words}", f"test_refusals.py::test_a_modifier_of_other_types_is_refused[{kind}]")
    for shape in SHAPES:
        name, _, kind = shape.partition("-") if shape.startswith("sort") else (shape, "", "")
        test = f"test_answers.py::test_a_shape_means_what_the_specification_says[{shape}]"
        yield Row(kind or "all", SPELLED[name], test)
    yield from OTHERS


OTHERS = (
    Row(
        "date",
        "each prefix × precision, zone, open and closed period, timing",
        "test_dates.py::{}".format("test_a_prefix_means_what_the_specification_says"),
    ),
    Row(
        "all",
        "official examples of all types",
        "test_official_examples.py::{}".format("test_official_examples_are_found_by_their_values"),
    ),
    Row("all", "`_count` 1, 7, 1000", "test_paging.py::test_the_answer_is_the_same_for_every_page_size"),
    Row(
        "all",
        "pages while others write",
        "test_paging.py::{}".format("test_what_stands_from_start_to_end_is_on_exactly_one_page"),
    ),
    Row("all", "`_summary=count`", "test_paging.py::test_the_total_is_the_number_of_matches"),
    Row("all", "conditional writes", "test_paging.py::test_a_conditional_write_sees_up_to_two_of_the_matches"),
    Row("all", "GET and POST over HTTP", "test_over_http.py::test_clients_get_what_the_evaluator_answers"),
)


def _spelled(feature: str) -> str:
    if feature in PREFIXES:
        return f"`{feature}`"
    return f"`:{feature}`" if feature and feature != "type" else "`:[type]`" if feature else "none"


def section() -> str:
    """The section of the document."""
    return HEADING + INTRODUCTION + "".join(f"| {row.type} | {row.feature} | `{row.test}` |\n" for row in rows())


def written(document: str) -> str:
    """The document with the section as it should be, at its end."""
    return document.partition(HEADING)[0].rstrip("\n") + "\n\n" + section()


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
