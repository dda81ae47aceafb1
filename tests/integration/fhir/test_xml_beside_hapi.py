"""Our XML is read by HAPI as HAPI reads the JSON, and the XML that HAPI writes is read by us as the same resource.

What is HAPI's own is compared without: it writes line feeds of texts as they are, so that every XML reader
takes them for spaces, and writes numbers and narratives with other signs (1E-22, <hr></hr>). What it loses is in
LOST_BY_HAPI."""

from __future__ import annotations

import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import pytest
from lxml import etree

from ecluse.core.fhir import json
from ecluse.core.fhir.xml.reading import to_json
from ecluse.core.fhir.xml.writing import to_xml
from tests.official import official_files

TOOLS = Path(__file__).parents[3] / "tools" / "hapi"
JARS = Path(__file__).parents[3] / ".cache" / "hapi" / "lib"
EVERY, LARGEST_BYTES = 10, 300_000

LOST_BY_HAPI = {"timingTiming"}
"""Its JSON reader drops a repeating primitive that has extensions alone, `"_event": [{"extension": …}]`."""


def jars() -> Path:
    """The folder of HAPI's jars, fetched with Maven when they are missing."""
    if not JARS.exists():
        JARS.parent.mkdir(parents=True, exist_ok=True)
        fetching = Path(mkdtemp(dir=JARS.parent))
        command = ["mvn", "-q", "-B", "-f", TOOLS / "pom.xml", "dependency:copy-dependencies"]
        subprocess.run([*command, f"-DoutputDirectory={fetching}", "-DincludeScope=runtime"], check=True, timeout=300)
        fetching.rename(JARS)
    return JARS


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what HAPI made of every tenth official file."""
    folder = tmp_path_factory.mktemp("hapi")
    for path in official_files()[::EVERY]:
        if path.stat().st_size <= LARGEST_BYTES:
            shutil.copy(path, folder)
            (folder / f"{path.stem}.xml").write_bytes(to_xml(path.read_bytes()))
    command = [
        "java",
        "-Xmx1g",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{jars()}/*",
        str(TOOLS / "CrossCheck.java"),
        str(folder),
    ]
    subprocess.run(command, check=True, timeout=400)
    return folder


def content(value: Any) -> Any:
    """The same value with numbers by what they are worth, texts without white space, narratives in canonical form."""
    if isinstance(value, dict):
        return {name: content(member) for name, member in value.items() if name not in LOST_BY_HAPI}
    if isinstance(value, list):
        return [content(item) for item in value]
    if isinstance(value, msgspec.Raw) or type(value) is int:
        return Decimal(bytes(value).decode()) if isinstance(value, msgspec.Raw) else Decimal(value)
    if isinstance(value, str):
        return "".join((etree.canonicalize(value) if value.startswith("<div") else value).split())
    return value


def differing(folder: Path, one: str, other: str) -> list[str]:
    """Names of the files whose two forms are not the same resource."""

    def read(path: Path) -> Any:
        data = path.read_bytes()
        return content(json.decode_exactly(to_json(data) if path.suffix == ".written" else data))

    names = sorted(path.stem for path in folder.glob("*.of-json"))
    assert len(names) > 500
    return [name for name in names if read(folder / f"{name}.{one}") != read(folder / f"{name}.{other}")]


def test_hapi_reads_our_xml_without_a_complaint(checked: Path) -> None:
    assert {path.stem: path.read_text() for path in checked.glob("*.refused")} == {}


def test_hapi_reads_our_xml_as_it_reads_the_json(checked: Path) -> None:
    assert differing(checked, "of-json", "of-xml") == []


def test_we_read_the_xml_that_hapi_writes(checked: Path) -> None:
    assert differing(checked, "of-json", "written") == []
