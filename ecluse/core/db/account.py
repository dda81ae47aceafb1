"""As whom the embedded PostgreSQL runs.

Enters: this process's user and the owner of the cluster. Leaves: the account. PostgreSQL refuses to run as root:
started by root, it runs as an unprivileged user of the system.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple

from ecluse.core.errors import Unavailable

UNPRIVILEGED = ("ecluse", "postgres", "nobody")


class EmbeddedError(Unavailable):
    """The embedded PostgreSQL cannot run; the text says what to do."""


class Account(NamedTuple):
    """A user of this system."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether it is another user than this process's."""
        return self.uid != os.geteuid()

    def reaches(self, folder: Path) -> bool:
        """Whether it may enter a folder and all those above, as far as modes tell."""
        return all(self._enters(part.stat()) for part in (folder, *folder.parents))

    def _enters(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == self.gid else stat.S_IXOTH))


def account(cluster: Path) -> Account:
    """The owner of the cluster; before it is made this process's user, for root the first unprivileged one there is.

    Raises: EmbeddedError when there is none
    """
    if os.geteuid():
        return _named(os.geteuid())
    if cluster.exists():
        return _named(cluster.stat().st_uid)
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root and finds no user to run as; make one: useradd --system ecluse"
    )


def _named(uid: int) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedError(
            f"User number {uid} has no name, which PostgreSQL needs; add it to /etc/passwd or set ECLUSE_DATABASE_URL."
        ) from error
    return Account(found.pw_name, found.pw_uid, found.pw_gid)
