"""What the tests fetch from npm and Maven, kept in `.cache/fhir`.

Enters: the name of a package or an artifact. Leaves: its archive, or whatever is made of it, once.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache" / "fhir"


def once(path: Path, make: Callable[[], object]) -> Path:
    """The file or folder, made when it is missing.

    Raises: RuntimeError, with what to do, when it cannot be made"""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes start at once
        if not path.exists():
            make()
    return path


def npm_package(package: str, what: str) -> Path:
    """The `.tgz` of a package, `name@version`. what: it is, for who lacks npm

    Raises: RuntimeError, with what to do, when it cannot be fetched"""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"install Node.js: npm fetches {what} ({package}) for these tests")
    done = _run([npm, "pack", package, "--silent", "--pack-destination", str(CACHE)], timeout_s=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(done.args)} failed: {done.stderr}")
    return CACHE / f"{package.replace('@', '-')}.tgz"


def maven_jar(artifact: str, what: str) -> Path:
    """The jar of an artifact, `group:name:version`. what: it is, for who lacks Maven

    Raises: RuntimeError, with what to do, when it cannot be fetched"""
    maven = shutil.which("mvn")
    if maven is None:
        raise RuntimeError(f"install Maven: it fetches {what} ({artifact}) for these tests")
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={CACHE}"]
    done = _run(command, timeout_s=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}")
    _, name, version = artifact.split(":")
    return CACHE / f"{name}-{version}.jar"


def _run(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=CACHE, check=False, timeout=timeout_s)
