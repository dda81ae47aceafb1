"""What the acceptance tests start with: a hub project whose recipient we are, bundles of virtual patients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """name: trial
title: A trial
types: [Patient, Encounter, Condition, Observation]
recipient: ../recipient.pub.jwk
start: 2000-01-01
"""
PATIENTS, SEED = "8", "11"


def _ecluse(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "ecluse", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project `trial`; the recipient's private key lies beside it."""
    folder = tmp_path_factory.mktemp("hub") / "projects"
    folder.mkdir()
    _ecluse("hub", "keygen", "--out", str(folder.parent / "recipient.jwk"))
    (folder / "trial.yaml").write_text(PROJECT)
    return folder


@pytest.fixture(scope="session")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of virtual patients."""
    folder = tmp_path_factory.mktemp("patients")
    _ecluse("synth", "--patients", PATIENTS, "--seed", SEED, "--out", str(folder))
    return folder
