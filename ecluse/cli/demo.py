"""`ecluse demo`: everything at once, on data that no one ever was.

Enters: settings. Leaves: a running Écluse with 50 virtual patients at two sites and one hub project, a table of what
was sent and what stands in each sink, and the portal open until Ctrl-C."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from ecluse.cli import sites, status
from ecluse.cli.load import Report, load
from ecluse.cli.load_report import base_of
from ecluse.cli.serve import listen
from ecluse.core import clock
from ecluse.core.errors import Conflict, Unavailable
from ecluse.core.parent import end_with
from ecluse.core.settings import Settings

PATIENTS, SEED = "50", "7"
SITES = {"hopital-nord": "Hôpital Nord", "hopital-sud": "Hôpital Sud"}
PROJECT = """name: demo
title: Demonstration project
types: [Patient, Encounter, Condition, Observation]
recipient: ../recipient.pub.jwk
start: 2020-01-01
"""
STARTS_WITHIN_S = 120
WAITS_S = 240.0
console = Console()


async def run(settings: Settings) -> None:
    """Returns after Ctrl-C or SIGTERM.

    Raises: Unavailable when the server does not start or the consumers do not catch up
    """
    settings = dataclasses.replace(settings, hub_projects=settings.data / "projects")
    folder = settings.data / "patients"
    await _prepare(settings, folder)
    listen(settings).close()
    command = (sys.executable, "-m", "ecluse", "up")
    process = await asyncio.create_subprocess_exec(
        *command, env=settings.variables(), preexec_fn=partial(end_with, os.getpid())
    )
    asked = _end_when_asked()
    try:
        await _started(settings, process)
        await _register(settings)
        reports = {site: await _load(settings, folder / site, site) for site in SITES}
        with console.status("the consumers catch up"):
            await status.wait(settings, None, (), WAITS_S)
        _show_sent(reports)
        await status.show(settings, as_json=False)
        console.print(
            f"\n[bold]The portal is open at {settings.url}[/bold] · FHIR at {settings.url}/fhir · Ctrl-C ends the demo"
        )
        console.print("All patients are virtual. Access control is not in yet: not for real patients.")
        console.print(f"From another terminal: ECLUSE_DATA={settings.data} ecluse status")
        await process.wait()
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


def _end_when_asked() -> asyncio.Event:
    """Cancels this task at SIGTERM; the event tells that this was why."""
    asked, task = asyncio.Event(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        asked.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    return asked


async def _prepare(settings: Settings, folder: Path) -> None:
    """Virtual patients and a hub project with a recipient, made once."""
    settings.data.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        options = [word for site in SITES for word in ("--site", site)]
        await _ecluse("synth", "--patients", PATIENTS, "--seed", SEED, "--out", str(folder), *options)
    if not settings.hub_projects.exists():
        settings.hub_projects.mkdir(parents=True)
        await _ecluse("hub", "keygen", "--out", str(settings.data / "recipient.jwk"))
        (settings.hub_projects / "demo.yaml").write_text(PROJECT)


async def _ecluse(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ecluse", *words)
    if await process.wait() != 0:
        raise Unavailable(f"ecluse {' '.join(words)} failed.")


async def _started(settings: Settings, process: asyncio.subprocess.Process) -> None:
    """Returns when the server answers."""
    deadline = clock.monotonic() + STARTS_WITHIN_S
    async with httpx.AsyncClient() as client:
        while process.returncode is None and clock.monotonic() < deadline:
            try:
                if (await client.get(f"{settings.url}/health")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise Unavailable(f"The server did not start on {settings.url}; is the port taken?")


async def _register(settings: Settings) -> None:
    for name, title in SITES.items():
        try:
            await sites.add(settings, name, title, "", "Europe/Paris", "[]")
        except Conflict:
            continue


async def _load(settings: Settings, folder: Path, site: str) -> Report:
    with console.status(f"loading {site}"):
        return await load(base_of(settings, None, site), [folder], lambda _: None)


def _show_sent(reports: dict[str, Report]) -> None:
    table = Table("resource", *reports, title="sent over FHIR")
    types: Sequence[str] = sorted({name for report in reports.values() for name in report.resources})
    for name in types:
        table.add_row(name, *(str(report.resources[name]) for report in reports.values()))
    table.add_row("refused", *(str(report.refusals) for report in reports.values()))
    console.print(table)
