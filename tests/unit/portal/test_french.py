"""What readers are told."""

from __future__ import annotations

import pytest

from ecluse.core.errors import BadRequest, EcluseError, MethodNotAllowed, NotFound, Unavailable
from ecluse.index import question, tantivy
from ecluse.index.protocol import BadQuery, Missing
from portal import french


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-03-01T09:05:00+01:00", "1er mars 2026 à 09 h 05"),
        ("2026-12-24", "24 décembre 2026"),
        ("2026-08", "août 2026"),
        ("2026", "2026"),
        ("", ""),
    ],
)
def test_dates_are_said_in_french(text: str, told: str) -> None:
    assert french.date(text).replace(french.THIN, " ") == told


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (999, "999"), (1234567, "1 234 567")])
def test_numbers_are_grouped(value: int, told: str) -> None:
    assert french.number(value).replace(french.THIN, " ") == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (7300, "2 h"), (200_000, "2 j")]
)
def test_durations_are_told_in_one_unit(seconds: float, told: str) -> None:
    assert french.duration(seconds).replace(french.THIN, " ") == told


def test_one_and_none_are_singular() -> None:
    told = [french.counted(n, "échec", "échecs").replace(french.THIN, " ") for n in (0, 1, 2000)]
    assert told == ["0 échec", "1 échec", "2 000 échecs"]


@pytest.mark.parametrize("module", [question, tantivy])
def test_every_question_that_cannot_be_read_is_explained(module: object) -> None:
    import inspect
    import re

    kinds = re.findall(r'BadQuery\(\s*"(\w+)"', inspect.getsource(module))  # type: ignore[arg-type]
    assert kinds
    assert set(kinds) <= set(french.QUESTIONS)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (BadQuery("quote", "..."), "guillemet"),
        (Missing("..."), "ecluse consume search"),
        (NotFound("..."), "pas dans l'index"),
        (NotFound("...", expression="site"), "Aucun site"),
        (MethodNotAllowed("...", ["GET"]), "se lit seulement"),
        (Unavailable("..."), "Réessayez"),
        (BadRequest("...", expression="from"), "AAAA-MM-JJ"),
        (BadRequest("...", expression="count"), "« count »"),
        (BadRequest("..."), "paramètre inconnu"),
    ],
)
def test_errors_say_what_to_do(error: EcluseError, part: str) -> None:
    assert part in french.failure(error).replace(french.THIN, " ")
