"""The time a source that plays in real time goes by; a test puts its own in."""

from __future__ import annotations

import time


class Clock:
    """Wall time in seconds, as ``time.perf_counter`` has it."""

    def now_s(self) -> float:
        """Returns the time now, seconds from an arbitrary start."""
        return time.perf_counter()

    def sleep(self, duration_s: float) -> None:
        """Waits; nothing when ``duration_s`` is not positive."""
        if duration_s > 0:
            time.sleep(duration_s)
