"""The packages that an installation takes: those asked for, and what they depend on.

Enters: files, `npm:NAME@VERSION`, and what is installed. Leaves: packages, and notes on versions that differ from those
wanted. Nothing is stored before all of them are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ecluse.cli.ig import npm
from ecluse.cli.ig.npm import NPM
from ecluse.core.errors import BadRequest, EcluseError, Issue, NotFound, Unprocessable
from ecluse.core.fhir.packages import Package, read_package


@dataclass(slots=True)
class Gathered:
    """What came together. installed: name → versions; missing, absent: packages that nobody has, with who wants them;
    absent: the registry that the one who wants it came from does not have it, so nothing can be done"""

    installed: dict[str, set[str]]
    packages: dict[str, Package] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    from_registry: set[str] = field(default_factory=set)

    def versions(self, name: str) -> set[str]:
        """The versions of a package that are installed or come along."""
        coming = {package.version for package in self.packages.values() if package.name == name}
        return self.installed.get(name, set()) | coming


async def gather(wanted: Iterable[str], installed: dict[str, set[str]], *, allow_missing: bool) -> Gathered:
    """All packages of an installation.

    wanted: paths and npm:NAME@VERSION
    Raises: Unprocessable with the dependencies that are missing, unless these are allowed or the registry does not have
    them; and what reading raises
    """
    gathered = Gathered(installed)
    by_npm: list[Package] = []
    for one in wanted:
        package = await _wanted(one)
        gathered.packages[package.id] = package
        if one.startswith(NPM):
            gathered.from_registry.add(package.id)
            by_npm.append(package)
    await _follow(gathered, by_npm)
    for package in list(gathered.packages.values()):
        for name, version in package.dependencies.items():
            _settle(gathered, package, name, version)
    if gathered.missing and not allow_missing:
        raise Unprocessable(issues=[Issue(_advice(name, who)) for name, who in gathered.missing.items()])
    return gathered


def _advice(name: str, who: str) -> str:
    return (
        f"{who} depends on {name}, which is not there: give its .tgz in the same command, or install without it "
        "(--allow-missing); what it defines is then not checked, and reported as such."
    )


async def _wanted(one: str) -> Package:
    """The package of a path or of npm:NAME@VERSION, with its errors named."""
    if one.startswith(NPM):
        data = await npm.fetch(one)
    else:
        try:
            data = await asyncio.to_thread(Path(one).read_bytes)
        except OSError as error:
            raise BadRequest(
                f"{one} cannot be read: {error.strerror}. Write npm:NAME@VERSION for a registry."
            ) from error
    try:
        return read_package(data)
    except EcluseError as error:
        told = [f"{one}: {issue.line}" for issue in error.issues]
        raise type(error)(issues=[Issue(text) for text in told]) from error


async def _follow(gathered: Gathered, waiting: list[Package]) -> None:
    """Fetches what packages of the registry depend on, and what those do."""
    sought: set[str] = set()
    while waiting:
        for name, version in waiting.pop().dependencies.items():
            if name in sought or gathered.versions(name):
                continue
            sought.add(name)
            found = await _fetched(name, version)
            if found is not None:
                gathered.packages[found.id] = found
                gathered.from_registry.add(found.id)
                waiting.append(found)


async def _fetched(name: str, version: str) -> Package | None:
    """A dependency in the version wanted, else in its newest; None when there is none."""
    for one in (f"{NPM}{name}@{version}", f"{NPM}{name}"):
        try:
            return await _wanted(one)
        except NotFound:
            continue
    return None


def _settle(gathered: Gathered, package: Package, name: str, version: str) -> None:
    """Notes a dependency that is missing, or there in another version."""
    there = gathered.versions(name)
    if not there:
        lacking = gathered.absent if package.id in gathered.from_registry else gathered.missing
        lacking.setdefault(f"{name}@{version}", package.id)
    elif version not in there:
        gathered.notes.append(f"{package.id} was made for {name}@{version}; {', '.join(sorted(there))} is taken.")
