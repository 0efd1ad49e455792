"""How often and how long, over the last two seconds; with bounded memory."""

from __future__ import annotations

from collections import deque

import numpy as np

SPAN_S = 2.0
MOST_SAMPLES = 1024
"""A replay as fast as possible makes thousands a second; the newest of them say enough."""


class RecentTimes:
    """Moments of the last two seconds, each with a value."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=MOST_SAMPLES)

    def add(self, now_s: float, value: float = 0.0) -> None:
        """Notes something that happened at ``now_s``."""
        self._samples.append((now_s, value))

    def per_second(self, now_s: float) -> float:
        """Returns how often it happened a second; 0 for fewer than two times."""
        times = [time_s for time_s, _ in self._recent(now_s)]
        if len(times) < 2:
            return 0.0
        # Counted to now, not to the last one: a source that stops is seen to slow down.
        return (len(times) - 1) / max(times[-1] - times[0], (now_s - times[0]) * (len(times) - 1) / len(times), 1e-6)

    def percentiles(self, now_s: float, *shares: float) -> tuple[float, ...] | None:
        """Returns percentiles (0..100) of the values; None when there are none."""
        values = [value for _, value in self._recent(now_s)]
        return tuple(map(float, np.percentile(values, shares))) if values else None

    def _recent(self, now_s: float) -> list[tuple[float, float]]:
        return [sample for sample in list(self._samples) if now_s - sample[0] <= SPAN_S]
