"""The terminal, for text that others wrote: nothing in it is markup or a picture, and what is to be copied is not cut.

Enters: rows. Leaves: a table in the width of the terminal.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def terminal(**options: Any) -> Console:
    """options: of rich's"""
    return Console(markup=False, emoji=False, **options)


def table(*names: str, title: str | None = None) -> Table:
    """Addresses are to be copied: what is too long is folded."""
    made = Table(title=title)
    for name in names:
        made.add_column(name, overflow="fold")
    return made
