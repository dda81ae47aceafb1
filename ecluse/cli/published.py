"""`/asyncapi`: the document of this installation's topics, for machines as JSON or YAML and for people as a page.

Enters: a request. Leaves: the document in the format that the address ends with, or that Accept prefers.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ecluse.bus import asyncapi
from ecluse.bus.topics import Topics
from ecluse.core.db.pool import Pool
from ecluse.core.settings import Settings
from fhir_server.http.formats import accepts
from portal.answers import HEADERS, data, page, wants_page

YAML = "application/yaml"


async def published(settings: Settings, store: Pool, request: Request) -> Response:
    """The document. store: its database, which knows how many partitions the topics have

    Raises: Unavailable (503) when the store is away"""
    topics = await _topics(settings, store)
    suffix = request.url.path.rpartition(".")[2]
    if suffix == "yaml" or (suffix != "json" and accepts(request.headers, YAML)):
        return Response(asyncapi.text(topics), headers=HEADERS, media_type=YAML)
    if suffix != "json" and wants_page(request):
        return page("asyncapi.html", document=asyncapi.document(topics))
    return data(asyncapi.document(topics))


async def _topics(settings: Settings, store: Pool) -> Topics:
    if settings.bus != "kafka":
        return Topics(settings.kafka_prefix, settings.kafka_partitions, settings.kafka_retention_days)
    from ecluse.bus.broker import layout

    return await layout(settings, store)
