"""SearchParameters of installed packages: served at every site, replaced with their package, gone with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ecluse.cli.ig import guides as command
from ecluse.core import clock
from ecluse.core.db.databases import Databases
from ecluse.core.settings import Settings
from ecluse.related.registries import Made, Registries, load
from fhir_server.search.compile import matches
from fhir_server.search.parse import parse
from fhir_server.search_parameters import building
from fhir_server.store import resources
from fhir_server.store.keys import Keys
from fhir_server.store.write import Context, intent, write
from tests.conftest import SettingsFactory
from tests.guides import EXTENSIONS, MCODE, package_file
from tests.unit.core.fhir.test_packages import packed

WITHIN_S = 60
GENDER = "http://hl7.org/fhir/StructureDefinition/individual-genderIdentity"


def ward(**members: Any) -> dict[str, Any]:
    """A SearchParameter of Patients, by an extension."""
    return {
        "resourceType": "SearchParameter",
        "url": "urn:guide:ward",
        "name": "Ward",
        "status": "draft",
        "description": "x",
        "code": "ward",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.extension('urn:ward').value.as(string)",
        **members,
    }


def package(path: Path, name: str, *parameters: dict[str, Any], version: str = "1.0.0") -> str:
    """A package with these SearchParameters, as a file."""
    manifest = {"name": name, "version": version, "fhirVersions": ["4.0.1"]}
    files = {f"package/{place}.json": one for place, one in enumerate(parameters)}
    file = path / f"{name}-{version}.tgz"
    file.write_bytes(packed({"package/package.json": manifest, **files}))
    return str(file)


@pytest.fixture
def here(settings: SettingsFactory) -> Settings:
    """Settings of this test's database."""
    return settings()


@pytest.fixture
async def build(databases: Databases) -> AsyncIterator[None]:
    """A server process that does the building."""
    task = asyncio.create_task(building.keep(databases.store))
    yield
    task.cancel()
    await asyncio.wait([task])


async def settled(databases: Databases) -> list[Made]:
    """The parameters, when all are built and nothing has to go."""
    async with asyncio.timeout(WITHIN_S), databases.store.acquire() as conn:
        while await conn.fetchval(building.SQL["due"]):
            await asyncio.sleep(0.05)
        return (await load(conn))[1]


async def store(databases: Databases, site: int, resource: dict[str, Any]) -> str:
    """The id of a resource, stored."""
    context = Context(site, "x", "", "r", "fhir+json", clock.now(), registries=Registries())
    async with databases.store.acquire() as conn, conn.transaction():
        (written,) = await write(conn, Keys(), [intent(resource, clock.new_id(), new=True)], context)
    return written.id


async def found(databases: Databases, site: int, query: str) -> list[str]:
    """Ids of the Patients that a search finds now."""
    async with databases.store.acquire() as conn:
        registry = await Registries().current(conn, site)
        sql, arguments = matches(site, parse("Patient", query, registry=registry), 10)
        return [row["id"] for row in await conn.fetch(sql, *arguments)]


async def test_a_packages_parameter_is_served_at_every_site(
    here: Settings, databases: Databases, tmp_path: Path, build: None
) -> None:
    async with databases.store.acquire() as conn:
        await resources.add_site(conn, "north", "", "", "UTC", "[]")
        sites = [site.number for site in await resources.sites(conn)]
    patient = {"resourceType": "Patient", "extension": [{"url": "urn:ward", "valueString": "Est"}]}
    before = [await store(databases, site, patient) for site in sites]
    await command.install(here, [package(tmp_path, "guide", ward())], allow_missing=False)
    (made,) = await settled(databases)
    assert (made.state, made.source, made.site) == ("active", "guide@1.0.0", 0)
    after = [await store(databases, site, patient) for site in sites]
    for place, site in enumerate(sites):
        assert sorted(await found(databases, site, "ward=est")) == sorted([before[place], after[place]])


async def test_a_package_that_comes_again_keeps_what_it_says_already(
    here: Settings, databases: Databases, tmp_path: Path, build: None
) -> None:
    floor = ward(code="floor", url="urn:guide:floor", expression="Patient.extension('urn:floor').value.as(string)")
    await command.install(here, [package(tmp_path, "guide", ward(), floor)], allow_missing=False)
    before = {one.code: one.pk for one in await settled(databases)}
    changed = {**floor, "expression": "Patient.extension('urn:level').value.as(string)"}
    await command.install(here, [package(tmp_path, "guide", ward(), changed)], allow_missing=False)
    after = {one.code: one.pk for one in await settled(databases)}
    assert after["ward"] == before["ward"]
    assert after["floor"] != before["floor"]
    await command.install(here, [package(tmp_path, "guide", changed)], allow_missing=False)
    assert [one.code for one in await settled(databases)] == ["floor"]


async def test_a_code_that_two_packages_have_goes_to_the_second_when_the_first_is_removed(
    here: Settings, databases: Databases, tmp_path: Path, build: None, capsys: pytest.CaptureFixture[str]
) -> None:
    await command.install(here, [package(tmp_path, "first", ward())], allow_missing=False)
    await settled(databases)
    other = ward(url="urn:other:ward", expression="Patient.extension('urn:other').value.as(string)")
    await command.install(here, [package(tmp_path, "second", other)], allow_missing=False)
    assert "search parameter ward: failed, Patient has a search parameter ward already" in capsys.readouterr().out
    assert [one.state for one in await settled(databases)] == ["active", "failed"]
    await command.remove(here, "first", force=False)
    (made,) = await settled(databases)
    assert (made.source, made.state, made.url) == ("second@1.0.0", "active", "urn:other:ward")
    await command.remove(here, "second", force=False)
    assert await settled(databases) == []
    async with databases.store.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM fhir.parameter_path") == 0


async def test_what_cannot_be_served_does_not_stop_an_installation(
    here: Settings, databases: Databases, tmp_path: Path, build: None, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"resourceType": "SearchParameter", "url": "urn:guide:broken", "code": "broken", "type": "token"}
    joined = ward(url="urn:guide:joined", code="joined", type="composite")
    await command.install(here, [package(tmp_path, "guide", broken, joined, ward())], allow_missing=False)
    told = capsys.readouterr().out
    assert "search parameter broken: failed" in told
    assert "search parameter joined: failed, Write the parts of the composite" in told
    assert {one.code: one.state for one in await settled(databases)} == {
        "broken": "failed",
        "joined": "failed",
        "ward": "active",
    }


async def test_the_packages_of_hl7_are_served(here: Settings, databases: Databases, build: None) -> None:
    inner = {"url": "value", "valueCodeableConcept": {"coding": [{"system": "urn:genders", "code": "x"}]}}
    own = await store(databases, 1, {"resourceType": "Patient", "extension": [{"url": GENDER, "extension": [inner]}]})
    files = [str(package_file(name)) for name in (MCODE, EXTENSIONS)]
    await command.install(here, files, allow_missing=True)
    made = await settled(databases)
    failed = {one.code: one.reason for one in made if one.state == "failed"}
    assert failed.keys() <= {"age", "mothersMaidenName"}
    assert "FHIR R4 has" in failed["mothersMaidenName"]  # R4's reads another extension
    active = {one.code for one in made if one.state == "active"}
    assert {"genderIdentity", "birthOrderBoolean", "workflow-barrierCode", "researchStudy"} <= active
    assert "code" not in active  # mCODE's is R4's own
    assert await found(databases, 1, "genderIdentity=urn:genders|x") == [own]
