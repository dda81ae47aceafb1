"""What a topic wants sent beside the resource that an event is about.

Enters: the `notificationShape`s of a topic, and what its site can be searched by. Leaves: includes as data, as a search
has them; or why one can never include anything.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#notification-shape
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ecluse.core.errors import BadRequest, Unprocessable
from mappers.search.includes import Include
from mappers.search.registry import Registry

MEMBERS = {"include": "_include", "revInclude": "_revinclude"}
ITERATE = "iterate"


class Shape(NamedTuple):
    """What a topic says of a type. told: R5's members; place: where it stands, for errors"""

    type: str
    told: Mapping[str, Any]
    place: str

    def includes(self, registry: Registry) -> Iterator[Include]:
        """Its includes.

        registry: what can be followed at the site, or at every site
        Raises: Unprocessable (422) for one that a search refuses"""
        for member, name in MEMBERS.items():
            for number, text in enumerate(self.told.get(member) or ()):
                where = f"{self.place}.{member}[{number}]"
                first, *more = str(text).removeprefix(f"{name}=").split("&")
                yield _include(self.type, name, first, where, registry)
                for one in more:
                    yield _further(self.type, name, one, where, registry)


def _further(kind: str, name: str, text: str, place: str, registry: Registry) -> Include:
    """What is followed from there: `iterate=Patient.link`, as examples of the specification have it."""
    word, _, value = text.partition("=")
    if word == ITERATE:
        return _include(kind, f"{name}:{ITERATE}", value.replace(".", ":", 1), place, registry)
    if word in {f"{one}:{ITERATE}" for one in MEMBERS.values()}:
        return _include(kind, word, value, place, registry)
    advice = "After an include there may be `iterate=Type.parameter`, and nothing else."
    raise Unprocessable(advice, expression=place, diagnostics=text[:200])


def _include(kind: str, name: str, text: str, place: str, registry: Registry) -> Include:
    # The parser of searches knows the requests, and requests the door through which topics are written.
    from fhir_server.search.asked import NotServed
    from fhir_server.search.include import include

    try:
        return include((kind,), name, text, registry)
    except (BadRequest, NotServed) as error:
        raise Unprocessable(str(error), expression=place, diagnostics=text[:200]) from None
