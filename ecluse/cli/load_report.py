"""What `ecluse load` shows while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecluse.cli.load import Report, files, load
from ecluse.core.settings import Settings, fhir_base

PLACES_SHOWN = 20


def base_of(settings: Settings, url: str | None, site: str) -> str:
    """The FHIR base of a site; url: with or without /fhir."""
    address = (url or settings.url).rstrip("/").removesuffix("/fhir")
    return fhir_base(address, site)


async def run(settings: Settings, paths: Sequence[Path], url: str | None, site: str, *, history: bool) -> bool:
    """Whether anything was refused."""
    first, rest = files(paths)
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        what = "loading history" if history else "loading"
        task = progress.add_task(f"{what} into {site}", total=len(first) + len(rest))
        report = await load(base_of(settings, url, site), paths, lambda _: progress.advance(task), history=history)
    Console().print(_taken(report))
    if report.refused:
        console.print(_refused(report))
    return bool(report.refused)


def _taken(report: Report) -> Table:
    columns = ("type", "resources", "left as it came live") if report.kept else ("type", "resources")
    refused = f", {report.refusals} refused" if report.refusals else ""
    title = f"{sum(report.resources.values())} resources in {report.pieces} requests{refused}"
    table = Table(*columns, title=title)
    if report.repeated:
        table.caption = f"{report.repeated} of these requests had been answered before and wrote nothing again"
    for resource_type in sorted(report.resources | report.kept):
        counts = (report.resources[resource_type], report.kept[resource_type])
        table.add_row(resource_type, *(str(count) for count in counts[: len(columns) - 1]))
    return table


def _refused(report: Report) -> Table:
    table = Table("reason", "times", "where", title="refused")
    for reason, places in sorted(report.refused.items(), key=lambda item: -len(item[1])):
        more = len(places) - PLACES_SHOWN
        shown = ", ".join(places[:PLACES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        table.add_row(reason, str(len(places)), shown)
    return table
