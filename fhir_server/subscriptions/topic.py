"""Topics: what can be subscribed to, whatever its search parameters.

Enters: a SubscriptionTopic as R4B and R5 write it, or the Basic that stands for one in R4. Leaves: its address, its
triggers and what it can be filtered by, as data which the consumer evaluates; or why it cannot be served.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html, http://hl7.org/fhir/R5/versions.html#extensions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import types
from fhir_server.subscriptions.condition import condition

Json = dict[str, Any]
BASIC, TOPIC = "Basic", "SubscriptionTopic"
EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
DEFINITION = "http://hl7.org/fhir/StructureDefinition/"
INTERACTIONS = ("create", "update", "delete")
SERVED = ("active", "draft")
RESULTS = {"test-passes": True, "test-fails": False}
_LISTS = ("resourceTrigger", "eventTrigger", "canFilterBy", "supportedInteraction", "notificationShape", "comparator")


class Topic(NamedTuple):
    """definition: {"triggers": [...], "filters": [[type or "", parameter], ...]}"""

    url: str
    version: str
    title: str
    definition: Json


def of_basic(resource: Json | None) -> Topic | None:
    """The topic for which a Basic stands; None when it stands for something else, or for one that is not in use.

    Raises: Unprocessable (422) when it cannot be served"""
    if resource is None or resource.get("resourceType") != BASIC or not _is_topic(resource.get("code", {})):
        return None
    own = [one for one in resource.get("extension", ()) if str(one.get("url", "")).startswith(EXTENSION)]
    return read(_members([one | {"url": one["url"].removeprefix(EXTENSION)} for one in own]), BASIC)


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
    if topic.get("eventTrigger"):
        raise _refused(place, "eventTrigger", "Events beyond resources are not known here: use resourceTrigger.", "")
    triggers = [
        _trigger(each, f"{place}.resourceTrigger[{n}]") for n, each in enumerate(_list(topic, "resourceTrigger"))
    ]
    if not triggers:
        raise _refused(place, "resourceTrigger", "A topic has at least one resourceTrigger.", "")
    filters = [_filter(each, f"{place}.canFilterBy[{n}]") for n, each in enumerate(_list(topic, "canFilterBy"))]
    title = str(topic.get("title") or topic.get("description") or url)
    return Topic(url, str(topic.get("version") or ""), title, {"triggers": triggers, "filters": filters})


def _trigger(told: Json, place: str) -> Json:
    if told.get("fhirPathCriteria"):
        raise _refused(place, "fhirPathCriteria", "FHIRPath is not evaluated for topics: use queryCriteria.", "")
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


def _filter(told: Json, place: str) -> list[str]:
    parameter = told.get("filterParameter")
    if not parameter:
        raise _refused(place, "filterParameter", "Name the search parameter: code.", "")
    return [_type(told["resource"], place) if told.get("resource") else "", str(parameter)]


def _type(told: Any, place: str) -> str:
    name = str(told or "").removeprefix(DEFINITION)
    if name not in types.number_of or name in ("", "Subscription", "Binary"):
        raise _refused(place, "resource", "Name a resource type: Encounter.", told)
    return name


def _list(topic: Mapping[str, Any], name: str) -> list[Json]:
    return [one for one in topic.get(name) or () if isinstance(one, dict)]


def _refused(place: str, name: str, text: str, found: object) -> Unprocessable:
    return Unprocessable(text, expression=f"{place}.{name}", diagnostics=str(found or "")[:200])
