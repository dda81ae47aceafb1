"""The repository: what is locked, and which commands there are."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    """Names of requirements as a lock file writes them."""
    return {re.split(r"[^A-Za-z0-9._-]", each)[0].lower().replace("_", "-") for each in requirements}


def locked(file: str) -> set[str]:
    """Names of the packages of a lock file."""
    return names(re.findall(r"^[^\s#-].*", (ROOT / file).read_text(), re.MULTILINE))


def test_the_lock_files_cover_what_the_project_names() -> None:
    assert names(PROJECT["project"]["dependencies"]) | names(PROJECT["build-system"]["requires"]) <= locked(
        "requirements.lock"
    )
    assert names(PROJECT["project"]["optional-dependencies"]["dev"]) <= locked("requirements-dev.lock")
    otel = names(PROJECT["project"]["optional-dependencies"]["otel"])
    assert locked("requirements.lock") | otel <= locked("requirements-otel.lock")
    assert otel <= locked("requirements-dev.lock")


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-otel.lock", "requirements-dev.lock"])
def test_a_lock_file_has_hashes_and_names_no_address(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "://" not in text
    for package in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in package and "--hash=sha256:" in package, package


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-otel.lock"])
def test_versions_are_the_same_in_the_lock_files(file: str) -> None:
    runtime, development = (
        dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / each).read_text(), re.MULTILINE))
        for each in (file, "requirements-dev.lock")
    )
    assert {name: version for name, version in runtime.items() if development.get(name, version) != version} == {}


def test_the_commands_of_the_readme_are_in_the_makefile() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^    make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= made
    assert {"demo", "test", "check", "bench", "up", "lock"} <= made


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
