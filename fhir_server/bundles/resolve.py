"""Who refers to whom: conditional references and references between entries, made final.

Enters: the steps of a transaction, in its database transaction, their conditions settled. Leaves: the same steps with
every reference rewritten. A conditional reference is one more name for a resource, so one walk rewrites all. The
specification resolves conditional references last, among all that the transaction wrote; that is done only for those
whose matches the transaction may have changed: the writes are tried, searched, and undone.
Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, EcluseError, Issue, PreconditionFailed
from ecluse.core.fhir import json, types
from ecluse.core.fhir.patch.registry import Change
from ecluse.core.fhir.references import (
    UUID,
    is_conditional,
    literal_references,
    may_hold_extensions,
    rewrite,
    rewrite_references,
)
from fhir_server.bundles.plan import RESTFUL, Step
from fhir_server.http.request import Request
from fhir_server.slices import in_slices
from fhir_server.store import conditions
from fhir_server.store.conditions import Match

_CONDITIONAL = re.compile(rb'"reference"\s*:\s*("[A-Z][A-Za-z]+\?(?:[^"\\]|\\.)*")')


Trial = Callable[[], Awaitable[None]]


async def resolve(
    conn: Connection, request: Request, steps: Sequence[Step], found: Mapping[int, str], trial: Trial
) -> None:
    """Rewrites the references of the steps, in place.

    found: index of entry → id of the conditional creates whose resource stands already; trial: writes the steps as
    they are
    Raises: PreconditionFailed (412) with every conditional reference that has no match, or several
    """
    wanted = await _conditional_targets(steps)
    late = [target for target in wanted if _is_late(target, steps)]
    matched = await _matches(conn, request, steps, [target for target in wanted if target not in late])
    names = Names(request.base, steps, found, matched)
    await _rewrite(steps, found, names)
    if late:
        await conn.execute("SAVEPOINT late")
        await trial()
        matched = await _matches(conn, request, steps, late)
        await conn.execute("ROLLBACK TO SAVEPOINT late")
        await _rewrite(steps, found, Names(request.base, (), found, matched))
        names.targets |= matched
    if missing := [target for target in wanted if target not in names.targets]:
        _refuse_unmatched(steps, missing)


class Names:
    """What the entries call each other → what the server calls them.

    A relative reference is relative to the base of its own entry's fullUrl, so `Patient/1` means one resource in an
    entry of http://a/fhir and another one in an entry of http://b/fhir; without such a fullUrl it is the server's.
    Spec: http://hl7.org/fhir/R4/bundle.html#references"""

    def __init__(self, base: str, steps: Sequence[Step], found: Mapping[int, str], targets: dict[str, str]) -> None:
        """targets: conditional references and what they mean."""
        self.targets = targets
        self._base = base
        self._absolute = dict(targets)
        relative: dict[str, dict[str, str]] = {}
        for step in steps:
            if not step.full_url or (step.resource is None and step.change is None):
                continue
            final = f"{step.type}/{found.get(step.index, step.id)}"
            self._absolute[step.full_url] = final
            restful = RESTFUL.fullmatch(step.full_url)
            if restful:
                relative.setdefault(restful[1], {})[restful[2]] = final
        self.are_uuids = not relative and all(name.startswith(UUID) for name in self._absolute.keys() - targets.keys())
        self._by_base = {base: {**self._absolute, **names} for base, names in relative.items()}

    def seen_from(self, step: Step) -> Mapping[str, str]:
        """The names that the resource of an entry may use."""
        if not self._by_base:
            return self._absolute
        restful = RESTFUL.fullmatch(step.full_url)
        return self._by_base.get(restful[1] if restful else self._base, self._absolute)


async def _rewrite(steps: Sequence[Step], found: Mapping[int, str], names: Names) -> None:
    async for step in in_slices(steps):
        if step.resource is not None and step.index not in found:
            _rewrite_one(step, step.resource, names)
        elif step.change is not None:
            step.change = _rewritten(step.type, step.change, names.seen_from(step))


