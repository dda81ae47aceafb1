"""Python's collector of cycles, set for a process that works on decoded resources.

A resource in memory is a tree: counting references frees it, and a search for cycles finds none in it. With Python's
own thresholds that search ran every 700 new containers and took a third of the CPU of a bundle.
"""

from __future__ import annotations

import gc

NEW_CONTAINERS = 100_000
"""New objects that outlive their makers before the young ones are looked through: some 20 MB, some 10 ms."""
YOUNG, OLD = 1000, 10
"""Passes over the young before one over what they left: a large bundle has millions of objects alive at once, and a
pass over all of them would hold everybody up for a quarter of a second."""


def calm_collector() -> None:
    """Looks for cycles far less often from now on; called when a process begins: what loading makes stays, and to look
    through it for cycles takes a third of that time."""
    gc.set_threshold(NEW_CONTAINERS, YOUNG, OLD)


def settle_collector() -> None:
    """Leaves alone what has been loaded so far; called when a process is ready."""
    calm_collector()
    gc.collect()
    gc.freeze()
