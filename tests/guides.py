"""Implementation guides as their publishers give them: packages that npm fetches, their definitions and examples.

Enters: `name@version`. Leaves: the package file in `.cache/fhir`, fetched when it is missing; nothing of it is shipped.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.packages import Definition, Package, read_package
from ecluse.core.fhir.validation.profiles.library import Entry, Library, NotLoaded, is_base_type
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from ecluse.core.fhir.validation.profiles.validate import profile_issues
from tests.fetched import CACHE, npm_package, once

IPS, MCODE, GENOMICS = "hl7.fhir.uv.ips@2.0.0", "hl7.fhir.us.mcode@4.0.0", "hl7.fhir.uv.genomics-reporting@3.0.0"
EXTENSIONS, TERMINOLOGY = "hl7.fhir.uv.extensions.r4@5.3.0-ballot-tc1", "hl7.terminology.r4@7.0.1"


@cache
def package_file(wanted: str) -> Path:
    """The `.tgz` of a package.

    Raises: RuntimeError, with what to do, when it is neither there nor can be fetched"""
    path = CACHE / f"{wanted.replace('@', '-')}.tgz"
    return once(path, lambda: npm_package(wanted, "the FHIR packages"))


@cache
def package(wanted: str) -> Package:
    """A package, read."""
    return read_package(package_file(wanted).read_bytes())


@cache
def examples(wanted: str) -> dict[str, dict[str, Any]]:
    """The example resources of a package, by the names of their files."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(package_file(wanted)) as archive:
        for member in archive:
            path = Path(member.name)
            content = archive.extractfile(member) if path.suffix == ".json" and "example" in path.parts else None
            if content and not path.name.startswith("."):
                resource = json.decode(content.read())
                if "resourceType" in resource:
                    found[path.stem] = resource
    return found


class Shelf:
    """Profiles over packages in memory: what a server process holds, without a database. differentials: snapshots are
    taken away where the base is known"""

    def __init__(self, definitions: Sequence[Definition], *, differentials: bool = False) -> None:
        self.definitions = list(definitions)
        self.differentials = differentials
        index: dict[str, Entry] = {}
        for key, one in enumerate(self.definitions):
            if one.type in ("StructureDefinition", "ValueSet", "CodeSystem", "Questionnaire"):
                index[one.url] = index[f"{one.url}|{one.version}"] = Entry(key, one.describes)
        self.profiles = Profiles(Library(index))

    @classmethod
    def of(cls, *packages: str) -> Shelf:
        """The definitions of packages."""
        return cls([one for name in packages for one in package(name).definitions])

    def issues(self, resource: dict[str, Any], *asked: str) -> list[Issue]:
        """What is wrong with a resource."""
        while True:
            try:
                return profile_issues(self.profiles, resource, asked)
            except NotLoaded as lacking:
                self.profiles.library.add({key: self._definition(key) for key in lacking.keys})

    def _definition(self, key: int) -> dict[str, Any]:
        definition: dict[str, Any] = json.decode(self.definitions[key].body)
        base = definition.get("baseDefinition", "")
        if self.differentials and (is_base_type(base) or self.profiles.library.entry(base)):
            definition.pop("snapshot", None)
        return definition

    def errors(self, resource: dict[str, Any], *asked: str) -> list[Issue]:
        """Of these the errors."""
        return [issue for issue in self.issues(resource, *asked) if issue.severity == "error"]


@cache
def all_guides() -> Shelf:
    """The guides that the tests use, with what they depend on as far as there is such a package."""
    return Shelf.of(TERMINOLOGY, EXTENSIONS, GENOMICS, MCODE, IPS)


def all_examples() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Package, name and resource of every example of these guides."""
    for wanted in (IPS, MCODE, GENOMICS):
        for name, resource in sorted(examples(wanted).items()):
            yield wanted, name, resource
