"""What a call costs, told so that a slow or busy machine changes nothing.

Work that Python does is counted. Work inside C (a regular expression, a parser) is not seen there: it is given hostile
input so long that twice the length for four times the work would take hours, and a limit that no machine needs.
"""

from __future__ import annotations

import cProfile
import time
from collections.abc import Callable

MOST_CPU_S = 60.0
"""A hundred times what hostile input takes, a hundredth of what it would take were its work quadratic."""


def calls(function: Callable[..., object], *given: object) -> int:
    """How many calls a call makes, into Python and into C; the same on every machine."""
    profile = cProfile.Profile()
    profile.runcall(function, *given)
    return sum(one.callcount for one in profile.getstats())


def cpu_s(function: Callable[..., object], *given: object) -> float:
    """CPU seconds of this process; to be held against MOST_CPU_S only."""
    begin = time.process_time()
    function(*given)
    return time.process_time() - begin
