"""The master key of the hub, and the keys of each project.

Enters: settings. Leaves: 32 bytes from a file that this user alone can read, made once from the machine's randomness;
keys derived from them, one a project and purpose, of which none tells another. There is no default key. Whoever loses
the file loses the links between what was sent and what will be sent; whoever has it can make the pseudonyms of any
patient he can name.
Spec: https://www.rfc-editor.org/rfc/rfc5869
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ecluse.core.clock import new_id
from ecluse.core.errors import EcluseError
from ecluse.core.settings import Settings
from mappers.hub.context import Keys

KEY_BYTES = 32
PURPOSES = ("person", "resource", "shift", "record", "digest")


class MasterKeyRefused(EcluseError):
    """The master key is missing, too short, or not kept secret."""


def master_key(settings: Settings) -> bytes:
    """The master key; made at the first start when no file is given.

    Raises: MasterKeyRefused when the file is missing although it is named, too short, or others can read it
    """
    # An empty path reads as ".", the value of a setting that is not set.
    if settings.hub_master_key_file != Path(""):
        return _read(settings.hub_master_key_file)
    file = settings.data / "hub" / "master.key"
    if not file.exists():
        _make(file)
    return _read(file)


def derive(master: bytes, project: str, purpose: str) -> bytes:
    """The key of one project for one purpose, 32 bytes."""
    info = b"\0".join((b"ecluse hub 1", project.encode(), purpose.encode()))
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(master)


def project_keys(master: bytes, project: str) -> Keys:
    """All keys of a project."""
    return Keys(*(derive(master, project, purpose) for purpose in PURPOSES))


def check_value(master: bytes, project: str) -> str:
    """What tells that a feed goes on under the master key it began with, and tells nothing else."""
    return derive(master, project, "check").hex()


def _read(file: Path) -> bytes:
    try:
        mode = file.stat().st_mode
        key = file.read_bytes()
    except OSError as error:
        raise MasterKeyRefused(f"The master key of the hub, {file}, cannot be read: {error.strerror}.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise MasterKeyRefused(f"The master key of the hub, {file}, is open to others: chmod 600 {file}")
    if len(key) < KEY_BYTES:
        raise MasterKeyRefused(
            f"The master key of the hub, {file}, has {len(key)} bytes; {KEY_BYTES} or more are needed."
        )
    return key


def _make(file: Path) -> None:
    """Writes the key beside its place and links it there, so that it is never seen half written, and never replaced."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f"{file.name}.{new_id()}")
    write_private(fresh, os.urandom(KEY_BYTES))
    try:
        os.link(fresh, file)
    except FileExistsError:
        return
    finally:
        fresh.unlink()
    # A feed must not outlive its key: the name has to be on the disk before the first record is.
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def write_private(file: Path, content: bytes) -> None:
    """Writes a new file that this user alone can read.

    Raises: FileExistsError
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
