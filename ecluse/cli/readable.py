"""What every command of `ecluse` does alike: run to its end, and tell an error of ours in a readable line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

import click

from ecluse.core import log
from ecluse.core.errors import EcluseError
from ecluse.core.settings import Settings

P = ParamSpec("P")


def readable(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The command, run to its end; our errors become one line."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            asyncio.run(command(*args, **kwargs))
        except EcluseError as error:
            raise click.ClickException("\n".join(issue.text for issue in error.issues)) from error

    return run


def settings_of(**given: Any) -> Settings:
    """The settings of this process.

    Raises: click.ClickException when one of them is wrong
    """
    try:
        settings = Settings.from_environment(**given)
    except EcluseError as error:
        raise click.ClickException(str(error)) from error
    log.configure(settings.log_level)
    return settings
