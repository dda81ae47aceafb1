"""The embedded PostgreSQL: one owner, nothing lost, nobody else's files touched."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from ecluse.core.db import cluster as cluster_room
from ecluse.core.db import embedded as embedded_room
from ecluse.core.db import programs as programs_room
from ecluse.core.db.account import Account, EmbeddedError, account
from ecluse.core.db.cluster import Cluster
from ecluse.core.db.embedded import Embedded, attach, running
from ecluse.core.db.pool import open_pool, translated
from ecluse.core.db.postmaster import pid_file
from ecluse.core.db.programs import programs
from ecluse.core.errors import Unavailable
from tests.services.kafka import ROOT
from tests.services.users import run_as

DEADLINE_S = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet; its parents are closed to others."""
    return tmp_path / "data"


def postmaster_of(data: Path) -> psutil.Process:
    """The running postmaster of a data folder."""
    found = pid_file(data / "postgres" / "cluster")
    assert found is not None
    return psutil.Process(found.pid)


def ended(process: psutil.Process) -> bool:
    """Whether a process has ended, reaped or not."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def until(holds: Callable[[], bool]) -> None:
    """Returns when it holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def replaced(data: Path, pid: int) -> None:
    """Returns when the server has another postmaster."""
    await until(lambda: (found := pid_file(data / "postgres" / "cluster")) is not None and found.pid != pid)


async def value(url: str, statement: str) -> object:
    """What one statement returns, on a connection of its own."""
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


@asynccontextmanager
async def watched(embedded: Embedded) -> AsyncIterator[None]:
    """Watches until the end of the block, then stops."""
    watch = asyncio.create_task(embedded.watch())
    try:
        yield
    finally:
        watch.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await watch
        finally:
            await embedded.stop()


