"""Times that only increase, out of a clock that may start again or jump, as a sensor's does. No thread."""

from __future__ import annotations

from skeleton.recording import GAP_S

ROUNDING_S = 1e-3
"""Keeps a gap one after the conversion to nanoseconds and back."""
AGREED_S = 0.5
"""A device that was away and whose clock went on meanwhile says what really passed, but for so much."""


class SteadyTime:
    """Follows a clock as long as it goes on, and joins the two sides of a jump by a gap.

    The gap is the time that really passed, and at least ``GAP_S``: longer than any window bridges, so that nothing
    is recognized across it, and what readers of a recording see as a gap.
    """

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._last_s: float | None = None
        self._received_s = 0.0

    def of(
        self, time_s: float, *, received_s: float, longest_leap_s: float, is_reopened: bool = False
    ) -> float | None:
        """Returns the steady time of the next reading, seconds; None for one that repeats the last one's.

        Args:
            time_s: What the clock says.
            received_s: When it said so, by the computer's clock.
            longest_leap_s: A clock that steps so much further than the time that passed has jumped.
            is_reopened: Whether the device was away since the last reading: a clock that does not say for how long
                began again, be it with a later time.
        """
        steady_s = time_s + self._offset_s
        if self._last_s is not None:
            step_s, passed_s = steady_s - self._last_s, received_s - self._received_s
            if step_s == 0.0 and not is_reopened:
                return None
            is_new_clock = is_reopened and abs(step_s - passed_s) > AGREED_S
            if step_s < 0.0 or step_s > passed_s + longest_leap_s or is_new_clock:
                steady_s = self._last_s + max(GAP_S + ROUNDING_S, passed_s)
                self._offset_s = steady_s - time_s
        self._last_s, self._received_s = steady_s, received_s
        return steady_s
