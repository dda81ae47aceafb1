"""A process that owns the embedded PostgreSQL of a folder until SIGTERM: prints the address when it runs.

Usage: python -m tests.services.owner DATA [orphaning]; with `orphaning` the server is not asked to end with it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from ecluse.core import parent
from ecluse.core.db.embedded import running


async def main(data: Path) -> None:
    """Runs until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(data) as url:
        print(url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    if "orphaning" in sys.argv:
        parent._prctl = None
    asyncio.run(main(Path(sys.argv[1])))