@contextmanager
def owner(data: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that owns the server, and the server's address."""
    command = [sys.executable, "-m", "tests.services.owner", str(data), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def state(data: Path) -> str:
    """What the control file says about the last shutdown."""
    words = Cluster(data).command("pg_controldata", data / "postgres" / "cluster")
    words[-1] = str(data / "postgres" / "cluster")
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("Database cluster state"))


async def test_what_must_hold_is_in_force(data: Path) -> None:
    wanted = {
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "jit": "off",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "max_connections": "100",
        "timezone": "UTC",
    }
    async with running(data) as url:
        conn = await asyncpg.connect(url)
        assert {name: await conn.fetchval(f"SHOW {name}") for name in wanted} == wanted
        assert await conn.fetchval("SELECT datcollate FROM pg_database WHERE datname = 'ecluse'") == "C"
        rules = await conn.fetch("SELECT type, auth_method FROM pg_hba_file_rules")
        assert rules == [("local", "peer")]
        await conn.close()


async def test_psql_takes_the_same_address(data: Path) -> None:
    async with running(data) as url:
        psql = Cluster(data).command("psql", data)[0]
        done = await asyncio.create_subprocess_exec(psql, url, "-Atc", "SELECT 1 + 1", stdout=subprocess.PIPE)
        assert (await done.communicate())[0] == b"2\n"


async def test_the_server_is_not_roots_and_parents_stay_as_they_are(data: Path) -> None:
    parents = list(data.parents)
    before = [(part.stat().st_mode, part.stat().st_uid, part.stat().st_gid) for part in parents]
    async with running(data) as url:
        process = postmaster_of(data)
        assert process.uids().effective != 0
        assert process.uids().effective == (data / "postgres" / "cluster").stat().st_uid
        socket = Path(str(await value(url, "SHOW unix_socket_directories")))
        assert socket.stat().st_mode & 0o777 == 0o700
        assert (data / "postgres").stat().st_mode & 0o777 == 0o700
    assert [(part.stat().st_mode, part.stat().st_uid, part.stat().st_gid) for part in parents] == before


def unprivileged() -> Account:
    """Somebody who is not root."""
    return account(Path("/nonexistent"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an unprivileged user owns and reaches, with a short name."""
    user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="e-", dir="/tmp"))
    os.chown(folder, user.uid, user.gid)
    yield folder
    shutil.rmtree(folder)


def test_an_ordinary_user_runs_it_below_the_data_folder(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = unprivileged()
    folder = programs(user)
    monkeypatch.setattr(cluster_room, "programs", lambda account: folder)

    async def work() -> None:
        async with running(open_folder / "data") as url:
            assert f"{open_folder}/data/postgres/socket" in url.replace("%2F", "/")
            assert await value(url, "SHOW data_directory") == f"{open_folder}/data/postgres/cluster"

    run_as(user, work)


def test_root_takes_over_what_an_ordinary_user_made_and_gives_it_back(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = unprivileged()
    folder = programs(user)
    monkeypatch.setattr(cluster_room, "programs", lambda account: folder)

    async def work() -> None:
        async with running(open_folder / "data") as url:
            assert await value(url, "SELECT 1") == 1

    run_as(user, work)
    asyncio.run(work())
    run_as(user, work)


@pytest.mark.parametrize("closed", ["data", "postgres"])
def test_another_users_folder_is_refused_in_a_sentence(open_folder: Path, closed: str) -> None:
    folder = open_folder / "data" / "postgres" if closed == "postgres" else open_folder / "data"
    folder.mkdir(parents=True, mode=0o700)
    if os.geteuid():
        folder.chmod(0)

    async def work() -> None:
        with pytest.raises(EmbeddedError, match="another user"):
            await Embedded(open_folder / "data").start()

    run_as(unprivileged(), work)


async def test_a_long_data_path_gets_a_short_socket_that_stays_the_same(tmp_path: Path) -> None:
    data = tmp_path / ("long-" * 20) / ("name-" * 20) / "data"
    async with running(data) as url:
        socket = str(await value(url, "SHOW unix_socket_directories"))
        assert len(f"{socket}/.s.PGSQL.5432") <= 107
    async with running(data) as again:
        assert again == url


def test_an_ordinary_users_long_data_path_gets_a_short_socket(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = unprivileged()
    folder = programs(user)
    monkeypatch.setattr(cluster_room, "programs", lambda account: folder)

    async def work() -> None:
        async with running(open_folder / ("long-" * 20) / "data") as url:
            socket = Path(str(await value(url, "SHOW unix_socket_directories")))
            assert len(f"{socket}/.s.PGSQL.5432") <= 107
            assert (socket.stat().st_mode & 0o777, socket.stat().st_uid) == (0o700, user.uid)

    run_as(user, work)


async def test_a_socket_folder_that_somebody_else_prepared_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / ("long-" * 20) / "data"
    async with running(data) as url:
        first = Path(str(await value(url, "SHOW unix_socket_directories")))
    assert not first.exists()
    first.mkdir(mode=0o755)
    try:
        async with running(data) as url:
            second = Path(str(await value(url, "SHOW unix_socket_directories")))
            assert second != first
            assert second.stat().st_mode & 0o777 == 0o700
        assert first.stat().st_mode & 0o777 == 0o755
        assert not second.exists()
    finally:
        first.rmdir()


def test_programs_that_the_account_cannot_reach_are_copied_where_it_can(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = unprivileged()
    package = tmp_path / "closed" / programs_room.PACKAGE
    shutil.copytree(programs(user), package / "pginstall18")
    shutil.copytree(programs(user).parents[1] / f"{package.name}.libs", package.with_name(f"{package.name}.libs"))
    (package / "__init__.py").touch()
    package.parent.chmod(0o700)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(programs_room, "COPIES", open_folder / "copies")
    found = programs(user)
    if user.is_other:
        assert found.is_relative_to(open_folder / "copies")
        assert programs(user) == found

        async def work() -> None:
            async with running(tmp_path / "data") as url:
                assert await value(url, "SELECT 1") == 1

        asyncio.run(work())
    else:
        assert found == package / "pginstall18"


async def test_several_starters_share_one_server_and_the_next_takes_over(data: Path) -> None:
    starters = [Embedded(data) for _ in range(3)]
    urls = await asyncio.gather(*(starter.start() for starter in starters))
    assert len(set(urls)) == 1
    [first] = [starter for starter in starters if starter.owns]
    second, third = (starter for starter in starters if not starter.owns)
    await value(urls[0], "CREATE TABLE kept AS SELECT 7 AS x")
    async with watched(second):
        await third.stop()
        assert await value(urls[0], "SELECT x FROM kept") == 7
        await first.stop()
        await until(lambda: second.owns)
        assert await attach(data) == urls[0]
        assert await value(urls[0], "SELECT x FROM kept") == 7


async def test_two_processes_that_start_at_once_share_one_server(data: Path) -> None:
    def start() -> tuple[subprocess.Popen[str], str]:
        return stack.enter_context(owner(data))

    with ExitStack() as stack:
        urls = [url for _, url in await asyncio.gather(*(asyncio.to_thread(start) for _ in range(2)))]
        assert urls[0] == urls[1] != ""
        assert await value(urls[0], "SELECT 1") == 1


async def test_attaching_where_nothing_runs_says_what_to_start(data: Path) -> None:
    with pytest.raises(Unavailable, match="ecluse up"):
        await attach(data)
    assert not data.exists()
    async with running(data):
        pass
    with pytest.raises(Unavailable, match="ecluse up"):
        await attach(data)


async def _write(url: str, stop: asyncio.Event, acknowledged: list[int]) -> None:
    """Commits rows one by one, through every failure; notes those that were acknowledged."""
    number = 0
    while not stop.is_set():
        with suppress(Unavailable), translated():
            conn = await asyncpg.connect(url)
            while not stop.is_set():
                number += 1
                await conn.execute("INSERT INTO kept VALUES ($1)", number)
                acknowledged.append(number)
            await conn.close()
        await asyncio.sleep(0.01)


async def test_a_killed_postmaster_comes_back_and_nothing_acknowledged_is_lost(data: Path) -> None:
    embedded = Embedded(data)
    url = await embedded.start()
    async with watched(embedded):
        await value(url, "CREATE TABLE kept (x int)")
        stop = asyncio.Event()
        acknowledged: list[int] = []
        writing = asyncio.create_task(_write(url, stop, acknowledged))
        for number in range(3):
            pid = postmaster_of(data).pid
            await until(lambda enough=30 * number: len(acknowledged) > enough)
            os.kill(pid, signal.SIGKILL)
            await replaced(data, pid)
            assert await attach(data) == url
        await until(lambda: len(acknowledged) > 100)
        stop.set()
        await writing
        conn = await asyncpg.connect(url)
        stored = {row["x"] for row in await conn.fetch("SELECT x FROM kept")}
        await conn.close()
    assert stored >= set(acknowledged)


@pytest.mark.parametrize(
    "error", [asyncpg.InternalClientError("cannot switch to state 11"), asyncpg.InterfaceError("connection is closed")]
)
async def test_a_postmaster_that_dies_while_it_is_started_again_is_started_once_more(
    data: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = Embedded(data)
    url = await embedded.start()
    make = embedded_room._make_database
    failing = [error]

    async def made(cluster: Cluster) -> None:
        if failing:
            os.kill(postmaster_of(data).pid, signal.SIGKILL)
            raise failing.pop()
        await make(cluster)

    monkeypatch.setattr(embedded_room, "_make_database", made)
    monkeypatch.setattr(embedded_room, "REPAIR_S", 0.1)
    async with watched(embedded):
        pid = postmaster_of(data).pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not failing)
        await replaced(data, pid)
        assert await attach(data) == url


async def test_a_killed_postmaster_leaves_backends_that_do_not_stand_in_the_way(data: Path) -> None:
    embedded = Embedded(data)
    url = await embedded.start()
    async with watched(embedded):
        busy = await asyncpg.connect(url)
        work = asyncio.create_task(busy.fetchval("SELECT count(*) FROM generate_series(1, 2000000000)"))
        await until(lambda: len(postmaster_of(data).children()) > 5)
        pid = postmaster_of(data).pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unavailable), translated():
            await work
        await replaced(data, pid)
        assert await attach(data) == url


async def test_a_pool_survives_a_restart_and_says_unavailable_meanwhile(data: Path) -> None:
    embedded = Embedded(data)
    url = await embedded.start()
    pool = await open_pool(url, size=4, statement_timeout_ms=10_000)
    await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.1)") for _ in range(4)))
    os.kill(postmaster_of(data).pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    with pytest.raises(Unavailable):
        while time.monotonic() < deadline:
            await _ask(pool)
    async with watched(embedded):
        answers = 0
        while answers < 20 and time.monotonic() < deadline:
            with suppress(Unavailable):
                await _ask(pool)
                answers += 1
            await asyncio.sleep(0.01)
        assert answers == 20
        await pool.close()


async def _ask(pool: asyncpg.Pool) -> None:
    with translated():
        async with pool.acquire() as conn:
            assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_the_server_ends_clean_with_its_owner_however_that_ends(data: Path, how: signal.Signals) -> None:
    with owner(data) as (process, url):
        await value(url, "CREATE TABLE kept AS SELECT 7 AS x")
        postmaster = postmaster_of(data)
        process.send_signal(how)
        process.wait()
        await until(lambda: ended(postmaster))
    assert state(data) == "shut down"
    async with running(data) as again:
        assert await value(again, "SELECT x FROM kept") == 7


async def test_the_next_starter_may_come_at_once_after_a_killed_owner(data: Path) -> None:
    with owner(data) as (process, url):
        await value(url, "CREATE TABLE kept AS SELECT 7 AS x")
        process.kill()
        process.wait()
        async with running(data) as again:
            assert await value(again, "SELECT x FROM kept") == 7


async def test_a_server_that_outlived_its_owner_gets_a_new_one(data: Path) -> None:
    with owner(data, "orphaning") as (process, url):
        await value(url, "CREATE TABLE kept AS SELECT 7 AS x")
        orphan = postmaster_of(data)
        process.kill()
        process.wait()
        assert orphan.is_running()
        async with running(data) as again:
            assert await value(again, "SELECT x FROM kept") == 7
            assert postmaster_of(data).pid != orphan.pid
            assert ended(orphan)


@pytest.mark.parametrize("stranger", ["of the same user", "a postgres of another folder"])
async def test_a_pid_file_whose_number_was_given_away_is_not_trusted(
    data: Path, stranger: str, postgres_url: str
) -> None:
    async with running(data) as url:
        await value(url, "CREATE TABLE kept AS SELECT 7 AS x")
        text = (data / "postgres" / "cluster" / "postmaster.pid").read_text()
    user = Cluster(data).account
    sleeper = subprocess.Popen(["/bin/sleep", "600"], user=user.uid if user.is_other else None)
    backend = await asyncpg.connect(postgres_url)
    pid = sleeper.pid if stranger == "of the same user" else await backend.fetchval("SELECT pg_backend_pid()")
    pid_path = data / "postgres" / "cluster" / "postmaster.pid"
    pid_path.write_text("\n".join([str(pid), *text.splitlines()[1:]]) + "\n")
    os.chown(pid_path, user.uid, user.gid)
    async with running(data) as url:
        assert await value(url, "SELECT x FROM kept") == 7
    assert sleeper.poll() is None
    assert await backend.fetchval("SELECT 1") == 1
    await backend.close()
    sleeper.kill()
    sleeper.wait()


async def test_what_a_killed_first_start_left_does_not_stand_in_the_way(data: Path) -> None:
    half = data / "postgres" / "cluster.new" / "base"
    half.mkdir(parents=True)
    async with running(data) as url:
        assert await value(url, "SELECT 1") == 1
    assert not half.parent.exists()


async def test_a_cluster_of_another_release_is_refused_in_a_sentence(data: Path) -> None:
    async with running(data):
        pass
    (data / "postgres" / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="of PostgreSQL 17, this release runs 18"):
        await Embedded(data).start()


async def test_a_server_that_cannot_start_gives_its_reason(data: Path) -> None:
    with pytest.raises(EmbeddedError, match="invalid value for parameter"):
        await Embedded(data, {"max_connections": "none"}).start()
    async with running(data) as url:
        assert await value(url, "SELECT 1") == 1


async def test_the_log_holds_no_content(data: Path) -> None:
    async with running(data) as url:
        conn = await asyncpg.connect(url)
        await conn.execute("CREATE TABLE kept (x text PRIMARY KEY, y int)")
        await conn.execute("INSERT INTO kept VALUES ($1, 1)", "Canari-Dupont")
        for statement in (
            "INSERT INTO kept VALUES ('Canari-Dupont', 2)",
            "INSERT INTO kept VALUES ('Canari-Dupont', 'Canari-Dupont')",
            "SELECT 'Canari-Dupont' FROM nowhere",
            "SELECT pg_sleep(1) /* Canari-Dupont */",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await conn.execute("SET statement_timeout = 100")
                await conn.execute(statement)
        await conn.close()
    assert "Canari" not in (data / "postgres" / "server.log").read_text()
