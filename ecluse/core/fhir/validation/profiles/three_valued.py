"""And and or of answers of which one may not be known: True, False, or None."""

from __future__ import annotations

from collections.abc import Iterable


def every(answers: Iterable[bool | None]) -> bool | None:
    """False when one is false, else None when one is not known."""
    unknown = False
    for answer in answers:
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True


def some(answers: Iterable[bool | None]) -> bool | None:
    """True when one is true, else None when one is not known."""
    found = every(None if answer is None else not answer for answer in answers)
    return None if found is None else not found
