"""What a FHIR package is, and what is said of a file that is none."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from ecluse.core.errors import BadRequest, EcluseError, Unprocessable
from ecluse.core.fhir.packages import read_package

MANIFEST = {"name": "hospital.example", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
PROFILE = {"resourceType": "StructureDefinition", "url": "http://hospital.example/p", "version": "1", "type": "Patient"}


def packed(files: dict[str, Any]) -> bytes:
    """A `.tgz`. files: path → JSON value, or bytes"""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for path, value in files.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def refused(data: bytes, error: type[EcluseError]) -> EcluseError:
    with pytest.raises(error) as told:
        read_package(data)
    return told.value


def test_a_package_has_a_name_dependencies_and_definitions() -> None:
    needs = {"hl7.fhir.r4.core": "4.0.1", "hl7.terminology.r4": "6.2.0"}
    package = read_package(
        packed(
            {"package/package.json": {**MANIFEST, "dependencies": needs}, "package/StructureDefinition-p.json": PROFILE}
        )
    )
    (definition,) = package.definitions
    assert (package.id, package.dependencies) == ("hospital.example@1.0.0", {"hl7.terminology.r4": "6.2.0"})
    assert definition[:4] == ("StructureDefinition", "http://hospital.example/p", "1", "Patient")
    assert json.loads(definition.body) == PROFILE


@pytest.mark.parametrize(
    "path", ["package/p.json", "package/profiles/p.json", "definitions/p.json", "other-root/p.json"]
)
def test_definitions_are_found_in_other_folders_too(path: str) -> None:
    assert len(read_package(packed({"package/package.json": MANIFEST, path: PROFILE})).definitions) == 1


@pytest.mark.parametrize(
    "path", ["package/example/p.json", "examples/p.json", "package/other/p.json", "package/.index.json"]
)
def test_examples_and_pages_are_passed_over(path: str) -> None:
    assert read_package(packed({"package/package.json": MANIFEST, path: PROFILE})).definitions == ()


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    marked = b"\xef\xbb\xbf" + json.dumps(PROFILE).encode()
    assert len(read_package(packed({"package/package.json": MANIFEST, "package/p.json": marked})).definitions) == 1


@pytest.mark.parametrize("data", [b"", b"no package", packed({"package/package.json": MANIFEST})[:-20]])
def test_what_is_no_whole_archive_is_refused(data: bytes) -> None:
    assert "not a whole FHIR package" in refused(data, BadRequest).issues[0].text


@pytest.mark.parametrize("manifest", [b"{", {"name": "a"}, {"version": "1"}, {**MANIFEST, "dependencies": ["a"]}])
def test_a_manifest_that_cannot_be_read_is_refused(manifest: Any) -> None:
    (issue,) = refused(packed({"package/package.json": manifest}), BadRequest).issues
    assert "name and version" in issue.text and issue.expression == "package/package.json"


def test_an_archive_without_a_manifest_is_refused() -> None:
    assert "no package.json" in str(refused(packed({"package/p.json": PROFILE}), BadRequest))


def test_every_file_that_cannot_be_read_is_named() -> None:
    files = {
        "package/package.json": MANIFEST,
        "package/a.json": b"{",
        "package/b.json": b"\xff",
        "package/c.json": PROFILE,
    }
    issues = refused(packed(files), BadRequest).issues
    assert [issue.expression for issue in issues] == ["package/a.json", "package/b.json"]


@pytest.mark.parametrize(
    "versions",
    [
        {"fhirVersions": ["5.0.0"]},
        {"fhirVersions": None, "fhir-version-list": ["3.0.2"]},
        {"fhirVersions": None, "dependencies": {"hl7.fhir.r4b.core": "4.3.0"}},
    ],
)
def test_a_package_for_another_version_of_fhir_is_refused(versions: dict[str, Any]) -> None:
    manifest = {name: value for name, value in {**MANIFEST, **versions}.items() if value is not None}
    (issue,) = refused(packed({"package/package.json": manifest}), Unprocessable).issues
    assert "not for FHIR R4" in issue.text and "found" in issue.diagnostics
