"""Requests whose resources need what is not at hand: definitions, or a terminology's word on a code.

Enters: a request and its work. Leaves: what the work answers, once that is there. Resources are looked at before
anything is committed, so that work which begins again does nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from ecluse.core.errors import EcluseError, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.bundle import split_bundle
from ecluse.core.fhir.validation.profiles.library import NotLoaded
from ecluse.core.fhir.validation.profiles.value_sets import Answers, NotAnswered, Question
from fhir_server.http.request import Answer, Request
from fhir_server.profiles.guides import fetch, named
from fhir_server.profiles.validation import Validation
from fhir_server.server import Server
from fhir_server.slices import in_slices
from fhir_server.store.resources import Site
from fhir_server.terminology.membership import Coding, membership

UNKNOWN = (
    "Nobody installed this profile here, so nothing was checked against it: install its package, `ecluse ig install`."
)


async def loading(server: Server, request: Request, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of the work. With the first definition that is missing come all others that the body names, with the
    first question those of all entries of a bundle."""
    validation = request.validation
    if validation is None:
        return await work()
    while True:
        try:
            return await work()
        except NotLoaded as lacking:
            await _load(server, validation, lacking, request.body)
        except NotAnswered as lacking:
            await _gather(validation, request)
            await _ask(server, request.site.number, validation, lacking)


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
        except NotLoaded as lacking:
            await _load(server, validation, lacking, json.encode(resource))
        except NotAnswered as lacking:
            await _ask(server, site.number, validation, lacking)


async def _load(server: Server, validation: Validation, lacking: NotLoaded, body: bytes) -> None:
    library = validation.profiles.library
    async with server.connection() as conn:
        await fetch(conn, library, lacking.keys | named(library, body))


async def _ask(server: Server, site: int, validation: Validation, lacking: NotAnswered) -> None:
    async with server.connection() as conn:
        await ask(conn, site, validation.answers, lacking.questions | validation.answers.open)


async def ask(conn: Any, site: int, answers: Answers, questions: Iterable[Question]) -> None:
    """Puts questions to the terminology of a site, those about one value set together."""
    by_set: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_set[question[0]].append(question)
    for value_set, own in by_set.items():
        codings = [Coding(coded.code, coded.system or "") for _, coded in own]
        told = await membership(conn, site, value_set, codings)
        answers.given |= {question: one.result for question, one in zip(own, told, strict=True)}
    answers.open.clear()


async def _gather(validation: Validation, request: Request) -> None:
    """Notes the questions of a bundle's other entries too."""
    if request.segments or request.method != "POST":
        return
    async for resource in in_slices(_resources(request.body)):
        try:
            validation.issues(resource)
        except (NotLoaded, NotAnswered):
            continue


def _resources(body: bytes) -> Iterator[dict[str, Any]]:
    for entry in split_bundle(body).entries:
        try:
            if entry.resource is not None:
                yield accept(None, entry.resource)
        except EcluseError:
            continue
