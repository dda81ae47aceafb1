"""What every command of `ecluse` does alike: run to its end, and tell an error of ours in a readable line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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
        with one_line():
            asyncio.run(command(*args, **kwargs))

    return run


@contextmanager
def one_line() -> Iterator[None]:
    """Makes errors of ours, and those of files, a line without a traceback; around a command, or in it.

    Raises: click.ClickException
    """
    try:
        yield
    except EcluseError as error:
        raise click.ClickException("\n".join(issue.text for issue in error.issues)) from error
    except OSError as error:
        told = (error.filename, error.strerror or type(error).__name__)
        raise click.ClickException(": ".join(str(part) for part in told if part)) from error


def told_empty(text: str, *, beside: bool = False) -> None:
    """Says that there is nothing. beside: on standard error, since a program reads the other"""
    click.echo(text, err=beside)


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
