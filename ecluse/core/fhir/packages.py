"""A FHIR package: the definitions that an implementation guide publishes.

Enters: the bytes of a `.tgz` as npm carries it. Leaves: its name, version, dependencies and definitions, each of these
as it stands in the package. Examples, narrative pages and test files are passed over.
Spec: https://hl7.org/fhir/R4/versions.html#packages, https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from ecluse.core.errors import BadRequest, Issue, TooLarge, Unprocessable
from ecluse.core.fhir.acceptance import REFUSED

MOST_BYTES = 1 << 30
MANIFEST = "package.json"
CORE = "hl7.fhir.r4.core"
"""The package of R4 itself, which this server has in it."""
PASSED_OVER = frozenset({"example", "examples", "openapi", "other", "tests", "xml", "node_modules"})
"""Folders that hold no definitions."""
KEPT = frozenset(
    """ActivityDefinition CapabilityStatement ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap
    EventDefinition GraphDefinition ImplementationGuide Library Measure MessageDefinition NamingSystem
    OperationDefinition PlanDefinition Questionnaire SearchParameter StructureDefinition StructureMap
    TerminologyCapabilities ValueSet""".split()
)


class Definition(NamedTuple):
    """One definition. describes: the type that a StructureDefinition is for, else ""; body: its JSON"""

    type: str
    url: str
    version: str
    describes: str
    body: bytes


class Package(NamedTuple):
    """A package that this server can take. dependencies: name → version, without R4 itself"""

    name: str
    version: str
    title: str
    canonical: str
    dependencies: dict[str, str]
    definitions: tuple[Definition, ...]

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class _Manifest(msgspec.Struct):
    name: str
    version: str
    title: str = ""
    canonical: str = ""
    dependencies: dict[str, str] | None = None
    fhirVersions: list[str] = msgspec.field(default_factory=list)
    fhirVersionList: list[str] = msgspec.field(default_factory=list, name="fhir-version-list")


class _Head(msgspec.Struct):
    """What has to be known of a file; the rest is read when it is used."""

    resourceType: Any = ""
    url: Any = ""
    version: Any = ""
    type: Any = ""


_manifest = msgspec.json.Decoder(_Manifest)
_head = msgspec.json.Decoder(_Head)


def read_package(data: bytes) -> Package:
    """The package in a `.tgz`.

    Raises: BadRequest (400) with every file that cannot be read, TooLarge (413), Unprocessable (422) when it is for
    another version of FHIR
    """
    files = _files(data)
    root, manifest = _read_manifest(files)
    definitions, issues = _definitions(files)
    if issues:
        raise BadRequest(issues=issues)
    _check_version(manifest, root)
    dependencies = {name: version for name, version in (manifest.dependencies or {}).items() if name != CORE}
    return Package(
        manifest.name, manifest.version, manifest.title or manifest.name, manifest.canonical, dependencies, definitions
    )


def _files(data: bytes) -> dict[PurePosixPath, bytes]:
    found: dict[PurePosixPath, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflated(data)), mode="r:") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.suffix != ".json" or PASSED_OVER & set(path.parts[:-1]):
                    continue
                content = archive.extractfile(member)
                found[path] = content.read() if content else b""
    except (tarfile.TarError, zlib.error, EOFError) as error:
        text = "This is not a whole FHIR package: a gzipped tar with package/package.json in it. Fetch it once more."
        raise BadRequest(text, diagnostics=str(error)) from error
    return found


def _inflated(data: bytes) -> bytes:
    """The archive, checked to its end."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    archive = inflater.decompress(data, MOST_BYTES)
    if inflater.unconsumed_tail:
        raise TooLarge(f"The package holds more than {MOST_BYTES >> 20} MiB.")
    if not inflater.eof:
        raise EOFError("it ends too early")
    return archive


def _read_manifest(files: dict[PurePosixPath, bytes]) -> tuple[PurePosixPath, _Manifest]:
    """The package.json nearest to the top."""
    found = sorted((path for path in files if path.name == MANIFEST), key=lambda path: (len(path.parts), path))
    if not found:
        raise BadRequest("The package has no package.json, so it has neither name nor version: it is no FHIR package.")
    try:
        return found[0], _manifest.decode(_text(files[found[0]]))
    except REFUSED as error:
        text = "package.json cannot be read: it needs name and version, and dependencies as names with versions."
        raise BadRequest(text, expression=str(found[0]), diagnostics=str(error)) from error


def _check_version(manifest: _Manifest, path: PurePosixPath) -> None:
    """Nothing, when the package is for R4.

    Raises: Unprocessable (422)
    """
    versions = manifest.fhirVersions or manifest.fhirVersionList
    core = {name for name in manifest.dependencies or {} if name.startswith("hl7.fhir.r") and name.endswith(".core")}
    if (versions and not any(version.startswith("4.0") for version in versions)) or (not versions and core - {CORE}):
        told = ", ".join(versions) or ", ".join(sorted(core))
        text = f"{manifest.name}@{manifest.version} is not for FHIR R4: install its edition for 4.0.1."
        raise Unprocessable(text, expression=f"{path}: fhirVersions", diagnostics=f"found {told}")


def _definitions(files: dict[PurePosixPath, bytes]) -> tuple[tuple[Definition, ...], list[Issue]]:
    """The definitions, each canonical once, and what is wrong with files."""
    found: dict[tuple[str, str, str], Definition] = {}
    issues: list[Issue] = []
    for path, content in files.items():
        if path.name == MANIFEST or path.name.startswith("."):
            continue
        try:
            definition = _definition(_text(content))
        except REFUSED as error:
            text = "This file cannot be read as JSON: fetch the package once more, or ask its publisher."
            issues.append(Issue(text, str(path), str(error), "structure"))
            continue
        if definition is not None:
            found.setdefault((definition.type, definition.url, definition.version), definition)
    return tuple(found.values()), issues


def _definition(body: bytes) -> Definition | None:
    """The definition in a file, None when the file is something else."""
    if body.lstrip()[:1] != b"{":
        msgspec.json.decode(body)
        return None
    head = _head.decode(body)
    names = (head.resourceType, head.url, head.version, head.type)
    kind, url, version, describes = (one if isinstance(one, str) else "" for one in names)
    if kind not in KEPT or not url:
        return None
    return Definition(kind, url, version, describes if kind == "StructureDefinition" else "", body)


def _text(content: bytes) -> bytes:
    return content.removeprefix(b"\xef\xbb\xbf")
