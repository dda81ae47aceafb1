"""`_explain`: how a search is found, where an operator lets clients ask."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.services.postgres import Postgres
from tests.services.server import serving
from tests.spec.conftest import ACCEPT
from tests.spec.test_search_include import create, refer


@pytest.fixture(scope="module")
def open_fhir(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that explains its searches."""
    variables = {"ECLUSE_SEARCH_EXPLAIN": "on", "ECLUSE_WORKERS": "1", "ECLUSE_SEARCH_TOTAL_MS": "0"}
    with (
        postgres.database("template0") as url,
        serving(tmp_path_factory.mktemp("explain"), ECLUSE_DATABASE_URL=url, **variables) as served,
        httpx.Client(base_url=f"{served.url}/fhir", timeout=60, headers=ACCEPT) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def code(open_fhir: httpx.Client) -> str:
    """The code of three Conditions of one Patient."""
    made = uuid.uuid4().hex
    patient = create(open_fhir, "Patient", name=[{"family": "Secret"}])
    for _ in range(3):
        create(open_fhir, "Condition", code={"coding": [{"code": made}]}, subject=refer(patient))
    return made


def explained(fhir: httpx.Client, search: str) -> tuple[list[str], list[dict[str, list[Any]]]]:
    """What was understood, and the parts of each statement, by name."""
    answer = fhir.get(search)
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "Parameters"
    understood, statements = [], []
    for parameter in answer.json()["parameter"]:
        if parameter["name"] == "understood":
            understood.append(parameter["valueString"])
        elif parameter["name"] == "statement":
            parts: dict[str, list[Any]] = {}
            for part in parameter["part"]:
                (value,) = [member for name, member in part.items() if name.startswith("value")]
                parts.setdefault(part["name"], []).append(value)
            statements.append(parts)
    return understood, statements


def test_a_search_is_told_with_its_statements_plans_rows_and_indexes(open_fhir: httpx.Client, code: str) -> None:
    search = f"/Condition?code={code}&_include=Condition:subject&_sort=-_lastUpdated&_explain=true"
    understood, statements = explained(open_fhir, search)
    assert understood == [
        "default Condition: code: token under Condition.code is one of 1 value",
        "sorted by _lastUpdated, the last first",
        "included: what is referred to by Condition:subject:*",
    ]
    purposes = [one["purpose"][0] for one in statements]
    assert purposes[:2] == ["counts of the conditions, up to a bound", "page"]
    assert "includes: referred" in purposes
    counts, page = statements[:2]
    assert counts["counted"] == ["3"]
    assert (page["realRows"], len(page["estimatedRows"])) == ([3], 1)
    assert "token_code" in page["index"]
    assert page["arguments"] == [len(set(re.findall(r"\$\d+", page["sql"][0])))]
    assert json.loads(page["plan"][0])["Plan"]["Actual Rows"] == 3
    assert page["milliseconds"][0] > 0


def test_values_are_not_shown(open_fhir: httpx.Client, code: str) -> None:
    text = open_fhir.get(f"/Condition?code={code}&subject:Patient.family=secret&_explain=true").text
    assert "Parameters" in text
    assert code not in text and "secret" not in text.lower()


def test_a_plan_alone_runs_nothing(open_fhir: httpx.Client, code: str) -> None:
    _, statements = explained(open_fhir, f"/Condition?code={code}&_sort=recorded-date&_explain=plan")
    page = next(one for one in statements if one["purpose"] == ["page"])
    assert page["plan"] and "realRows" not in page
    assert "Actual Rows" not in page["plan"][0]


CASES = [
    "Patient?name=sec&gender=male&birthdate=ge2000&_total=accurate",
    "Patient?_has:Condition:patient:code={code}&_total=estimate",
    "Patient?name:missing=true&_sort=-birthdate,family",
    "Condition?subject.name=sec&code:not=x",
    "Condition?_filter=code eq {code} or not (subject pr true)",
    "?_type=Patient,Condition&_lastUpdated=gt2000",
    "Condition?code={code}&_include:iterate=*&_revinclude=*&_count=2&_summary=true",
    "Condition?_summary=count",
]


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_search_can_be_explained(open_fhir: httpx.Client, code: str, case: str) -> None:
    for how in ("true", "plan", "analyze"):
        understood, statements = explained(open_fhir, f"/{case.format(code=code)}&_explain={how}")
        assert understood or "summary" in case
        assert statements


def test_what_explain_takes_is_said(open_fhir: httpx.Client) -> None:
    answer = open_fhir.get("/Patient?_explain=please")
    assert answer.status_code == 400
    assert "true, analyze, plan, false" in answer.json()["issue"][0]["details"]["text"]
    assert open_fhir.get("/Patient?_explain=false").json()["type"] == "searchset"


def test_it_is_closed_unless_an_operator_opens_it(fhir: httpx.Client) -> None:
    answer = fhir.get("/Patient?_explain=true")
    assert answer.status_code == 400
    assert "ECLUSE_SEARCH_EXPLAIN=on" in answer.json()["issue"][0]["details"]["text"]


def test_a_total_that_takes_too_long_is_left_out_and_the_page_says_so(open_fhir: httpx.Client, code: str) -> None:
    """This server gives it no time at all."""
    bundle = open_fhir.get(f"/Condition?code={code}&_total=accurate").json()
    assert "total" not in bundle
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match"] * 3 + ["outcome"]
    issue = bundle["entry"][-1]["resource"]["issue"][0]
    assert (issue["code"], "_total=estimate" in issue["details"]["text"]) == ("timeout", True)
    assert open_fhir.get(f"/Condition?code={code}&_summary=count").json()["total"] == 3
    estimated = open_fhir.get(f"/Condition?code={code}&_total=estimate").json()
    assert estimated["total"] >= 1 and len(estimated["entry"]) == 3
