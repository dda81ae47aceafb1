"""Who refers to whom: conditional creates, conditional references and references between entries, made final.

Enters: the steps of a transaction, in its database transaction. Leaves: the same steps with every reference rewritten,
and which of them stand already. Locks come before searches, so that a search sees what the other holders of the lock
committed. Spec: http://hl7.org/fhir/R4/http.html#trules"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ecluse.core.errors import Issue, PreconditionFailed
from ecluse.core.fhir.references import conditional_references, rewrite
from fhir_server.interactions.plan import Step
from fhir_server.interactions.slices import in_slices
from fhir_server.store import conditions, resources

_RESTFUL = re.compile(r"https?://.+/([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})")


async def resolve(conn: Any, site: int, steps: Sequence[Step]) -> dict[int, str]:
    """Index of entry → id, for the conditional creates whose resource stands already. References are rewritten in
    place.

    Raises: PreconditionFailed (412) when a condition has several matches, or a conditional reference none
    """
    found = await _conditional_creates(conn, site, steps)
    names = _names(steps, found)
    pending: list[tuple[dict[str, Any], str, int]] = []
    async for step in in_slices(steps):
        if step.resource is None or step.index in found:
            continue
        rewrite(step.type, step.resource, names)
        pending.extend(
            (holder, target, step.index) for holder, target in conditional_references(step.type, step.resource)
        )
    targets = await _conditional_targets(conn, site, pending)
    for holder, target, _ in pending:
        holder["reference"] = targets[target]
    return found


async def _conditional_creates(conn: Any, site: int, steps: Sequence[Step]) -> dict[int, str]:
    wanted = [step for step in steps if step.method == "POST" and step.criteria]
    if not wanted:
        return {}
    await resources.lock_conditions(conn, site, [f"{step.type}?{step.criteria}" for step in wanted])
    found: dict[int, str] = {}
    first: dict[str, Step] = {}
    for step in wanted:
        twin = first.setdefault(f"{step.type}?{step.criteria}", step)
        if twin is not step:
            raise PreconditionFailed(
                "Two entries create on the same condition; keep one.",
                expression=f"Bundle.entry[{step.index}]",
                diagnostics=step.criteria,
            )
        match = await conditions.only_match(conn, site, step.type, step.criteria)
        if match is not None:
            found[step.index] = match
    return found


def _names(steps: Sequence[Step], found: Mapping[int, str]) -> dict[str, str]:
    """What the entries call each other → what the server calls them."""
    names: dict[str, str] = {}
    for step in steps:
        if step.resource is None:
            continue
        final = f"{step.type}/{found.get(step.index, step.id)}"
        if step.full_url:
            names[step.full_url] = final
            restful = _RESTFUL.fullmatch(step.full_url)
            if restful:
                names.setdefault(f"{restful[1]}/{restful[2]}", final)
    return names


async def _conditional_targets(
    conn: Any, site: int, pending: Sequence[tuple[dict[str, Any], str, int]]
) -> dict[str, str]:
    """Conditional reference → literal one, each searched once.

    Raises: PreconditionFailed (412) with every reference that has not exactly one match
    """
    targets: dict[str, str] = {}
    issues: list[Issue] = []
    for target, index in {target: index for _, target, index in reversed(pending)}.items():
        resource_type, _, criteria = target.partition("?")
        match = await conditions.only_match(conn, site, resource_type, criteria)
        if match is None:
            text = f"No {resource_type} matches this conditional reference; load it first, or refer to it by id."
            issues.append(Issue(text, f"Bundle.entry[{index}].resource", target, "not-found"))
        targets[target] = f"{resource_type}/{match}"
    if issues:
        raise PreconditionFailed(issues=issues)
    return targets
