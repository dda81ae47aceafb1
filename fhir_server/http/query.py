"""The query of an interaction that takes few parameters, and the texts that the parameters of every answer take.

Enters: a request and the names that its interaction takes. Leaves: nothing, or all that is wrong with the query and
what would be valid. Like a search, nothing is ignored, unless the client prefers so (`handling=lenient`).
Spec: http://hl7.org/fhir/R4/http.html#parameters
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from urllib.parse import parse_qsl

from ecluse.core.errors import BadRequest, Issue
from fhir_server.http import negotiation
from fhir_server.http.request import Request
from fhir_server.http.subset import SUMMARIES

READ = ("_elements", "_format", "_pretty", "_summary")
"""What a read takes, and every other interaction too."""

WRITES = ("POST", "PUT", "PATCH", "DELETE")
METADATA = (*READ, "mode")
CHOICES: dict[str, tuple[str, ...]] = {
    "_pretty": ("true", "false"),
    "_summary": tuple(SUMMARIES),
    "mode": ("full", "normative", "terminology"),
}
"""What these parameters take, wherever they stand."""


def check(request: Request, taken: Sequence[str]) -> None:
    """Nothing, when the query has only parameters that are taken, with texts that they take.

    Raises: BadRequest (400) with an issue for each that is wrong"""
    if not request.query:
        return
    given = parse_qsl(request.query, keep_blank_values=True)
    unknown = () if negotiation.is_lenient(request.headers) else _unknown([name for name, _ in given], taken)
    issues = [*unknown, *choices_refused([pair for pair in given if pair[0] in taken])]
    if issues:
        raise BadRequest(issues=issues)


def _unknown(names: Iterable[str], taken: Sequence[str]) -> list[Issue]:
    return [
        Issue(
            f"Nothing here takes {name[:80]}; valid, nearest first: {', '.join(nearest(name, taken))}.",
            code="not-supported",
        )
        for name in dict.fromkeys(names)
        if name not in taken
    ]


def check_choices(request: Request) -> None:
    """Nothing, when a write is asked to be answered in a form that there is; others look at their queries themselves.

    Raises: BadRequest (400)"""
    last = request.segments[-1] if request.segments else ""
    if not request.query or request.method not in WRITES or last == "_search" or last.startswith("$"):
        return
    if issues := choices_refused(pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] in READ):
        raise BadRequest(issues=issues)


def choices_refused(given: Iterable[tuple[str, str]]) -> list[Issue]:
    """What is wrong with parameters that take one of few words."""
    return [
        Issue(f"{name}: write one of {', '.join(CHOICES[name])}.", diagnostics=f'found "{text[:80]}"', code="value")
        for name, text in given
        if name in CHOICES and text not in CHOICES[name]
    ]


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """All names that are known, those that resemble the given one first."""
    return sorted(known, key=lambda other: -SequenceMatcher(None, name[:80], other).ratio())
