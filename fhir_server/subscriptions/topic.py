"""Topics: what can be subscribed to, whatever its search parameters.

Enters: a SubscriptionTopic as R4B and R5 write it, or the Basic that stands for one in R4; then what its site can be
searched by. Leaves: its address, its triggers and what it can be filtered by, as data which the consumer evaluates; or
why it cannot be served.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html, http://hl7.org/fhir/R5/versions.html#extensions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import types
from fhir_server.subscriptions.condition import condition
from fhir_server.subscriptions.expression import checked
from fhir_server.subscriptions.filters import Allowed, allowed
from fhir_server.subscriptions.shape import Shape
from mappers.search.includes import Include
from mappers.search.registry import Registry

Json = dict[str, Any]
BASIC, TOPIC = "Basic", "SubscriptionTopic"
EXTENSION = "StructureDefinition/extension-SubscriptionTopic."
EXTENSIONS = tuple(f"http://hl7.org/fhir/{version}/{EXTENSION}" for version in ("5.0", "4.3"))
"""Examples of the backport have those of R5 and of R4B in one resource."""
DEFINITION = "http://hl7.org/fhir/StructureDefinition/"
INTERACTIONS = ("create", "update", "delete")
SERVED = ("active", "draft")
RESULTS = {"test-passes": True, "test-fails": False}
NO_EVENTS = (
    "Events are not derived from what is written: the code says that a system would send such a message, which no write"
    " tells. Say what resources show of it by resourceTrigger (supportedInteraction, queryCriteria, fhirPathCriteria),"
    " and leave eventTrigger out."
)
_LISTS = {
    *("resourceTrigger", "eventTrigger", "canFilterBy", "notificationShape"),
    *("supportedInteraction", "comparator", "modifier", "include", "revInclude"),
}
"""Members of which there may be several."""


class Topic(NamedTuple):
    """definition: {"triggers": [...], "filters": [[type or "", parameter, comparators, modifiers], ...]}; shapes: what
    is sent beside, still in words"""

    url: str
    version: str
    title: str
    definition: Json
    shapes: tuple[Shape, ...] = ()

    def served(self, registry: Registry) -> Json:
        """The definition as it is stored, with "shapes": {type: [Include, ...]}.

        registry: of its site, of site 0 when it is for all sites
        Raises: Unprocessable (422) for an include that a search refuses there"""
        shapes: dict[str, dict[Include, None]] = {}
        with _named(self.url):
            for shape in self.shapes:
                shapes.setdefault(shape.type, {}).update(dict.fromkeys(shape.includes(registry)))
        return self.definition | {"shapes": {kind: list(own) for kind, own in shapes.items()}}


def of_basic(resource: Json | None) -> Topic | None:
    """The topic for which a Basic stands; None when it stands for something else, or for one that is not in use.

    Raises: Unprocessable (422) when it cannot be served"""
    if resource is None or resource.get("resourceType") != BASIC or not _is_topic(resource.get("code", {})):
        return None
    told = [*resource.get("extension", ()), *resource.get("modifierExtension", ())]
    own = [one for one in told if str(one.get("url", "")).startswith(EXTENSIONS)]
    return read(_members([one | {"url": one["url"].rpartition(EXTENSION)[2]} for one in own]), BASIC)


def _is_topic(code: Json) -> bool:
    return any(coding.get("code") == TOPIC for coding in code.get("coding", ()))


def _members(extensions: Sequence[Json]) -> Json:
    """What R5 has as members, of the extensions that say the same."""
    found: Json = {}
    for one in extensions:
        name = str(one.get("url", "")).rpartition(".")[2]
        values = [value for key, value in one.items() if key.startswith("value")]
        value = _members(one["extension"]) if "extension" in one else values[0] if values else None
        if name in _LISTS:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def read(topic: Mapping[str, Any], place: str = TOPIC) -> Topic | None:
    """The topic; None when it is not in use (retired, unknown).

    place: what holds it, for errors
    Raises: Unprocessable (422) when it cannot be served"""
    url = topic.get("url")
    if not isinstance(url, str) or ":" not in url:
        raise _refused(place, "url", "A topic has a canonical address: https://hospital.example/topics/admission.", url)
    if topic.get("status") not in SERVED:
        return None
    with _named(url):
        definition = _definition(topic, place)
        shapes = tuple(_shapes(topic, place, {trigger["type"] for trigger in definition["triggers"]}))
    title = str(topic.get("title") or topic.get("description") or url)
    return Topic(url, str(topic.get("version") or ""), title, definition, shapes)


@contextmanager
def _named(url: str) -> Iterator[None]:
    """A refusal within it names the topic and the place."""
    try:
        yield
    except Unprocessable as error:
        told = [replace(one, text=f"{url}, {one.expression}: {one.text}") for one in error.issues]
        raise Unprocessable(issues=told) from None


def _definition(topic: Mapping[str, Any], place: str) -> Json:
    if events := topic.get("eventTrigger"):
        raise _refused(place, "eventTrigger", NO_EVENTS, ", ".join(filter(None, map(_coded, events))))
    triggers = [
        _trigger(each, f"{place}.resourceTrigger[{n}]") for n, each in enumerate(_list(topic, "resourceTrigger"))
    ]
    if not triggers:
        raise _refused(place, "resourceTrigger", "A topic has at least one resourceTrigger.", "")
    filters = [_filter(each, f"{place}.canFilterBy[{n}]") for n, each in enumerate(_list(topic, "canFilterBy"))]
    return {"triggers": triggers, "filters": filters}


def _shapes(topic: Mapping[str, Any], place: str, kinds: Set[str]) -> Iterator[Shape]:
    """kinds: those of the triggers"""
    for number, shape in enumerate(_list(topic, "notificationShape")):
        where = f"{place}.notificationShape[{number}]"
        kind = _type(shape.get("resource"), where)
        if kind not in kinds:
            raise _refused(where, "resource", "A shape is about the type of a trigger.", kind)
        yield Shape(kind, shape, where)


def _coded(trigger: Any) -> str:
    """The codes of an event, as a search writes them."""
    event = trigger.get("event") if isinstance(trigger, dict) else None
    coding = event.get("coding") if isinstance(event, dict) else None
    return ", ".join(f"{one.get('system', '')}|{one.get('code', '')}" for one in coding or ())


def _trigger(told: Json, place: str) -> Json:
    kind = _type(told.get("resource"), place)
    wanted = told.get("supportedInteraction") or list(INTERACTIONS)
    if unknown := [one for one in wanted if one not in INTERACTIONS]:
        raise _refused(place, "supportedInteraction", "Interactions are create, update, delete.", unknown[0])
    query = told.get("queryCriteria") or {}
    return {
        "type": kind,
        "on": wanted,
        "previous": _criteria(kind, query.get("previous"), f"{place}.queryCriteria.previous"),
        "current": _criteria(kind, query.get("current"), f"{place}.queryCriteria.current"),
        "for_create": _result(query.get("resultForCreate"), f"{place}.queryCriteria", "resultForCreate"),
        "for_delete": _result(query.get("resultForDelete"), f"{place}.queryCriteria", "resultForDelete"),
        "both": query.get("requireBoth") is True,
        "fhirpath": checked(told.get("fhirPathCriteria"), f"{place}.fhirPathCriteria"),
    }


def _criteria(kind: str, text: str | None, place: str) -> Json | None:
    """A search as data, `Type?…` or what stands behind it; None when there is none."""
    if not text:
        return None
    named, _, query = text.rpartition("?")
    if named and named != kind:
        raise Unprocessable(
            f"The criteria are about {kind}, like the trigger.", expression=place, diagnostics=text[:200]
        )
    return condition(f"{kind}?{query}", place)[1]


def _result(word: str | None, place: str, name: str) -> bool | None:
    if word is not None and word not in RESULTS:
        raise _refused(place, name, "Results are test-passes and test-fails.", word)
    return None if word is None else RESULTS[word]


def _filter(told: Json, place: str) -> Allowed:
    return allowed(_type(told["resource"], place) if told.get("resource") else "", told, place)


def _type(told: Any, place: str) -> str:
    name = str(told or "").removeprefix(DEFINITION)
    if name not in types.number_of or name in ("", "Subscription", "Binary"):
        raise _refused(place, "resource", "Name a resource type: Encounter.", told)
    return name


def _list(topic: Mapping[str, Any], name: str) -> list[Json]:
    return [one for one in topic.get(name) or () if isinstance(one, dict)]


def _refused(place: str, name: str, text: str, found: object) -> Unprocessable:
    return Unprocessable(text, expression=f"{place}.{name}", diagnostics=str(found or "")[:200])
