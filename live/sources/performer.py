"""The demo source: synthetic people who do the ten exercises of the pretrained model before a Kinect v2.

It is what a machine without a sensor and without recordings plays, and what tests recognize: ``performances`` tells
what the people really did. The same seed gives the same frames, at any speed. To make one repetition without a
source, call :func:`perform`. The choreography is a table in ``performer_exercises``.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from live.sources.base import Source, SourceInfo, SourceStatus, Transport
from live.sources.clock import Clock
from live.sources.performer_agenda import Performance
from live.sources.performer_body import LEFT, RIGHT, Person, random_person, turned
from live.sources.performer_exercises import EXERCISES
from live.sources.performer_moves import Moves
from live.sources.performer_sensor import SENSOR_HEIGHT_M, SensorModel, hidden, in_view
from live.sources.performer_stage import Stage
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2

__all__ = ["EXERCISES", "LEFT", "RIGHT", "Performance", "PerformerSource", "Person", "perform", "random_person"]

RATE_HZ = 30.0
LATEST_S = 0.25
"""A reader that comes later than this does not get the frames it missed all at once."""
_JITTER_S = 0.0008  # standard deviation of the sensor clock's unevenness
_BLOCK = 15  # frames computed together: half a second


class PerformerSource(Source):
    """Plays synthetic performers, in real time unless told otherwise.

    The source counts as live: it has no beginning to go back to. It does obey the transport's play, pause and speed.

    Args:
        people: How many people at most, 1 to 6.
        seed: Chooses the people, what they do and the sensor's noise.
        speed: Times real time; ``math.inf`` is as fast as possible.
        comings_and_goings: Whether people leave after a minute or two and others come.
        clock: The wall clock; a test's own, or the computer's.
    """

    def __init__(
        self,
        people: int = 3,
        seed: int = 0,
        *,
        speed: float = 1.0,
        comings_and_goings: bool = True,
        clock: Clock | None = None,
    ) -> None:
        if not 1 <= people <= 6:
            raise ValueError(f"people must be 1 to 6, found {people}")
        if not speed > 0:
            raise ValueError(f"speed must be above 0, found {speed}")
        self._people, self._seed, self._speed = people, seed, speed
        self._comings_and_goings = comings_and_goings
        self._wall = clock or Clock()
        self._stage: Stage | None = None
        self._is_playing = True

    def open(self) -> SourceInfo:
        """Begins at time 0 with an empty stage, which people then enter."""
        self._stage = Stage(self._people, self._seed, comings_and_goings=self._comings_and_goings)
        self._ticks = np.random.default_rng((self._seed, 1))
        self._counted = 0
        self._ahead: deque[BodyFrame] = deque()
        self._is_playing = True
        self._look_ahead(self._stage)
        self._set_pace()
        return SourceInfo(kind="demo", name="Demo", layout=KINECT_V2, is_live=True, rate_hz=RATE_HZ, sensor_id="demo")

    def read(self, timeout_s: float) -> BodyFrame | None:
        """Waits until the next frame is due and returns it; None when that takes longer than ``timeout_s``."""
        if self._stage is None:
            raise ValueError("open() must be called before read()")
        wait_s = self._due_s() - self._wall.now_s() if self._is_playing else math.inf
        self._wall.sleep(min(wait_s, timeout_s))
        if wait_s > timeout_s:
            return None
        if wait_s < -LATEST_S:
            self._set_pace()  # whoever reads was held up: go on from here instead of hurrying after the clock
        frame = self._ahead.popleft()
        if not self._ahead:
            self._look_ahead(self._stage)
        return BodyFrame(frame.index, frame.time_s, self._wall.now_s(), frame.bodies, frame.floor)

    def close(self) -> None:
        """Lets the people go."""
        self._stage = None

    @property
    def status(self) -> SourceStatus:
        """STREAMING or PAUSED; ENDED when closed."""
        if self._stage is None:
            return SourceStatus.ENDED
        return SourceStatus.STREAMING if self._is_playing else SourceStatus.PAUSED

    def apply(self, command: Transport) -> None:
        """Pauses, goes on, or changes the speed; everything else has no meaning here."""
        if command.play is not None:
            self._is_playing = command.play
        if command.speed is not None and command.speed > 0:
            self._speed = command.speed
        self._set_pace()

    def performances(self, until_s: float) -> list[Performance]:
        """Returns the repetitions of the last hours that ended by sensor time ``until_s``, by start."""
        if self._stage is None:
            raise ValueError("open() must be called before performances()")
        return self._stage.performances(until_s)

    def _look_ahead(self, stage: Stage) -> None:
        """Computes the next frames."""
        counts = np.arange(self._counted, self._counted + _BLOCK)
        jitter_s = np.clip(self._ticks.normal(0.0, _JITTER_S, _BLOCK), -0.01, 0.01)
        times_s = counts / RATE_HZ + 0.01 + jitter_s
        for index, time_s, bodies in zip(counts, times_s, stage.bodies(times_s)):
            self._ahead.append(BodyFrame(int(index), float(time_s), bodies=bodies, floor=stage.floor))
        self._counted += _BLOCK

    def _set_pace(self) -> None:
        if self._stage is not None:
            self._paced_from = (self._wall.now_s(), self._ahead[0].time_s)

    def _due_s(self) -> float:
        """The ``perf_counter`` time at which the next frame is due."""
        began_s, sensor_s = self._paced_from
        return began_s + (self._ahead[0].time_s - sensor_s) / self._speed


def perform(
    label: str,
    person: Person,
    rng: np.random.Generator,
    *,
    side: int = RIGHT,
    yaw_deg: float = 0.0,
    place_m: tuple[float, float] = (0.0, 2.7),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Performs one repetition before the sensor, from the start pose to the start pose.

    Args:
        label: Key of ``EXERCISES``.
        person: Whose body it is, from :func:`random_person`.
        rng: Where chance comes from.
        side: The working side, LEFT or RIGHT.
        yaw_deg: How far the person is turned to the right; 0 faces the sensor.
        place_m: Where the person stands: across, and away from the sensor.

    Returns:
        Times (F,) seconds from 0, joints (F, 25, 3) meters in camera space, states (F, 25) int8.
    """
    clip = Moves(person, rng, 0.0).repetition(label, side)
    times_s = np.arange(0.0, clip.end_s, 1 / RATE_HZ)
    across, away = place_m
    origin_m = np.array([across, -float(rng.uniform(*SENSOR_HEIGHT_M)), away])
    joints = turned(clip.joints(times_s, person), yaw_deg) + origin_m
    reported, state = SensorModel(rng).observe(times_s, joints, hidden(joints, joints) | ~in_view(joints))
    return times_s, reported, state
