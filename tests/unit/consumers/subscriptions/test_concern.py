"""Whether a created resource is what a Subscription to a topic is about, when expressions fail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.subscriptions.concern import Happening, Undecided
from ecluse.bus.event import Event
from ecluse.core.fhir import json
from fhir_server.subscriptions.filters import conditions
from fhir_server.subscriptions.topic import read

AT = datetime(2024, 5, 1, tzinfo=UTC)
FAILS, HOLDS, DOES_NOT = (
    "%current.component.code.text.startsWith('a')",
    "%current.status = 'final' and %previous.empty()",
    "%current.status = 'amended'",
)
RESOURCE = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": {"coding": [{"system": "urn:t", "code": "a"}]},
    "component": [{"code": {"text": "ab"}}, {"code": {"text": "ac"}}],
}


def trigger(expression: str, **more: Any) -> dict[str, Any]:
    return {"resource": "Observation", "fhirPathCriteria": expression} | more


async def concerned(*triggers: dict[str, Any], filters: tuple[str, ...] = (), resource: Any = RESOURCE) -> bool:
    able = [{"filterParameter": "code"}]
    topic = read({"url": "urn:t", "status": "active", "resourceTrigger": list(triggers), "canFilterBy": able})
    assert topic is not None
    condition = json.encode(conditions(filters, topic.definition)).decode()
    definition = json.encode(topic.definition).decode()
    row: Any = {"site": "default", "since": AT, "type": 0, "condition": condition, "topic": definition}
    kind, own = resource["resourceType"], resource["id"]
    event = Event(site="default", type=kind, id=own, version=1, epoch=1, seq=7, op="created", time=AT)
    return await Happening(None, event, resource).concerns(row)


@pytest.mark.parametrize(
    ("triggers", "filters", "is_meant"),
    [
        ([trigger(HOLDS)], (), True),
        ([trigger(DOES_NOT)], (), False),
        ([trigger("%current.note.text.startsWith('a')")], (), False),
        ([trigger(FAILS), trigger(HOLDS)], (), True),
        ([trigger(FAILS)], ("code=urn:t|b",), False),
        ([trigger(FAILS, queryCriteria={"current": "status=amended"})], (), False),
        ([trigger(FAILS, supportedInteraction=["update", "delete"])], (), False),
        ([trigger(HOLDS, queryCriteria={"current": "status=amended"})], (), False),
        ([trigger(DOES_NOT, queryCriteria={"current": "status=final"})], (), False),
        ([trigger(HOLDS, queryCriteria={"current": "status=final"})], ("code=urn:t|a",), True),
    ],
)
async def test_what_does_not_depend_on_a_failing_expression_is_decided(
    triggers: list[dict[str, Any]], filters: tuple[str, ...], is_meant: bool
) -> None:
    assert await concerned(*triggers, filters=filters) is is_meant


async def test_what_depends_on_it_is_told_with_its_place() -> None:
    with pytest.raises(Undecided) as undecided:
        await concerned(trigger(DOES_NOT), trigger(FAILS), filters=("code=urn:t|a",))
    assert str(undecided.value).startswith("resourceTrigger[1].fhirPathCriteria: startsWith takes a single item, not 2")


async def test_an_expression_takes_no_more_than_a_bounded_work() -> None:
    heavy = "%current.descendants().where(%current.descendants().where($this is Coding).count() > 100).exists()"
    assert await concerned(trigger(heavy)) is False
    many = RESOURCE | {"component": [{"code": {"coding": [{"code": str(n)}]}} for n in range(200)]}
    looped = "%current.component.where($this.code.coding.select(%current.component.select($this.code)).count() > 999)"
    with pytest.raises(Undecided, match="too much work"):
        await concerned(trigger(f"{looped}.exists()"), resource=many)
