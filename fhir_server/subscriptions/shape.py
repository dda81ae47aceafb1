"""What a topic wants sent beside the resource that an event is about.

Enters: a `notificationShape`. Leaves: includes as data, as a search has them; or why one can never include anything.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#notification-shape
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecluse.core.errors import BadRequest, Unprocessable
from mappers.search.includes import Include
from mappers.search.registry import BUILT_IN

MEMBERS = {"include": "_include", "revInclude": "_revinclude"}
ITERATE = "iterate"


def included(kind: str, told: Mapping[str, Any], place: str) -> Iterator[Include]:
    """The includes of a shape.

    kind: the type that it is about; place: where it stands, for errors
    Raises: Unprocessable (422) for one that a search refuses"""
    for member, name in MEMBERS.items():
        for number, text in enumerate(told.get(member) or ()):
            where = f"{place}.{member}[{number}]"
            first, *more = str(text).removeprefix(f"{name}=").split("&")
            yield _include(kind, name, first, where)
            for one in more:
                yield _further(kind, name, one, where)


def _further(kind: str, name: str, text: str, place: str) -> Include:
    """What is followed from there: `iterate=Patient.link`, as examples of the specification have it."""
    word, _, value = text.partition("=")
    if word == ITERATE:
        return _include(kind, f"{name}:{ITERATE}", value.replace(".", ":", 1), place)
    if word in {f"{one}:{ITERATE}" for one in MEMBERS.values()}:
        return _include(kind, word, value, place)
    advice = "After an include there may be `iterate=Type.parameter`, and nothing else."
    raise Unprocessable(advice, expression=place, diagnostics=text[:200])


def _include(kind: str, name: str, text: str, place: str) -> Include:
    # The parser of searches knows the requests, and requests the door through which topics are written.
    from fhir_server.search.asked import NotServed
    from fhir_server.search.include import include

    try:
        return include((kind,), name, text, BUILT_IN)
    except (BadRequest, NotServed) as error:
        raise Unprocessable(str(error), expression=place, diagnostics=text[:200]) from None
