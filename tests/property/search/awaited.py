"""What is not indexed yet, so that it cannot be asked. When something is, its name goes from here, and its tests begin.

Enters: nothing. Leaves: names.
"""

from __future__ import annotations

KINDS: tuple[str, ...] = ()
"""Search types."""
FEATURES: tuple[tuple[str, str], ...] = ()
"""Modifiers of a search type."""


def is_awaited(kind: str, feature: str = "") -> bool:
    """Whether it cannot be asked yet."""
    return kind in KINDS or (kind, feature) in FEATURES
