"""Runs a part of a test as another user of the system, which only root can."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from ecluse.core.db.account import Account


def run_as(account: Account, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Returns when the work has ended well, in a process of its own when the account is another one's.

    Raises: AssertionError with the traceback of the other process
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os._exit(_child(account, work, writer))
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, text


def _child(account: Account, work: Callable[[], Coroutine[Any, Any, None]], writer: int) -> int:
    try:
        if account.is_other:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(work())
        loop.close()
    except BaseException:
        os.write(writer, traceback.format_exc().encode())
        return 1
    return 0
