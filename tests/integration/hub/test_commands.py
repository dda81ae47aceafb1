"""`ecluse hub` on a database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecluse.cli.commands.hub import hub
from tests.integration.hub.given import Feeding, event, observation, patient
from tests.unit.consumers.hub.given import PRIVATE, write


@pytest.fixture
def environment(database: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a command."""
    folder = {"ECLUSE_HUB_PROJECTS": str(tmp_path / "hub"), "ECLUSE_DATA": str(tmp_path / "data")}
    return {"ECLUSE_DATABASE_URL": database, "COLUMNS": "200", **folder}


async def run(environment: dict[str, str], *words: str) -> Result:
    # A command runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, hub, words, env=environment)


async def test_what_is_exported_is_what_the_recipient_reads(
    feeding: Feeding, environment: dict[str, str], tmp_path: Path
) -> None:
    await feeding.tell(event(patient()), event(observation("o1")), event(observation("o2")))
    await feeding.tell(event("Observation/o2", 2))
    key, file = tmp_path / "recipient.jwk", tmp_path / "feed.ndjson"
    key.write_text(json.dumps(PRIVATE))
    exported = await run(environment, "export", "asthme", "--out", str(file))
    assert exported.exit_code == 0, exported.output
    assert file.read_bytes().splitlines() == await feeding.lines()
    read = await run(environment, "decrypt", "--key", str(key), "--last-state", str(file))
    assert [json.loads(line) for line in read.stdout.splitlines()] == await feeding.last_state()
    since = await run(environment, "export", "asthme", "--since", "2")
    assert [json.loads(line)["seq"] for line in since.stdout.splitlines()] == [4]
    after = await run(environment, "export", "asthme", "--since", "99")
    assert (after.exit_code, after.stdout) == (0, "")
    assert after.stderr == "The feed of asthme has no records after 99.\n"


async def test_projects_are_listed_with_what_stands_in_their_feeds(
    feeding: Feeding, environment: dict[str, str]
) -> None:
    await feeding.tell(event(patient()), event(observation("o1")))
    await feeding.tell(event("Observation/o1", 2))
    write(feeding.settings.hub_projects, name="covid", title="Not begun")
    shown = (await run(environment, "projects")).stdout
    asthme, covid = (line for line in shown.splitlines() if "2024-01-01" in line)
    assert [cell.strip() for cell in asthme.split("│")[4:8]] == ["1", "1", "2", "3"]
    assert [cell.strip() for cell in covid.split("│")[4:8]] == ["0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("export", "nothing"), "No project is called nothing in"),
        (("projects",), "No project is described in"),
    ],
)
async def test_what_is_not_there_is_told_in_one_line(
    environment: dict[str, str], words: tuple[str, ...], why: str
) -> None:
    result = await run(environment, *words)
    assert result.exit_code == 1 and why in result.stderr and result.stderr.count("\n") == 1


async def test_a_wrong_project_file_is_told_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    file = write(tmp_path / "hub", title=None)
    result = await run(environment, "projects")
    assert result.exit_code == 1 and f"{file}: title must be there" in result.stderr


async def test_an_unknown_setting_is_told(environment: dict[str, str]) -> None:
    result = await run(environment | {"ECLUSE_HUB_PROJECT": "x"}, "projects")
    assert result.exit_code == 1 and "did you mean ECLUSE_HUB_PROJECTS?" in result.stderr
