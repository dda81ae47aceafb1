"""The client as a package of its own: what it needs, and nothing of the server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_it_is_built_without_the_server(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ecluse_client", tmp_path / "source")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "source")], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    assert {file.split("/")[0] for file in files if ".dist-info" not in file} == {"ecluse_client"}
    own = {path.name for path in (ROOT / "ecluse_client").glob("*.py")} | {"py.typed"}
    assert {file.split("/")[1] for file in files if file.startswith("ecluse_client/")} == own


def test_it_declares_what_it_imports() -> None:
    declared = tomllib.loads((ROOT / "ecluse_client" / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split("[>=]", one)[0].replace("-", "_") for one in declared}
    sources = "\n".join(path.read_text() for path in (ROOT / "ecluse_client").glob("*.py"))
    imported = set(re.findall(r"^(?:from|import) (\w+)", sources, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) - {"ecluse_client"} == names


def test_examples_are_short() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        assert len(path.read_text().splitlines()) < 30
