"""The registry: every official parameter is served or refused with a reason, and numbers never change."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ecluse.core.fhir.definitions import build_search, indexed
from ecluse.core.fhir.definitions.expressions import Unsupported, ends, parse, rendered
from ecluse.core.fhir.definitions.search_parameters import parameters, paths, paths_of
from ecluse.core.fhir.types import number_of
from fhir_server.search.modifiers import PLAIN as ASKED
from mappers.search.not_indexed import GENERAL, PARAMETERS
from mappers.search.registry import reason_against, searchable, served
from mappers.search.walk import READERS
from tests.fetched import CACHE
from tests.official import official_files

ROOT = Path(__file__).parents[4]
EXTENSIONS_WITHOUT_TYPE = 10
FIRST_RELEASE = 2171
FIRST_RELEASE_SUM = "e4b1986cb9eb054d12fb4e30cc384fb69c02ecebafc41e20eaca943781a8470b"


def committed() -> str:
    return (files("ecluse.core.fhir.definitions") / "search_parameters.json").read_text(encoding="utf-8")


def official_parameters() -> list[dict[str, Any]]:
    items = [json.loads(file.read_bytes()) for file in official_files() if file.name.startswith("SearchParameter-")]
    return [item for item in items if item["id"] not in build_search.EXAMPLES]


def test_the_file_is_what_the_package_gives() -> None:
    official_files()
    earlier = json.loads(committed())["paths"]
    assert build_search.rendered_file(CACHE / "package", earlier) == committed()


def test_a_rebuild_keeps_every_number_and_appends() -> None:
    official_files()
    earlier = [path for path in json.loads(committed())["paths"] if path[0] not in (5, 77)]
    again = {
        (kind, text): number
        for number, kind, text, *_ in json.loads(build_search.rendered_file(CACHE / "package", earlier))["paths"]
    }
    highest = max(paths())
    assert all(again[kind, text] == number for number, kind, text, *_ in earlier)
    assert sorted(set(again.values()) - {number for number, *_ in earlier}) == [highest + 1, highest + 2]


def test_the_numbers_of_the_first_release_stand_for_ever() -> None:
    """Databases hold them. New numbers come after; never edit this sum."""
    first = "\n".join(f"{number} {path.kind} {path.text}" for number, path in sorted(paths().items())[:FIRST_RELEASE])
    assert hashlib.sha256(first.encode()).hexdigest() == FIRST_RELEASE_SUM


def test_every_official_parameter_is_served_or_refused_with_a_reason() -> None:
    without_type = 0
    for item in official_parameters():
        bases = [base for base in item.get("base", ()) if base in number_of] or (["Patient"] if "base" in item else [])
        without_type += not bases
        for base in bases:
            assert (item["code"] in served(base)) != bool(reason_against(base, item["code"])), (base, item["code"])
    assert without_type == EXTENSIONS_WITHOUT_TYPE


def test_refused_parameters_exist() -> None:
    for name in PARAMETERS:
        resource_type, _, code = name.partition(".")
        assert code in parameters(resource_type)


def test_a_kind_is_either_read_or_refused() -> None:
    kinds = {parameter.type for name in number_of for parameter in parameters(name).values()}
    assert kinds == set(READERS) | {"composite"}
    assert set(READERS) <= set(ASKED)


@pytest.mark.parametrize("kind", READERS)
def test_every_data_type_of_a_kind_has_its_reader(kind: str) -> None:
    assert set(READERS[kind]) == indexed.READS[kind]


def test_served_parameters_have_paths_or_columns() -> None:
    for name in number_of:
        for parameter in searchable(name):
            assert parameter.paths or parameter.code in build_search.COLUMNS or parameter.type == "composite"


def test_paths_are_written_in_one_way_only() -> None:
    for path in paths().values():
        (steps,) = parse(path.text)
        assert rendered(steps) == path.text
        assert ends(steps)
    assert len({(path.kind, path.text) for path in paths().values()}) == len(paths())
    assert sum(len(paths_of(name)) for name in number_of) == len(paths())


def test_numbers_leave_room_for_parameters_made_at_run_time() -> None:
    assert 0 < min(paths()) <= max(paths()) < indexed.FIRST_AT_RUN_TIME


@pytest.mark.parametrize(
    "text",
    [
        "Patient.name.first()",
        "Patient.name.where(use='x' and family='y')",
        "Patient.active.exists()",
        "Patient.name + 'x'",
        "Patient.",
        "(Patient.name",
        "Patient.name)",
        "%resource.name",
        "",
    ],
)
def test_an_expression_that_needs_more_is_refused(text: str) -> None:
    with pytest.raises(Unsupported):
        parse(text)


def test_a_path_to_nowhere_is_refused() -> None:
    (path,) = parse("Patient.nom")
    with pytest.raises(Unsupported):
        ends(path)


def test_the_page_on_search_names_all_that_is_refused() -> None:
    page = (ROOT / "docs/search.md").read_text(encoding="utf-8")
    for name in (*PARAMETERS, *GENERAL):
        assert name in page, name
    assert f"{sum(len(served(name)) for name in number_of):,} in total" in page