def _rewrite_one(step: Step, resource: dict[str, Any], names: Names) -> None:
    """Rewrites the links of one resource: its references alone when every UUID in its text is in one of them."""
    text, seen = bytes(step.entry.resource or b""), names.seen_from(step)
    references = rewrite_references(step.references, seen)
    if not names.are_uuids or (b"\\" in text and b"\\u" in text) or references < text.count(UUID.encode()):
        rewrite(step.type, resource, seen)


def _rewritten(resource_type: str, change: Change, names: Mapping[str, str]) -> Change:
    """The same change, the references of its result rewritten."""

    def made(resource: dict[str, Any]) -> dict[str, Any]:
        patched = change(resource)
        rewrite(resource_type, patched, names)
        return patched

    return made


async def _conditional_targets(steps: Sequence[Step]) -> list[str]:
    """The texts that may be conditional references, each once; notes the references of each step."""
    found: dict[str, None] = {}
    async for step in in_slices(steps):
        text = bytes(step.entry.resource or b"")
        if step.resource is not None:
            step.references = literal_references(step.type, step.resource, extensions=may_hold_extensions(text))
            found.update((one["reference"], None) for one in step.references if is_conditional(one))
        elif step.change is not None:
            found.update((json.decode(one), None) for one in _CONDITIONAL.findall(text))
    return list(found)


def _is_late(target: str, steps: Sequence[Step]) -> bool:
    """Whether what this transaction writes can change what the reference matches: it is then searched among what was
    written. Chains and reverse chains may lead to any type."""
    resource_type, criteria = _asked(target)
    chained = any("." in part.partition("=")[0] or part.startswith("_has") for part in criteria.split("&"))
    return any(step.type and (chained or step.type == resource_type) for step in steps)


async def _matches(conn: Connection, request: Request, steps: Sequence[Step], targets: Sequence[str]) -> dict[str, str]:
    """Conditional reference → literal one, of those that have a match.

    Raises: BadRequest (400) for a search that cannot be read, PreconditionFailed (412) for one with several matches
    """
    matched: dict[str, str] = {}
    asked = {target: _asked(target) for target in targets}
    known = await conditions.matching_codes(conn, request.site, asked.values())
    for target, (resource_type, criteria) in asked.items():
        try:
            match = await _match(conn, request, resource_type, criteria, known)
        except EcluseError as error:
            places = [f"Bundle.entry[{step.index}].resource" for step in steps if _refers(step, target)]
            error.issues = tuple(replace(issue, expression=place) for place in places for issue in error.issues)
            if not places:
                continue
            raise
        if match is not None:
            matched[target] = f"{resource_type}/{match.id}"
    return matched


def _asked(target: str) -> tuple[str, str]:
    """Type and criteria of a conditional reference."""
    resource_type, _, criteria = target.partition("?")
    return resource_type, criteria


async def _match(
    conn: Connection,
    request: Request,
    resource_type: str,
    criteria: str,
    known: Mapping[tuple[str, str], Sequence[Match]],
) -> Match | None:
    """known: the matches of conditions that were searched already"""
    if (resource_type, criteria) in known:
        return conditions.sole(resource_type, criteria, known[resource_type, criteria])
    if resource_type not in types.number_of:
        raise BadRequest(types.unknown(resource_type), diagnostics=f"{resource_type}?{criteria}")
    return await conditions.one_match(conn, request.site, resource_type, criteria)


def _refuse_unmatched(steps: Sequence[Step], missing: Sequence[str]) -> None:
    """Raises: PreconditionFailed (412) when a reference, and no other text, has no match"""
    text = "Nothing matches this conditional reference; load its resource first, or refer to it by id."
    issues = [
        Issue(text, f"Bundle.entry[{step.index}].resource", target, "not-found")
        for step in steps
        for target in missing
        if _refers(step, target)
    ]
    if issues:
        raise PreconditionFailed(issues=issues)


def _refers(step: Step, target: str) -> bool:
    """Whether an entry refers by this condition, rather than holding it as some other text."""
    if step.resource is None:
        return step.change is not None and json.encode(target) in bytes(step.entry.resource or b"")
    return any(one["reference"] == target for one in step.references)
