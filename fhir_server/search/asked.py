"""One parameter on its way from a query string to a condition.

Enters: name and text as they were written. Leaves: what is left of them at each step, and the errors that name them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ecluse.core.errors import BadRequest
from fhir_server.http.query import nearest
from fhir_server.search.control import CONTROLS, UNSAID
from mappers.search.registry import BUILT_IN, Registry

MOST_LINKS = 8
"""Of a chain."""


class NotServed(Exception):
    """A parameter that lenient handling leaves out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """type: where it is looked for; name: what is left of its name; written: the whole name; text: its values; base,
    now: as in a Question; registry: of the site; links: how many led here; operation: of `_filter`"""

    type: str
    name: str
    written: str
    text: str
    base: str
    now: datetime
    registry: Registry = BUILT_IN
    links: int = 0
    operation: str = ""

    def wrong(self, text: str) -> BadRequest:
        """The error for it, with what was written."""
        return BadRequest(text, diagnostics=f"{self.written}={self.text}"[:200])

    def led_to(self, resource_type: str, name: str) -> Asked:
        """The same behind one link more. Raises: BadRequest"""
        if self.links >= MOST_LINKS:
            raise self.wrong(f"A chain has at most {MOST_LINKS} links.")
        return replace(self, type=resource_type, name=name, links=self.links + 1)


def unknown(asked: Asked, resource_type: str, code: str) -> str:
    """Why a parameter cannot be obeyed, with the valid names, the nearest first."""
    if reason := asked.registry.reason_against(resource_type, code):
        return f"{code} is not served: {reason}."
    within = asked.links or asked.operation or asked.name.startswith("_has:")
    usable = [] if within else [name for name in CONTROLS if name not in UNSAID]
    valid = nearest(code, [*asked.registry.served(resource_type), *usable])
    return f"{resource_type} has no search parameter {code[:80]}; valid, nearest first: {', '.join(valid)}."
