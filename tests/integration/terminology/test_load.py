"""`ecluse terminology load`: files in their publishers' layouts, of our own making, into a real database."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import asyncpg
import pytest

from ecluse.cli.ig import guides
from ecluse.cli.terminology import load, show
from ecluse.cli.terminology.recognise import Wish
from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.settings import Settings
from fhir_server.terminology import concepts
from fhir_server.terminology.concepts import Found
from fhir_server.terminology.expanding import Asked, expansion
from fhir_server.terminology.planning import Planner
from tests.conftest import SettingsFactory

CIM10 = "https://smt.esante.gouv.fr/terminologie-cim-10"
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"
KIT = (
    "Q77   |3|NNN|3|MALADIE DES CARPES|Maladie des carpes\r\n"
    "Q770  |0|ONO|0|CARPES, ÉTANG|Maladie des carpes, en étang\r\n"
    'Q7700 |0|ONO|0|CARPES, ÉTANG, ÉTÉ|Maladie des carpes, en étang, l\'"été"\r\n'
)
Load = Callable[..., Any]


@pytest.fixture
def given(settings: SettingsFactory) -> Settings:
    """Settings of the test's database."""
    return settings()


@pytest.fixture
async def conn(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database."""
    conn = await asyncpg.connect(database)
    yield conn
    await conn.close()


async def _found(conn: Any, url: str, code: str, version: str = "") -> Found | None:
    system = await Planner(conn, 1).system(url, version)
    assert system is not None
    return await concepts.lookup(conn, system, code)


async def _codes(conn: Any, url: str, **asked: Any) -> list[str]:
    whole = {"resourceType": "ValueSet", "compose": {"include": [{"system": url}]}}
    composed = await Planner(conn, 1).composed(whole)
    return [one["code"] for one in (await expansion(conn, composed, Asked(**asked), [])).get("contains", [])]


async def test_the_atihs_file_is_loaded_in_its_encoding_and_replaced_by_version(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kit = tmp_path / "LIBCIM10MULTI.TXT"
    kit.write_bytes(KIT.encode("cp1252"))
    await load.run(given, [str(kit)], Wish(version="2025"))
    assert f"{CIM10}|2025: 3 concepts" in capsys.readouterr().out
    assert await _codes(conn, CIM10) == ["Q77", "Q77.0", "Q77.00"]
    assert await _codes(conn, "urn:oid:2.16.840.1.113883.6.3", filter="etang ete") == ["Q77.00"]
    found = await _found(conn, CIM10, "q77.00")
    assert found is not None and found.display == 'Maladie des carpes, en étang, l\'"été"'
    await load.run(given, [str(kit)], Wish(version="2025"))
    assert "loaded already" in capsys.readouterr().out
    kit.write_bytes(KIT.splitlines(keepends=True)[0].encode("cp1252"))
    await load.run(given, [str(kit)], Wish(version="2025"))
    assert await _codes(conn, CIM10) == ["Q77"]


async def test_a_wrong_line_leaves_what_was_there(given: Settings, conn: asyncpg.Connection, tmp_path: Path) -> None:
    kit = tmp_path / "LIBCIM10MULTI.TXT"
    kit.write_text(KIT)
    await load.run(given, [str(kit)], Wish())
    kit.write_text(KIT + "Q771|0|ONO|0|COURT\r\n")
    with pytest.raises(BadRequest, match=r"LIBCIM10MULTI.TXT, line 4: a line has 6 fields parted by \|, this one 5"):
        await load.run(given, [str(kit)], Wish())
    assert len(await _codes(conn, CIM10)) == 3


CCAM_ROWS = [
    ["Code", "Texte", "Activité", "Phase"],
    ["1", "SYSTÈME INVENTÉ", "", ""],
    ["1.1", "ACTES DIAGNOSTIQUES", "", ""],
    ["ZZZZ001", "Examen d'une carpe", "1", "0"],
    ["", "À l'exclusion de : tanche", "", ""],
]


async def test_the_ccam_is_loaded_from_csv_and_from_a_spreadsheet(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    table = tmp_path / "CCAM_V77.csv"
    table.write_text("\n".join(";".join(row) for row in CCAM_ROWS), encoding="utf-8-sig")
    await load.run(given, [str(table)], Wish(version="77"))
    from_text = await _codes(conn, CCAM)
    assert from_text == ["01", "01.01", "ZZZZ001"]
    sheet = tmp_path / "CCAM_V78.xlsx"
    sheet.write_bytes(_xlsx(CCAM_ROWS))
    await load.run(given, [str(sheet)], Wish(version="78"))
    assert await _codes(conn, CCAM) == from_text
    found = await _found(conn, CCAM, "ZZZZ001", "78")
    assert found is not None and found.definition == "À l'exclusion de : tanche"


LOINC = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","STATUS","LONG_COMMON_NAME","VersionLastChanged"\n'
    '"1-8","Scales","NCnc","Pt","Carp","Qn","ACTIVE","Scales, ""all"", of carp","2.70"\n'
)
VARIANT = '"LOINC_NUM","COMPONENT","LinguisticVariantDisplayName"\n"1-8","Écailles","Écailles de carpe"\n'
TREE = "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n,1,,LP1-0,Fish\nLP1-0,1,LP1-0,1-8,Scales of carp\n"


async def test_the_zip_of_loinc_gives_terms_tree_and_french_displays(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    release = tmp_path / "Loinc_2.81.zip"
    with zipfile.ZipFile(release, "w") as archive:
        archive.writestr("Loinc_2.81/LoincTable/Loinc.csv", LOINC)
        archive.writestr("Loinc_2.81/AccessoryFiles/LinguisticVariants/frFR18LinguisticVariant.csv", VARIANT)
        archive.writestr("Loinc_2.81/AccessoryFiles/LinguisticVariants/esES12LinguisticVariant.csv", VARIANT)
        path = "Loinc_2.81/AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv"
        archive.writestr(path, TREE)
    await load.run(given, [str(release)], Wish())
    found = await _found(conn, "http://loinc.org", "1-8", "2.81")
    assert found is not None
    assert found.display == 'Scales, "all", of carp'
    assert found.designations == [{"language": "fr-FR", "value": "Écailles de carpe"}]
    assert await _codes(conn, "http://loinc.org", filter="ecaille") == ["1-8"]
    implied = await Planner(conn, 1).value_set("http://loinc.org/vs")
    assert len((await expansion(conn, implied, Asked(), []))["contains"]) == 2


async def test_a_translation_alone_says_what_is_missing(given: Settings, tmp_path: Path) -> None:
    alone = tmp_path / "frFR18LinguisticVariant.csv"
    alone.write_text(VARIANT)
    with pytest.raises(BadRequest, match=r"translations only; give the zip or folder that has Loinc\.csv"):
        await load.run(given, [str(alone)], Wish())


async def test_a_table_of_a_hospital_needs_its_address(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    table = tmp_path / "lits.csv"
    table.write_text("code,libelle,parent\nL,Lit,\nL1,Lit d'observation,L\nL2,Lit,Z\n")
    with pytest.raises(BadRequest, match="say with --system"):
        await load.run(given, [str(table)], Wish())
    await load.run(given, [str(table)], Wish(system="urn:lits"))
    found = await _found(conn, "urn:lits", "L1")
    assert found is not None and len(found.parents) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", "a;b;c\n1;2;3\n", "this layout is not known. Understood are LIBCIM10MULTI.TXT"),
        ("x.zip", "no zip", "is no whole zip"),
        ("x.xlsx", "no sheet", "cannot be read as a spreadsheet"),
        ("x.json", '{"resourceType":"CodeSystem"}', "x.json: .*status"),
        ("x.tgz", "no package", "not a whole FHIR package"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_fix(
    given: Settings, tmp_path: Path, name: str, content: str, words: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(BadRequest, match=words):
        await load.run(given, [str(file)], Wish())


async def test_a_package_and_single_resources_are_loaded_listed_and_dropped(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def system(url: str) -> dict[str, Any]:
        told = {"url": url, "version": "1", "status": "active", "content": "complete", "concept": [{"code": "a"}]}
        return {"resourceType": "CodeSystem", **told}

    package, single = tmp_path / "guide.tgz", tmp_path / "single.json"
    package.write_bytes(_package(system("urn:in-package")))
    entries = [{"resource": system("urn:in-bundle")}]
    single.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    await load.run(given, [str(package), str(single)], Wish())
    assert await _codes(conn, "urn:in-package") == await _codes(conn, "urn:in-bundle") == ["a"]
    capsys.readouterr()
    await show.show(given)
    listed = capsys.readouterr().out
    assert "CodeSystem urn:in-package|1 (1 concepts, example.guide#1.0.0, " in listed
    await show.drop(given, "example.guide#1.0.0")
    await show.drop(given, "urn:in-bundle|1")
    assert await Planner(conn, 1).system("urn:in-package") is None
    with pytest.raises(NotFound, match="see `ecluse terminology list`"):
        await show.drop(given, "urn:in-bundle|1")


async def test_an_installed_guide_brings_its_terminology_and_takes_it_along(
    given: Settings, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    told = {"url": "urn:of-a-guide", "status": "active", "content": "complete", "concept": [{"code": "a"}]}
    guide = tmp_path / "guide.tgz"
    guide.write_bytes(_package({"resourceType": "CodeSystem", **told}))
    await guides.install(given, [str(guide)], allow_missing=False)
    assert await _codes(conn, "urn:of-a-guide") == ["a"]
    guide.write_bytes(_package({"resourceType": "CodeSystem", **told, "url": "urn:renamed"}))
    await guides.install(given, [str(guide)], allow_missing=False)
    assert await Planner(conn, 1).system("urn:of-a-guide") is None
    assert await _codes(conn, "urn:renamed") == ["a"]
    await guides.remove(given, "example.guide", force=False)
    assert await Planner(conn, 1).system("urn:renamed") is None


def _package(*resources: dict[str, Any]) -> bytes:
    manifest = {"name": "example.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in [("package.json", manifest), *((f"{n}.json", one) for n, one in enumerate(resources))]:
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _xlsx(rows: list[list[str]]) -> bytes:
    """The least that is a spreadsheet: one sheet of texts, numbers where a text is one."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def cell(text: str) -> str:
        if text.replace(".", "", 1).isdigit():
            return f"<c><v>{text}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>'

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="CCAM" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()
