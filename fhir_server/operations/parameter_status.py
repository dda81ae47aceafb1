"""SearchParameter $status: how far a parameter is that was made at run time, or all of them.

Enters: an address. Leaves: Parameters: of one SearchParameter, or with a `parameter` for each that the site has, those
of installed packages too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ecluse.core.fhir import json
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.search_parameters.parameters import SQL
from fhir_server.server import Server
from fhir_server.store import resources

Json = dict[str, Any]


class Told(NamedTuple):
    """How a parameter stands. source: of a package, "" for a SearchParameter of the site"""

    id: str
    source: str
    code: str
    kind: str
    url: str
    state: str
    reason: str
    done: int
    total: int
    readings: str
    unique: bool
    asked_at: object

    @property
    def parameters(self) -> Iterator[Json]:
        """The same as members of Parameters."""
        yield {"name": "state", "valueCode": self.state}
        yield {"name": "code", "valueCode": self.code}
        yield {"name": "type", "valueCode": self.kind}
        yield {"name": "url", "valueUri": self.url}
        yield from ({"name": "base", "valueCode": name} for name in json.decode(self.readings))
        yield {"name": "source", "valueString": self.source or f"SearchParameter/{self.id}"}
        yield {"name": "unique", "valueBoolean": self.unique}
        yield {"name": "done", "valueInteger": self.done}
        yield {"name": "total", "valueInteger": self.total}
        if self.reason:
            yield {"name": "reason", "valueString": self.reason}


async def status(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the state; of one that is not active, or says what R4 says, `unused` and why.

    Raises: NotFound (404), Gone (410)
    """
    async with server.connection() as conn:
        told = [Told(*row) for row in await conn.fetch(SQL["told"], request.site.number)]
        if len(request.segments) == 2:
            return _answer({"name": "parameter", "part": [*one.parameters]} for one in told)
        kind, own, _ = request.segments
        stored = await resources.current(conn, request.site.number, kind, own)
    found = [one for one in told if one.id == own and not one.source]
    if found:
        return _answer(found[-1].parameters)
    is_active = json.decode(stored.body or b"{}").get("status") == "active"
    reason = "FHIR R4 has the same parameter, which is served." if is_active else "Its status is not active."
    return _answer([{"name": "state", "valueCode": "unused"}, {"name": "reason", "valueString": reason}])


def _answer(parameters: Any) -> Answer:
    listed = list(parameters)
    return Answer(200, json.encode({"resourceType": "Parameters", **({"parameter": listed} if listed else {})}))


OPERATIONS = (
    Operation(
        "status",
        status,
        "urn:ecluse:OperationDefinition:search-parameter-status",
        ("type", "instance"),
        ("SearchParameter",),
    ),
)
