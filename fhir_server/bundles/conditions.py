"""The conditional entries of a transaction: which resources they mean.

Enters: the steps of a transaction, in its database transaction. Leaves: the same steps with what their conditions
found. All conditions are locked together and before any search, so that a search sees what the other holders of the
locks committed. Two entries that mean the same resource are refused.
Spec: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Issue, PreconditionFailed
from fhir_server.bundles.entry import placed
from fhir_server.bundles.plan import Step, overlaps
from fhir_server.http.request import Request
from fhir_server.interactions.conditional import delete_intents, patch_target, update_target
from fhir_server.interactions.delete import bound
from fhir_server.server import Server
from fhir_server.store.conditions import lock_conditions, only_match, several


async def settle(conn: Connection, server: Server, request: Request, steps: Sequence[Step]) -> dict[int, str]:
    """Index of entry → id of the conditional creates whose resource stands already, and is not deleted here; the other
    conditional steps get their targets.

    Raises: PreconditionFailed (412) when a condition has several matches or two entries mean one resource"""
    wanted = [step for step in steps if step.criteria and step.type]
    if not wanted:
        return {}
    await lock_conditions(conn, request.site.number, [(step.type, step.criteria) for step in wanted])
    found: dict[int, str] = {}
    for step in wanted:
        try:
            match = await _settle(conn, server, request, step)
        except EcluseError as error:
            placed(error, step.index)
            raise
        if match is not None:
            found[step.index] = match
    gone = {(name, id_) for step in steps if step.method == "DELETE" for _, name, id_ in _identities(step, {})}
    found = {index: match for index, match in found.items() if (steps[index].type, match) not in gone}
    _check(steps, wanted, found)
    return found


async def _settle(conn: Connection, server: Server, request: Request, step: Step) -> str | None:
    """The id that a conditional create found."""
    site = request.site
    if step.method == "POST":
        return await only_match(conn, site, step.type, step.criteria)
    if step.method == "DELETE":
        most = await bound(server.within(conn), request.site, step.type, step.criteria)
        step.deletes = await delete_intents(conn, site, step.type, step.criteria, most)
        if most is not None and len(step.deletes) > most:
            raise several(step.type, step.criteria)
        return None
    if step.resource is None:
        step.target = await patch_target(conn, site, step.type, step.criteria)
    else:
        step.target = await update_target(conn, site, step.type, step.criteria, step.resource.get("id"))
    step.id = step.target.id
    return None


def _identities(step: Step, found: Mapping[int, str]) -> Iterator[tuple[Step, str, str]]:
    """The resources that a step means."""
    if step.deletes is not None:
        yield from ((step, intent.type, intent.id) for intent in step.deletes)
    elif step.type:
        yield step, step.type, found.get(step.index, step.id)


def _check(steps: Sequence[Step], conditional: Sequence[Step], found: Mapping[int, str]) -> None:
    """Nothing, when no two entries write one resource and no two conditions mean one.

    Raises: PreconditionFailed (412)"""
    twins = _same_condition(conditional)
    written = [one for step in steps if step.index not in found for one in _identities(step, found)]
    meant = [one for step in conditional for one in _identities(step, found)]
    if issues := list(dict.fromkeys([*twins, *overlaps(written), *overlaps(meant)])):
        raise PreconditionFailed(issues=issues)


def _same_condition(steps: Sequence[Step]) -> list[Issue]:
    """Issues of creates that would each make a resource on the same condition."""
    first: dict[tuple[str, str], Step] = {}
    text = "Two entries create on the same condition; keep one."
    return [
        Issue(text, f"Bundle.entry[{step.index}]", step.criteria, "invalid")
        for step in steps
        if step.method != "DELETE" and first.setdefault((step.type, step.criteria), step) is not step
    ]
