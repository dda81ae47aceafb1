"""`ecluse up` for clients, and the programs of other languages."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.postgres import Postgres
from tests.services.server import Served, serving

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
CACHE = HERE.parent.parent / ".cache" / "clients"
Program = Callable[..., None]


@pytest.fixture(scope="session")
def served(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Everything that `ecluse up` runs."""
    data = tmp_path_factory.mktemp("data")
    with postgres.database("template0") as url, serving(data, "up", ECLUSE_DATABASE_URL=url) as served:
        yield served


@pytest.fixture(scope="session")
def base(served: Served) -> str:
    """The FHIR base of the default site."""
    return f"{served.url}/fhir"


@pytest.fixture(scope="session")
def node() -> Program:
    """Runs one of the programs of the folder `node`, its packages installed as the lock file says."""
    folder = CACHE / "node"
    with _held("node"):
        lock = (HERE / "node" / "package-lock.json").read_bytes()
        if not (folder / "installed").exists() or (folder / "installed").read_bytes() != lock:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(HERE / "node", folder)
            _run([_program("npm"), "ci", "--silent"], folder)
            (folder / "installed").write_bytes(lock)

    def run(name: str, *words: str) -> None:
        shutil.copy(HERE / "node" / name, folder / name)
        assert _run([_program("node"), name, *words], folder).strip() == "held"

    return run


@pytest.fixture(scope="session")
def java() -> Program:
    """Runs one of the programs of the folder `java` with HAPI's client."""
    jars = CACHE / "hapi"
    with _held("hapi"):
        if not jars.exists():
            new = CACHE / "hapi.new"
            shutil.rmtree(new, ignore_errors=True)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={new}", "-DincludeScope=runtime"]
            _run([_program("mvn"), "-q", "-B", "-f", str(HERE / "java" / "pom.xml"), *goal], HERE)
            new.rename(jars)

    def run(name: str, *words: str) -> None:
        options = ["-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
        assert _run([_program("java"), *options, name, *words], HERE / "java").strip() == "held"

    return run


@pytest.fixture(scope="session")
def example() -> dict[str, list[str]]:
    """The commands of the examples in other languages, installed as their README says, by language."""
    node_folder, jars = CACHE / "example-node", CACHE / "example-java"
    with _held("examples"):
        lock = (EXAMPLES / "node" / "package-lock.json").read_bytes()
        if not (node_folder / "installed").exists() or (node_folder / "installed").read_bytes() != lock:
            shutil.rmtree(node_folder, ignore_errors=True)
            shutil.copytree(EXAMPLES / "node", node_folder)
            _run([_program("npm"), "ci", "--silent"], node_folder)
            (node_folder / "installed").write_bytes(lock)
        if not jars.exists():
            new = CACHE / "example-java.new"
            shutil.rmtree(new, ignore_errors=True)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={new}", "-DincludeScope=runtime"]
            _run([_program("mvn"), "-q", "-B", "-f", str(EXAMPLES / "java" / "pom.xml"), *goal], HERE)
            new.rename(jars)
    shutil.copy(EXAMPLES / "node" / "consumer.mjs", node_folder)
    return {
        "node": [_program("node"), str(node_folder / "consumer.mjs")],
        "java": [
            _program("java"),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{jars}/*",
            str(EXAMPLES / "java" / "Consumer.java"),
        ],
    }


def _held(name: str) -> _Lock:
    CACHE.mkdir(parents=True, exist_ok=True)
    return _Lock(CACHE / f"{name}.lock")


class _Lock:
    """Several test processes start at once; one of them installs."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing; tools/prerequisites.sh installs it"
    return found


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, f"{' '.join(command[:3])}…\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout
