"""Packages in the database: installed whole or not at all, noticed by every process, removed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecluse.cli.ig import guides as command
from ecluse.cli.ig.gather import gather
from ecluse.core.db.databases import Databases
from ecluse.core.errors import BadRequest, Conflict, NotFound, Unprocessable
from ecluse.core.fhir.validation.profiles.validate import profile_issues
from ecluse.core.settings import Settings
from fhir_server.profiles.guides import Guides, fetch, named
from fhir_server.store import guides
from tests.conftest import SettingsFactory
from tests.guides import IPS, package_file
from tests.unit.core.fhir.test_packages import packed

URL = "http://hospital.example/fhir/StructureDefinition/born"
PATIENT = {"resourceType": "Patient", "meta": {"profile": [URL]}}


def package(path: Path, name: str, version: str = "1.0.0", *, least: int = 1, **needs: str) -> str:
    """A package with one profile of Patient, as a file."""
    element = {"id": "Patient.birthDate", "path": "Patient.birthDate", "min": least}
    profile = {
        "resourceType": "StructureDefinition",
        "url": URL,
        "version": version,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": {"element": [element]},
    }
    manifest = {"name": name, "version": version, "fhirVersions": ["4.0.1"], "dependencies": needs}
    file = path / f"{name}-{version}.tgz"
    file.write_bytes(packed({"package/package.json": manifest, "package/p.json": profile}))
    return str(file)


WARD = "http://hospital.example/fhir/StructureDefinition/ward"
WARDS = {
    "resourceType": "ValueSet",
    "url": "http://hospital.example/fhir/ValueSet/wards",
    "status": "active",
    "compose": {"include": [{"system": "http://hospital.example/wards", "concept": [{"code": "icu"}]}]},
}
"""A value set that no package has, for a site to store."""


def ward_guide(path: Path) -> str:
    """A package with one profile: an Observation's code is one of WARDS."""
    binding = {"strength": "required", "valueSet": WARDS["url"]}
    profile = {
        "resourceType": "StructureDefinition",
        "url": WARD,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "differential": {"element": [{"id": "Observation.code", "path": "Observation.code", "binding": binding}]},
    }
    manifest = {"name": "ward", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    (path / "ward.tgz").write_bytes(packed({"package/package.json": manifest, "package/p.json": profile}))
    return str(path / "ward.tgz")


def observed(code: str) -> dict[str, Any]:
    """An Observation of that profile."""
    coded = {"coding": [{"system": "http://hospital.example/wards", "code": code}]}
    return {"resourceType": "Observation", "status": "final", "meta": {"profile": [WARD]}, "code": coded}


@pytest.fixture
def here(settings: SettingsFactory) -> Settings:
    """Settings of this test's database."""
    return settings()


async def installed(databases: Databases) -> list[str]:
    async with databases.store.acquire() as conn:
        return [one.id for one in await guides.packages(conn)]


async def codes(databases: Databases, process: Guides, resource: dict[str, Any]) -> list[str]:
    async with databases.store.acquire() as conn:
        profiles = await process.current(conn)
        await fetch(conn, profiles.library, named(profiles.library, json.dumps(resource).encode()))
        return [issue.code for issue in profile_issues(profiles, resource)]


async def test_every_process_notices_what_is_installed_and_removed(
    here: Settings, databases: Databases, tmp_path: Path
) -> None:
    first, second = Guides(), Guides()
    assert await codes(databases, first, PATIENT) == ["not-found"]
    await command.install(here, [package(tmp_path, "born")], allow_missing=False)
    assert await codes(databases, first, PATIENT) == await codes(databases, second, PATIENT) == ["required"]
    await command.remove(here, "born", force=False)
    assert await codes(databases, first, PATIENT) == await codes(databases, second, PATIENT) == ["not-found"]


async def test_the_same_version_again_takes_the_place_of_the_first(
    here: Settings, databases: Databases, tmp_path: Path
) -> None:
    process = Guides()
    await command.install(here, [package(tmp_path, "born")], allow_missing=False)
    await command.install(here, [package(tmp_path, "born", least=0)], allow_missing=False)
    assert await installed(databases) == ["born@1.0.0"]
    assert await codes(databases, process, PATIENT) == []


async def test_a_canonical_without_version_means_the_package_installed_last(
    here: Settings, databases: Databases, tmp_path: Path
) -> None:
    await command.install(here, [package(tmp_path, "born", "1.0.0", least=0)], allow_missing=False)
    await command.install(here, [package(tmp_path, "born", "2.0.0", least=1)], allow_missing=False)
    first = {**PATIENT, "meta": {"profile": [f"{URL}|1.0.0"]}}
    assert await codes(databases, Guides(), PATIENT) == ["required"]
    assert await codes(databases, Guides(), first) == []


async def test_a_missing_dependency_is_named_and_nothing_is_installed(
    here: Settings, databases: Databases, tmp_path: Path
) -> None:
    needing = package(tmp_path, "needing", **{"base.guide": "3.1.4"})
    with pytest.raises(Unprocessable) as refused:
        await command.install(here, [needing], allow_missing=False)
    assert "needing@1.0.0 depends on base.guide@3.1.4" in refused.value.issues[0].text
    assert await installed(databases) == []
    await command.install(here, [needing], allow_missing=True)
    assert await installed(databases) == ["needing@1.0.0"]


async def test_dependencies_may_come_along_and_stay_while_they_are_needed(
    here: Settings, databases: Databases, tmp_path: Path
) -> None:
    both = [package(tmp_path, "needing", **{"base.guide": "3.1.4"}), package(tmp_path, "base.guide", "3.1.5")]
    await command.install(here, both, allow_missing=False)
    assert await installed(databases) == ["base.guide@3.1.5", "needing@1.0.0"]
    with pytest.raises(Conflict, match=r"needing@1\.0\.0 depend"):
        await command.remove(here, "base.guide", force=False)
    await command.remove(here, "base.guide", force=True)
    assert await installed(databases) == ["needing@1.0.0"]


async def test_what_is_broken_or_not_there_is_named(here: Settings, databases: Databases, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(b"nothing")
    with pytest.raises(BadRequest, match=r"broken\.tgz: This is not a whole FHIR package"):
        await command.install(here, [package(tmp_path, "born"), str(broken)], allow_missing=False)
    with pytest.raises(BadRequest, match="cannot be read"):
        await command.install(here, [str(tmp_path / "none.tgz")], allow_missing=False)
    with pytest.raises(NotFound, match="ecluse ig list"):
        await command.remove(here, "born", force=False)
    assert await installed(databases) == []


async def test_a_guide_as_published_is_installed_from_its_file(
    here: Settings, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    await command.install(here, [str(package_file(IPS))], allow_missing=True)
    told = capsys.readouterr().out
    assert "hl7.fhir.uv.ips@2.0.0: 71 definitions, 32 profiles" in told
    assert "missing: hl7.fhir.uv.ipa@1.1.0" in told
    await command.show(here)
    assert "hl7.fhir.uv.ips" in capsys.readouterr().out
    async with databases.store.acquire() as conn:
        (row,) = await guides.packages(conn)
        assert json.loads(await conn.fetchval("SELECT dependencies FROM guide.package")) == row.dependencies


async def test_npm_brings_a_guide_with_all_that_it_depends_on() -> None:
    gathered = await gather(["npm:hl7.fhir.uv.genomics-reporting@3.0.0"], {}, allow_missing=False)
    names = {one.name for one in gathered.packages.values()}
    assert names == {"hl7.fhir.uv.genomics-reporting", "hl7.terminology.r4", "hl7.fhir.uv.extensions.r4"}
    assert not gathered.missing


async def test_what_the_registry_does_not_have_is_named_and_left_out() -> None:
    gathered = await gather(["npm:hl7.fhir.uv.ips@2.0.0"], {}, allow_missing=False)
    assert gathered.absent == {"hl7.fhir.uv.ipa@1.1.0": "hl7.fhir.uv.ips@2.0.0"}
    assert {one.name for one in gathered.packages.values()} >= {"hl7.fhir.uv.ips", "hl7.terminology.r4"}


async def test_npm_says_which_package_or_version_there_is_not() -> None:
    with pytest.raises(NotFound, match=r"no hl7\.fhir\.uv\.ips@0\.0\.7"):
        await gather(["npm:hl7.fhir.uv.ips@0.0.7"], {}, allow_missing=False)
