"""The files of the embedded PostgreSQL: where they lie, whose they are, and how they are made.

Enters: the data folder. Leaves: a cluster in DATA/postgres/cluster with its configuration, a folder for its socket,
and the record of that folder. Only what is made here is given an owner or a mode; the folders above stay as they are.

Run by root, the server's account often cannot reach the data folder (/root is closed). Therefore the server is
started *in* the cluster's folder and is told that its data lies in /proc/self/cwd: no folder above is opened for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from ecluse.core.db.account import Account, EmbeddedError, account
from ecluse.core.db.programs import MAJOR, programs

LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")
LONGEST_LOG_BYTES = 16 * 1024 * 1024
ROLE = DATABASE = "ecluse"
CONFIGURATION = files(__package__).joinpath("postgresql.conf").read_text("utf-8")


class Cluster:
    """The files of one embedded server."""

    def __init__(self, data: Path) -> None:
        self.data = data.expanduser().absolute()
        self.home = self.data / "postgres"
        self.folder = self.home / "cluster"
        self.log = self.home / "server.log"
        self._record = self.home / "server.json"

    @property
    def account(self) -> Account:
        """As whom the server runs."""
        return account(self.folder)

    @property
    def url(self) -> str:
        """Address of the database, for asyncpg and psql; empty while no server was ever started here."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Address of a database of this server; empty while no server was ever started here.

        Raises: EmbeddedError when the data folder is another user's
        """
        socket = self._recorded_socket()
        return f"postgresql://{ROLE}@/{database}?host={quote(str(socket), safe='')}" if socket else ""

    def _recorded_socket(self) -> Path | None:
        try:
            return Path(json.loads(self._record.read_text())["socket"])
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise _closed(self.home) from error

    def remove_socket_folder(self) -> None:
        """Leaves nothing outside DATA when the server has ended; the next start makes it again, under the same name."""
        socket = self._recorded_socket()
        if socket and socket.parent != self.home:
            with contextlib.suppress(OSError):
                socket.rmdir()

    def make_home(self) -> None:
        """Makes DATA and DATA/postgres where they are missing, closed to others.

        Raises: EmbeddedError when they are another user's
        """
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            os.listdir(self.home)
        except PermissionError as error:
            raise _closed(Path(error.filename)) from error

    def open(self, name: str) -> int:
        """Descriptor of a file of DATA/postgres, made when missing; it belongs to whom the folder belongs to."""
        descriptor = os.open(self.home / name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        owner = self.home.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    def open_log(self) -> BinaryIO:
        """The server's log, to be written at its end; the one before is kept when it has grown large."""
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG_BYTES:
            self.log.replace(self.home / "server.log.1")
        return os.fdopen(self.open(self.log.name), "ab")

    def prepare(self) -> Path:
        """The folder of the socket, after making what is missing and writing configuration and record.

        The caller holds the owner's lock.
        Raises: EmbeddedError when the cluster cannot be made or is of another release of PostgreSQL
        """
        if not self.folder.exists():
            self._initdb()
        found = (self.folder / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise EmbeddedError(
                f"{self.folder} is of PostgreSQL {found}, this release runs {MAJOR}; move it with pg_dump."
            )
        self._configure()
        socket = self._socket_folder()
        self._write(self._record, json.dumps({"socket": str(socket)}))
        return socket

    def command(self, program: str, folder: Path) -> list[str]:
        """A program of PostgreSQL and the data folder it works on, for `start_arguments` of the same folder."""
        where = "/proc/self/cwd" if self.account.is_other else str(folder)
        return [str(programs(self.account) / "bin" / program), "-D", where]

    def start_arguments(self, folder: Path) -> dict[str, Any]:
        """How a program is started: in the data folder, as the account, with nothing of our environment."""
        environment = {"LC_ALL": "C", "PATH": os.defpath}
        arguments = {"cwd": folder, "env": environment, "umask": 0o077, "stdin": subprocess.DEVNULL}
        if self.account.is_other:
            arguments |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": [self.account.gid]}
        return arguments

    def _initdb(self) -> None:
        """Makes the cluster beside its place and moves it there whole: a killed attempt leaves nothing to trip over."""
        new = self.home / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        os.chown(new, self.account.uid, self.account.gid)
        words = f"--username={ROLE} --encoding=UTF8 --locale=C --data-checksums --auth-local=peer --auth-host=reject"
        command = [*self.command("initdb", new), *words.split(), "--no-instructions"]
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, check=False, **self.start_arguments(new)
        )
        if done.returncode:
            raise EmbeddedError(f"initdb: {done.stderr.strip()}")
        new.rename(self.folder)

    def _configure(self) -> None:
        """Peer authentication: who the kernel says is root, this user or the account is the one role there is."""
        users = {"root", account(self.home).name, self.account.name}
        self._write(self.folder / "postgresql.conf", CONFIGURATION)
        self._write(self.folder / "pg_hba.conf", "local all all peer map=ecluse\n")
        self._write(self.folder / "pg_ident.conf", "".join(f'ecluse "{user}" {ROLE}\n' for user in sorted(users)))

    def _write(self, path: Path, text: str) -> None:
        """Replaces a file in one step; it belongs to whom its folder belongs to."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(text)
        new.chmod(0o600)
        owner = path.parent.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(path)

    def _socket_folder(self) -> Path:
        """A closed folder that the account reaches, its name short enough: below DATA, or in a folder of the system."""
        below = self.home / "socket"
        if not self.account.is_other and _fits(below):
            below.mkdir(mode=0o700, exist_ok=True)
            return below
        for folder in self._runtime_folders():
            if os.access(folder.parent, os.W_OK | os.X_OK) and _fits(folder):
                return _private(folder, self.account)
        raise EmbeddedError("PostgreSQL finds no folder for its socket: neither /run nor /tmp can be written.")

    def _runtime_folders(self) -> Iterator[Path]:
        """Candidates; the name is always the same, so that the address stays when the folder is lost at a reboot."""
        name = "ecluse-" + hashlib.blake2b(os.fsencode(self.data.resolve()), digest_size=6).hexdigest()
        runtime = "/run" if self.account.is_other else f"/run/user/{self.account.uid}"
        yield from (Path(base) / name for base in (runtime, tempfile.gettempdir(), "/tmp"))  # noqa: S108 - made by _private


def _closed(path: Path) -> EmbeddedError:
    return EmbeddedError(f"{path} is another user's; run as that user, or choose another folder with ECLUSE_DATA.")


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER


def _private(folder: Path, owner: Account) -> Path:
    """The folder when it is the owner's and closed, else a new one beside it: another user may have put it there."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == owner.uid and stat.S_IMODE(found.st_mode) == 0o700:
            return folder
        folder = Path(tempfile.mkdtemp(prefix="ecluse-", dir=folder.parent))
    os.chown(folder, owner.uid, owner.gid)
    return folder
