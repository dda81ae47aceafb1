"""Who refers to whom: conditional creates, conditional references and references between entries, made final.

Enters: the steps of a transaction, in its database transaction. Leaves: the same steps with every reference rewritten,
and which of them stand already. Locks come before searches, so that a search sees what the other holders of the lock
committed. A conditional reference is one more name for a resource, so one walk rewrites all.
Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.core.errors import Issue, PreconditionFailed
from ecluse.core.fhir import json
from ecluse.core.fhir.references import conditional_references, rewrite
from fhir_server.bundles.plan import RESTFUL, Step
from fhir_server.http.request import Request
from fhir_server.slices import in_slices
from fhir_server.store import conditions

_CONDITIONAL = re.compile(rb'"reference"\s*:\s*("[A-Z][A-Za-z]+\?(?:[^"\\]|\\.)*")')


async def resolve(conn: Any, request: Request, steps: Sequence[Step]) -> dict[int, str]:
    """Index of entry → id of the conditional creates whose resource stands already; rewrites references in place.

    Raises: PreconditionFailed (412) when a condition has several matches, or a conditional reference none
    """
    found = await _conditional_creates(conn, request.site.number, steps)
    names = Names(request.base, steps, found, await _conditional_targets(conn, request.site.number, steps))
    async for step in in_slices(steps):
        if step.resource is not None and step.index not in found:
            rewrite(step.type, step.resource, names.seen_from(step))
    return found


class Names:
    """What the entries call each other → what the server calls them.

    A relative reference is relative to the base of its own entry's fullUrl, so `Patient/1` means one resource in an
    entry of http://a/fhir and another one in an entry of http://b/fhir; without such a fullUrl it is the server's.
    Spec: http://hl7.org/fhir/R4/bundle.html#references"""

    def __init__(self, base: str, steps: Sequence[Step], found: Mapping[int, str], targets: Mapping[str, str]) -> None:
        """targets: conditional references and what they mean."""
        self._base = base
        self._absolute = dict(targets)
        relative: dict[str, dict[str, str]] = {}
        for step in steps:
            if step.resource is None or not step.full_url:
                continue
            final = f"{step.type}/{found.get(step.index, step.id)}"
            self._absolute[step.full_url] = final
            restful = RESTFUL.fullmatch(step.full_url)
            if restful:
                relative.setdefault(restful[1], {})[restful[2]] = final
        self._by_base = {base: {**self._absolute, **names} for base, names in relative.items()}

    def seen_from(self, step: Step) -> Mapping[str, str]:
        """The names that the resource of an entry may use."""
        if not self._by_base:
            return self._absolute
        restful = RESTFUL.fullmatch(step.full_url)
        return self._by_base.get(restful[1] if restful else self._base, self._absolute)


async def _conditional_creates(conn: Any, site: int, steps: Sequence[Step]) -> dict[int, str]:
    wanted = [step for step in steps if step.method == "POST" and step.criteria]
    if not wanted:
        return {}
    await conditions.lock_conditions(conn, site, [(step.type, step.criteria) for step in wanted])
    found: dict[int, str] = {}
    first: dict[str, Step] = {}
    for step in wanted:
        twin = first.setdefault(f"{step.type}?{step.criteria}", step)
        if twin is not step:
            text = "Two entries create on the same condition; keep one."
            raise PreconditionFailed(text, expression=f"Bundle.entry[{step.index}]", diagnostics=step.criteria)
        match = await conditions.only_match(conn, site, step.type, step.criteria)
        if match is not None:
            found[step.index] = match
    return found


async def _conditional_targets(conn: Any, site: int, steps: Sequence[Step]) -> dict[str, str]:
    """Conditional reference → literal one, each searched once.

    Raises: PreconditionFailed (412) with every reference that has no match, or several
    """
    targets: dict[str, str] = {}
    missing: list[str] = []
    async for step in in_slices(steps):
        for text in dict.fromkeys(_CONDITIONAL.findall(step.entry.resource or b"")):
            target: str = json.decode(text)
            if target not in targets and target not in missing:
                resource_type, _, criteria = target.partition("?")
                match = await conditions.only_match(conn, site, resource_type, criteria)
                if match is None:
                    missing.append(target)
                else:
                    targets[target] = f"{resource_type}/{match}"
    if missing and (issues := [issue for step in steps for issue in _unmatched(step, missing)]):
        raise PreconditionFailed(issues=issues)
    return targets


def _unmatched(step: Step, missing: Sequence[str]) -> list[Issue]:
    """An issue for each reference of this entry, and not other text, that has no match."""
    if step.resource is None:
        return []
    text = "Nothing matches this conditional reference; load its resource first, or refer to it by id."
    place = f"Bundle.entry[{step.index}].resource"
    wanted = {target for _, target in conditional_references(step.type, step.resource) if target in missing}
    return [Issue(text, place, target, "not-found") for target in sorted(wanted)]
