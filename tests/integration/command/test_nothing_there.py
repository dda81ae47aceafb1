"""Commands that list something say so when there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.run import run

NOTHING = {
    "issues list": "No issues are kept: ",
    "issues count": "No issues are kept: ",
    "issues list --site default": "No issues pass these filters.",
    "issues recheck": "Nothing of this is stored",
    "terminology list": "Nothing was loaded",
    "ig list": "No package is installed",
    "subscriptions list": "No Subscription is on.",
    "subscriptions list --site default": "No Subscription is on at default.",
    "subscriptions topics": "No topic is served",
    "dead-letters list": "No dead letters.",
    "dead-letters list --reason gone": "No dead letters pass these filters.",
    "intake list": "0 requests",
}


@pytest.fixture
def environment(empty_database: str, tmp_path: Path) -> dict[str, str]:
    """That of a command on a database of its own."""
    return {"ECLUSE_DATABASE_URL": empty_database, "ECLUSE_DATA": str(tmp_path)}


def test_each_list_says_in_one_line_that_it_is_empty(environment: dict[str, str]) -> None:
    for words, told in NOTHING.items():
        code, out, _ = run(environment, *words.split())
        assert code == 0, words
        assert out.startswith(told) and out.count("\n") == 1, (words, out)


@pytest.mark.parametrize("words", ["issues list --json", "issues count --json"])
def test_what_a_program_reads_stays_empty_and_the_line_stands_beside_it(
    environment: dict[str, str], words: str
) -> None:
    code, out, err = run(environment, *words.split())
    assert (code, out) == (0, "")
    assert "No issues are kept: " in err
