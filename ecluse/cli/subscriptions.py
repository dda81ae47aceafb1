"""What `ecluse subscriptions` does: shows Subscriptions and topics, loads and drops topics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ecluse.cli.readable import told_empty
from ecluse.cli.terminal import table, terminal
from ecluse.core.db.databases import open_databases
from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.fhir import json
from ecluse.core.settings import Settings
from fhir_server.store import resources
from fhir_server.subscriptions.taking import SQL, failures, take_topic
from fhir_server.subscriptions.topic import TOPIC, Topic, read

EVERY_SITE = 0


async def show(settings: Settings, site: str | None) -> None:
    """A table of the Subscriptions. Raises: NotFound when there is no such site"""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        await resources.check_site(conn, site)
        sites = [one for one in await resources.sites(conn) if site in (None, one.name)]
        rows = [(one.name, row) for one in sites for row in await conn.fetch(SQL["told"], one.number, None)]
    if not rows:
        told_empty("No Subscription is on" + (f" at {site}." if site else "."))
        return
    shown = table("site", "id", "about", "state", "told", "waiting", "error")
    for name, row in rows:
        waiting = row["last"] - row["delivered"]
        told = (str(row["delivered"]), str(waiting), " ".join(failures(row)))
        shown.add_row(name, row["id"], row["about"], row["state"], *told)
    terminal().print(shown)


async def topics(settings: Settings) -> None:
    """A table of the topics."""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        rows = await conn.fetch(SQL["every_topic"])
    if not rows:
        told_empty("No topic is served; see `ecluse subscriptions load`.")
        return
    shown = table("site", "address", "version", "title", "about")
    for row in rows:
        triggers = json.decode(row["definition"].encode())["triggers"]
        about = ", ".join(dict.fromkeys(trigger["type"] for trigger in triggers))
        shown.add_row(row["site"] or "all", row["url"], row["version"], row["title"], about)
    terminal().print(shown)


async def load(settings: Settings, files: Sequence[Path]) -> None:
    """Takes topics in, all of them or none.

    Raises: BadRequest for a file that is no SubscriptionTopic, Unprocessable for one that cannot be served"""
    found = list(map(_topic, files))
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        async with conn.transaction():
            for topic in found:
                await take_topic(conn, EVERY_SITE, None, topic)
    for topic in found:
        terminal().print(f"{topic.url} can be subscribed to at every site.")


def _topic(file: Path) -> Topic:
    try:
        told = json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadRequest(f"{file.name} is no JSON: {error}") from error
    if not isinstance(told, dict) or told.get("resourceType") != TOPIC:
        raise BadRequest(f"{file.name} is no {TOPIC}: resourceType says so in its first line.")
    topic = read(told)
    if topic is None:
        raise BadRequest(f"{file.name}: its status is {told.get('status')}; active and draft topics are served.")
    return topic


async def drop(settings: Settings, url: str) -> None:
    """Raises: NotFound when no loaded topic has this address"""
    async with open_databases(settings, migrate=True) as databases, databases.store.acquire() as conn:
        if await conn.fetchval(SQL["drop_loaded"], url) is None:
            raise NotFound(f"No loaded topic has the address {url}; a Basic is deleted at its site.")
    terminal().print(f"{url} is no longer served.")
