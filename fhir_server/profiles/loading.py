"""Requests whose resources need what is not at hand: definitions, Questionnaires, a terminology's word on a code.

Enters: a request and its work. Leaves: what the work answers, once that is there. Resources are looked at before
anything is committed, so that work which begins again does nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.validation.profiles.library import NotLoaded
from ecluse.core.fhir.validation.profiles.value_sets import Answers, NotAnswered, Question
from fhir_server.http.request import Answer, Request
from fhir_server.profiles.guides import fetch, named
from fhir_server.profiles.validation import Validation
from fhir_server.server import Server
from fhir_server.store.canonicals import of_canonical
from fhir_server.store.resources import Site
from fhir_server.terminology.membership import Coding, membership

UNKNOWN = (
    "Nobody installed this profile here, so nothing was checked against it: install its package, `ecluse ig install`."
)


Missing = NotLoaded | NotAnswered
MISSING = (NotLoaded, NotAnswered)
"""What a validation raises when something has to be fetched or asked before it can go on."""


async def loading(server: Server, request: Request, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of the work. With the first definition that is missing come all others that the body names; a
    transaction asks the questions of all its entries at once."""
    validation = request.validation
    if validation is None:
        return await work()
    while True:
        try:
            return await work()
        except MISSING as missing:
            await provide(server, request.site.number, validation, missing, request.body)


async def profile_report(
    server: Server, site: Site, resource: dict[str, Any], asked: Sequence[str], place: str = ""
) -> list[Issue]:
    """Everything that is to be said of an accepted resource by the profiles that apply, and by those asked for.

    place: "Parameters.parameter[0].resource"; empty: its type"""
    validation = await server.profile_validation(site.name)
    unknown = [canonical for canonical in asked if not validation.profiles.type_of(canonical)]
    known = [canonical for canonical in asked if canonical not in unknown]
    issues = [Issue(UNKNOWN, place or resource["resourceType"], f"found {one}", "not-found") for one in unknown]
    while True:
        try:
            return issues + validation.issues(resource, known, place)
        except MISSING as missing:
            await provide(server, site.number, validation, missing, json.encode(resource))


async def provide(server: Server, site: int, validation: Validation, missing: Missing, body: bytes = b"") -> None:
    """Fetches the definitions that are missing and those that the body names, or asks the questions that are open and
    looks for Questionnaires."""
    async with server.connection() as conn:
        if isinstance(missing, NotLoaded):
            library = validation.profiles.library
            await fetch(conn, library, missing.keys | named(library, body))
        else:
            await ask(conn, site, validation.answers, missing.questions | validation.answers.open)
            await look(conn, site, validation.answers, missing.questionnaires | validation.answers.wanted)


async def ask(conn: Connection, site: int, answers: Answers, questions: Iterable[Question]) -> None:
    """Puts questions to the terminology of a site, those about one value set together."""
    by_set: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_set[question[0]].append(question)
    for value_set, own in by_set.items():
        codings = [Coding(coded.code, coded.system or "") for _, coded in own]
        told = await membership(conn, site, value_set, codings)
        answers.given |= {question: one.result for question, one in zip(own, told, strict=True)}
    answers.open.clear()


async def look(conn: Connection, site: int, answers: Answers, canonicals: Iterable[str]) -> None:
    """Looks for Questionnaires among the resources of a site."""
    for canonical in canonicals:
        answers.questionnaires[canonical] = await of_canonical(conn, site, "Questionnaire", canonical)
    answers.wanted.clear()
