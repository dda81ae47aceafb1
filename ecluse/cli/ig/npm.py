"""FHIR packages by way of npm: whatever registry its own configuration names.

Enters: `npm:NAME@VERSION`. Leaves: the bytes of the package.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from ecluse.core.errors import NotFound, Unavailable

NPM = "npm:"
TIMEOUT_S = 300


async def fetch(source: str) -> bytes:
    """The `.tgz` of a package. source: npm:NAME@VERSION, or npm:NAME for the newest

    Raises: NotFound when the registry has no such package, Unavailable when npm is not there or fails
    """
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed, so nothing can be fetched: give the package's .tgz file instead.")
    wanted = source.removeprefix(NPM)
    with tempfile.TemporaryDirectory() as folder:
        command = (npm, "pack", wanted, "--silent", "--ignore-scripts", "--pack-destination", folder)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        except TimeoutError as error:
            process.kill()
            raise Unavailable(f"npm did not fetch {wanted} within {TIMEOUT_S} s; try again.") from error
        found = list(Path(folder).glob("*.tgz"))
        if process.returncode == 0 and found:
            return found[0].read_bytes()
    reason = said.decode(errors="replace").strip()
    if process.returncode and not _is_absence(reason):
        raise Unavailable(f"npm could not fetch {wanted}: {reason.splitlines()[-1][:200]}")
    raise NotFound(f"The registry that npm is set to has no {wanted}.")


def _is_absence(reason: str) -> bool:
    """Whether npm says that there is no such package or version; with --silent it says nothing then."""
    return not reason or any(code in reason for code in ("E404", "ETARGET", "ENOVERSIONS", "No matching version"))
