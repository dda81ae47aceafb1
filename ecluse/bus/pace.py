"""How much history is taken at once, so that what comes live meanwhile waits no longer than a moment.

Enters: how long the last part took. Leaves: how many events the next one may have: as many as fit into `AIM_S`. It
shrinks to that at once, and grows by half of what is missing. A fast reader on a quiet machine takes a thousand, a slow
one on a busy machine fifty.
"""

from __future__ import annotations

AIM_S = 0.2
LEAST, MOST = 50, 1000
BEGIN = 250
MORE = 1.25


class Pace:
    """The size of the parts of one reader."""

    def __init__(self) -> None:
        self.events = BEGIN

    def took(self, events: int, seconds: float) -> None:
        """Learns from a part."""
        fitting = events * AIM_S / max(seconds, 0.001)
        self._settle(min(fitting, (self.events + fitting) / 2))

    def idled(self) -> None:
        """Learns from a reader who was done before anybody looked."""
        self._settle(self.events * MORE)

    def _settle(self, events: float) -> None:
        self.events = max(LEAST, min(MOST, round(events)))
