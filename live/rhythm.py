"""When the next frame is due, and whether work that can wait fits before it. No threads, no clock but the one given.

A decision goes first. Painting, converting a color picture and looking for evidence take turns in the rest between a
decision and the next frame: begun too late, they make the next decision late, and that one them.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable

USUAL_INTERVAL_S = 1 / 30
REMEMBERED_INTERVALS, REMEMBERED_COSTS = 16, 15
"""What the next ones are judged by: the median of the intervals, and the cost that one in five stays below, which is
near what it costs undisturbed."""
IDLE_FRAMES = 3
"""Frame intervals without a frame, after which none is expected: playback is paused, or the sensor is lost."""
DRIFT = 1 / 8
"""By how much of its lateness a late frame moves the beat: it was held up, and the next one is on time."""
RESERVE_S = 0.002
"""Kept free before the next frame by what is put before it: sensors deliver earlier or later."""
ENOUGH_S = 0.005
"""Work that costs more is begun where so much is left. A busy computer never has as much as it takes then, and has no
more after the next decision; what is held back is what begins late, because its decision was."""
LONGEST_WAIT_S = 0.1
"""What can wait waits no longer: a picture three frames after the last one still looks like movement."""


class Rhythm:
    """The beat that frames come in. One thread writes (``note``, ``rest``), any may ask.

    Args:
        clock: Seconds, on the clock of the frames' arrival.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._intervals: deque[float] = deque([USUAL_INTERVAL_S], maxlen=REMEMBERED_INTERVALS)  # the writer's
        # Last frame, its beat, interval: replaced as one, so that whoever reads sees what belongs together.
        self._state = (-math.inf, -math.inf, USUAL_INTERVAL_S)

    @property
    def interval_s(self) -> float:
        """From one frame to the next."""
        return self._state[2]

    def note(self, received_s: float) -> None:
        """Notes that a frame arrived."""
        last_s, beat_s, interval_s = self._state
        if received_s > last_s > -math.inf:
            self._intervals.append(received_s - last_s)
        late_s = received_s - (beat_s + interval_s)
        is_held_up = 0 < late_s < interval_s / 2
        beat_s = received_s - (1 - DRIFT) * late_s if is_held_up else received_s
        self._state = (received_s, beat_s, statistics.median(self._intervals))

    def rest(self) -> None:
        """Notes that no frame is expected until one comes: the source is paused, at its end, or gone."""
        self._state = (-math.inf, -math.inf, self.interval_s)

    def until_next_s(self) -> float:
        """Returns how long until the next frame; 0 when it is late, infinity when none is expected."""
        state, now_s = self._state, self._clock()
        _, beat_s, interval_s = state
        return math.inf if _idle_in_s(state, now_s) <= 0 else max(0.0, beat_s + interval_s - now_s)

    def until_idle_s(self) -> float:
        """Returns how long until no frame is expected any more, if none comes; 0 when none is."""
        return max(0.0, _idle_in_s(self._state, self._clock()))


class Interlude:
    """Work that is put between two decisions, or left out: whether it may begin. Belongs to one thread.

    What it cost lately, in time that passed, is what it is expected to cost.
    """

    def __init__(self) -> None:
        self._costs: deque[float] = deque(maxlen=REMEMBERED_COSTS)
        self._begun_s = -math.inf
        self.is_going_on = False

    def fits(self, rest_s: float, now_s: float) -> bool:
        """Returns whether it ends before the next frame, or was not done for too long.

        Args:
            rest_s: How long nothing is decided from now on; infinity where nothing is expected.
            now_s: The time, on any clock, always the same.
        """
        if now_s - self._begun_s >= LONGEST_WAIT_S or math.isinf(rest_s):
            return True
        cost_s = sorted(self._costs)[len(self._costs) // 5] if self._costs else 0.0
        return rest_s >= min(cost_s, ENOUGH_S) + RESERVE_S

    def since_s(self, now_s: float) -> float:
        """Returns how long ago it was begun the last time; infinity before the first."""
        return now_s - self._begun_s

    def begin(self, now_s: float) -> None:
        """Notes that it begins."""
        self._begun_s, self.is_going_on = now_s, True

    def end(self, now_s: float) -> None:
        """Notes that it has ended."""
        self._costs.append(now_s - self._begun_s)
        self.is_going_on = False


def _idle_in_s(state: tuple[float, float, float], now_s: float) -> float:
    last_s, _, interval_s = state
    return last_s + IDLE_FRAMES * interval_s - now_s
