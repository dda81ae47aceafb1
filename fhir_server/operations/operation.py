"""An operation as data: where it stands, what it takes, who does it.

Enters: nothing. Leaves: `Operation`, of which each module of this package lists its own in `OPERATIONS`; the registry
finds them, routes serve them, the CapabilityStatement declares them.
Spec: http://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fhir_server.http.request import Answer, Request
from fhir_server.operations.parameters import Form, Parameters, Taken
from fhir_server.server import Server

Level = Literal["system", "type", "instance", "version"]
Function = Callable[[Server, Request, Parameters], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. Two operations may share a name when their types differ, as Patient and Encounter $everything do.

    name: without the $; levels: below which addresses it stands; types: resource types, () for all; parameters: names
    that it takes, None when it judges that itself; affects_state: it is POST only; body: the parameter that a POSTed
    resource other than Parameters is; forms: of values that are all read before it begins; judged: it tells itself what
    is refused of its parameters, with all else that is wrong
    """

    name: str
    function: Function
    definition: str
    levels: tuple[Level, ...]
    types: tuple[str, ...] = ()
    parameters: tuple[str, ...] | None = ()
    affects_state: bool = False
    body: str = ""
    forms: Mapping[str, Form] = field(default_factory=dict, hash=False)
    judged: bool = False

    @property
    def taken(self) -> Taken:
        """What its parameters are read by."""
        return Taken(self.parameters, self.body, self.forms, self.judged)

    def stands(self, level: Level, resource_type: str | None) -> bool:
        """Whether it can be called here. resource_type: None at system level"""
        return level in self.levels and (resource_type is None or not self.types or resource_type in self.types)

    @property
    def methods(self) -> tuple[str, ...]:
        """What it answers to.

        Spec: http://hl7.org/fhir/R4/operations.html#executing"""
        return ("POST",) if self.affects_state else ("GET", "HEAD", "POST")
