"""Every operation that this server has: what is listed in the modules of this package.

Enters: a level, a resource type and a name. Leaves: what serves it, by method; and all operations, for the
CapabilityStatement. A new operation is a module with `OPERATIONS`, no line here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from pkgutil import iter_modules

import fhir_server.operations as package
from ecluse.core.errors import NotFound
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Level, Operation
from fhir_server.operations.parameters import read
from fhir_server.server import Server

Interaction = Callable[[Server, Request], Awaitable[Answer]]


@cache
def operations() -> tuple[Operation, ...]:
    """All of them, by name."""
    modules = [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    listed: list[Operation] = [one for module in modules for one in getattr(module, "OPERATIONS", ())]
    return tuple(sorted(listed, key=lambda operation: (operation.name, operation.definition)))


def declared(level: Level, resource_type: str | None = None) -> list[Operation]:
    """The operations that can be called here."""
    return [operation for operation in operations() if operation.stands(level, resource_type)]


def methods(level: Level, resource_type: str | None, segment: str) -> dict[str, Interaction]:
    """What serves `$name` here, by method.

    Raises: NotFound (404) with the operations there are, the nearest first
    """
    here = {operation.name: operation for operation in declared(level, resource_type)}
    operation = here.get(segment.removeprefix("$"))
    if operation is None:
        raise NotFound(_missing(level, resource_type, segment, here))
    return dict.fromkeys(operation.methods, partial(run, operation))


async def run(operation: Operation, server: Server, request: Request) -> Answer:
    """The answer of an operation.

    Raises: BadRequest (400) when its parameters cannot be read, and what it raises itself
    """
    return await operation.function(server, request, read(request, operation.taken))


def _missing(level: Level, resource_type: str | None, segment: str, here: dict[str, Operation]) -> str:
    near = get_close_matches(segment[1:81], here, 3, 0.4)
    names = ", ".join(f"${name}" for name in sorted(here, key=lambda name: (name not in near, name)))
    place = f"at {resource_type} {level} level" if resource_type else "at system level"
    return f"There is no operation {segment[:81]} {place}; there: {names or 'none'}."
