"""How much is taken at once, so that nothing waits longer behind it than a moment.

Enters: how long the last part took. Leaves: how many events the next one may have: as many as fit into the time that is
aimed at. It shrinks to that at once, and grows by half of what is missing. Of history, which live events wait behind, a
fast reader on a quiet machine takes a thousand, a slow one on a busy machine fifty.
"""

from __future__ import annotations

AIM_S = 0.2
LEAST, MOST = 50, 1000
BEGIN = 250
MORE = 1.25


class Pace:
    """The size of the parts of one reader."""

    def __init__(self, aim_s: float = AIM_S, *, least: int = LEAST, begin: int = BEGIN, most: int = MOST) -> None:
        """aim_s: what a part is to take; least, begin, most: events of a part. Without any: those of history"""
        self._aim_s, self._least, self._most = aim_s, least, most
        self.events = begin

    def took(self, events: int, seconds: float) -> None:
        """Learns from a part."""
        fitting = events * self._aim_s / max(seconds, 0.001)
        self._settle(min(fitting, (self.events + fitting) / 2))

    def idled(self) -> None:
        """Learns from a reader who was done before anybody looked."""
        self._settle(self.events * MORE)

    def _settle(self, events: float) -> None:
        self.events = max(self._least, min(self._most, round(events)))
