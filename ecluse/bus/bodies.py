"""Bodies that were too large for a record, fetched from the server.

Enters: a reference. Leaves: the bytes, after their hash was checked. A server that is away is waited for; a version
that it no longer has is not.
"""

from __future__ import annotations

import httpx

from ecluse.bus.envelope import follow
from ecluse.bus.log import Reference
from ecluse.core.errors import Unavailable, Unmappable

TIMEOUT_S = 60.0


class HttpBodies:
    """One consumer's client of the server."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def follow(self, reference: Reference) -> bytes:
        """The body behind a reference.

        Raises: Unavailable (503) when the server does not answer; Unmappable when it no longer has these bytes
        """
        return await follow(reference, self._fetch)

    async def _fetch(self, url: str) -> bytes:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        try:
            answer = await self._client.get(url, headers={"Accept": "application/fhir+json"})
        except httpx.TransportError as error:
            raise Unavailable("the server that has the body does not answer") from error
        if answer.status_code in (404, 410):
            raise Unmappable("the server no longer has the body")
        if answer.status_code != 200:
            raise Unavailable(f"the server that has the body answers {answer.status_code}")
        return answer.content

    async def close(self) -> None:
        """Ends the connections."""
        if self._client is not None:
            await self._client.aclose()
