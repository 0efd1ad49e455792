"""The demo source: synthetic people who do the ten exercises of the pretrained model before a Kinect v2.

It is what a machine without a sensor and without recordings plays. Nothing is random twice: the same seed gives
the same frames, at any speed. Time runs as a sensor's does (``is_live``), but the transport may pause it and
change its speed; ``performances`` tells what the people really did.
"""

from __future__ import annotations

import math
import time

import numpy as np

from live.sources.base import Source, SourceInfo, SourceStatus, Transport
from live.sources.performer_stage import Performance, Stage
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2

RATE_HZ = 30.0
_JITTER_S = 0.0008
"""Standard deviation of the sensor clock's unevenness."""


class PerformerSource(Source):
    """Plays synthetic performers.

    Args:
        people: How many people at most, 1 to 6.
        seed: Chooses the people, what they do and the sensor's noise.
        speed: Times real time; ``math.inf`` is as fast as possible.
        comings_and_goings: Whether people leave and others come after a while.
    """

    def __init__(
        self, people: int = 3, seed: int = 0, *, speed: float = 1.0, comings_and_goings: bool = True
    ) -> None:
        if not 1 <= people <= 6:
            raise ValueError(f"people must be 1 to 6, found {people}")
        if not speed > 0:
            raise ValueError(f"speed must be above 0, found {speed}")
        self._people, self._seed, self._speed = people, seed, speed
        self._comings_and_goings = comings_and_goings
        self._stage: Stage | None = None
        self._is_playing = True

    def open(self) -> SourceInfo:
        """Puts the people on stage; time begins at 0."""
        self._stage = Stage(self._people, self._seed, comings_and_goings=self._comings_and_goings)
        self._clock = np.random.default_rng((self._seed, 1))
        self._index = 0
        self._next_s = 0.0
        self._set_pace()
        return SourceInfo(kind="demo", name="Demo", layout=KINECT_V2, is_live=True, rate_hz=RATE_HZ, sensor_id="demo")

    def read(self, timeout_s: float) -> BodyFrame | None:
        """Waits until the next frame is due and returns it; None when that takes longer than ``timeout_s``."""
        if self._stage is None:
            raise ValueError("open() must be called before read()")
        wait_s = self._due_s() - time.perf_counter() if self._is_playing else math.inf
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
        if wait_s > timeout_s:
            return None
        frame = BodyFrame(
            index=self._index,
            time_s=self._next_s,
            arrival_s=time.perf_counter(),
            bodies=self._stage.bodies(self._next_s),
            floor=self._stage.floor,
        )
        self._index += 1
        jitter_s = float(np.clip(self._clock.normal(0.0, _JITTER_S), -0.01, 0.01))
        self._next_s = max(self._next_s + 0.01, self._index / RATE_HZ + jitter_s)
        return frame

    def close(self) -> None:
        """Lets the people go."""
        self._stage = None

    @property
    def status(self) -> SourceStatus:
        """STREAMING, PAUSED, or ENDED when closed."""
        if self._stage is None:
            return SourceStatus.ENDED
        return SourceStatus.STREAMING if self._is_playing else SourceStatus.PAUSED

    def apply(self, command: Transport) -> None:
        """Pauses, goes on, or changes the speed; everything else has no meaning here."""
        if command.play is not None:
            self._is_playing = command.play
        if command.speed is not None:
            self._speed = command.speed
        self._set_pace()

    def performances(self, until_s: float) -> list[Performance]:
        """Returns the repetitions that ended by sensor time ``until_s``, of those already played, by start."""
        if self._stage is None:
            raise ValueError("open() must be called before performances()")
        return self._stage.performances(until_s)

    def _set_pace(self) -> None:
        self._paced_from = (time.perf_counter(), self._next_s)

    def _due_s(self) -> float:
        """The ``perf_counter`` time at which the next frame is due."""
        began_s, sensor_s = self._paced_from
        return began_s + (self._next_s - sensor_s) / self._speed
