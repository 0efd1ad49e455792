"""Recordings and sources made for tests; the sources are plugged in where real ones are."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from live.recognizer import Recognizer
from live.sources.base import Source, SourceInfo, SourceStatus
from live.sources.clock import Clock
from live.view import Recognition
from skeleton.errors import SourceError
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo
from skeleton.window import Window

WAIT_S = 60.0
"""A condition that is not met by then never will be, on a computer that stands still for seconds at a time too."""


class FakeClock(Clock):
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += max(duration_s, 0.0)


def body(tracking_id: int, time_s: float, *, is_hand_up: bool = False, x: float = 0.0) -> Body:
    """A body that sways a little; its right hand is above or below the shoulder."""
    joints = np.zeros((25, 3), dtype=np.float32)
    joints[:, 0] = x + 0.01 * math.sin(time_s) + np.linspace(-0.2, 0.2, 25)
    joints[:, 1] = np.linspace(-1.0, 1.0, 25)
    joints[:, 2] = 2.5
    shoulder, hand = KINECT_V2.index("ShoulderRight"), KINECT_V2.index("HandRight")
    joints[hand, 1] = joints[shoulder, 1] + (0.5 if is_hand_up else -0.5)
    return Body(tracking_id, joints, np.full(25, 2))


def frame(index: int, time_s: float, *bodies: Body) -> BodyFrame:
    return BodyFrame(index=index, time_s=time_s, bodies=bodies)


def recording(
    count: int = 60, *, rate_hz: float = 30.0, people: int = 1, hand_up_s: Sequence[float] = ()
) -> Recording:
    """People who raise the right hand at ``hand_up_s[0]`` and lower it at ``hand_up_s[1]``; time starts at 1000 s."""
    times = 1000.0 + np.arange(count) / rate_hz
    frames = []
    for index, time_s in enumerate(times):
        is_up = len(hand_up_s) == 2 and hand_up_s[0] <= time_s - times[0] < hand_up_s[1]
        bodies = [body(10 + person, time_s, is_hand_up=is_up, x=person - 1.0) for person in range(people)]
        frames.append(frame(index, float(time_s), *bodies))
    return Recording(RecordingInfo("fake", None, KINECT_V2, rate_hz=rate_hz), times, frames)


class ScriptedSource(Source):
    """A live source that delivers what a test puts into it, and fails when told to.

    Attributes:
        opened: How often it was opened.
        closed: How often it was closed.
    """

    def __init__(self, frames: Sequence[BodyFrame] = (), *, color: np.ndarray | None = None) -> None:
        self._waiting = deque(frames)
        self._condition = threading.Condition()
        self._color = color
        self._is_ended = False
        self.open_errors: deque[Exception] = deque()
        self.read_error: Exception | None = None
        self.release = threading.Event()
        """Cleared by a test, it makes ``read`` block for as long."""
        self.release.set()
        self.is_blocked = threading.Event()
        self.opened = self.closed = self.pictures = 0

    def put(self, *frames: BodyFrame) -> None:
        with self._condition:
            self._waiting.extend(frames)
            self._condition.notify_all()

    def lose(self, error: SourceError) -> None:
        """Makes the next read fail once."""
        with self._condition:
            self.read_error = error
            self._condition.notify_all()

    @property
    def is_drained(self) -> bool:
        return not self._waiting

    def open(self) -> SourceInfo:
        self.opened += 1
        if self.open_errors:
            raise self.open_errors.popleft()
        size = None if self._color is None else (self._color.shape[1], self._color.shape[0])
        return SourceInfo("kinect", "scripted", KINECT_V2, is_live=True, color_size=size)

    def read(self, timeout_s: float) -> BodyFrame | None:
        if not self.release.is_set():
            self.is_blocked.set()
            self.release.wait(WAIT_S)
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self.read_error, timeout_s)
            if self.read_error:
                error, self.read_error = self.read_error, None
                raise error
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        self.closed += 1

    @property
    def status(self) -> SourceStatus:
        return SourceStatus.STREAMING

    def color(self) -> np.ndarray | None:
        self.pictures += 1
        return self._color


class Watched:
    """A recognizer that keeps the windows it is given."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.card, self.info, self.warning = recognizer.card, recognizer.info, recognizer.warning
        self.windows: list[Window] = []

    def recognize(self, windows: Sequence[Window]) -> list[Recognition]:
        self.windows += windows
        return self._recognizer.recognize(windows)


def wait_until(condition, *, what: str, within_s: float = WAIT_S):  # type: ignore[no-untyped-def]
    """Polls until ``condition()`` is true and returns what it gave; fails by name when it never is."""
    end = time.perf_counter() + within_s
    while time.perf_counter() < end:
        result = condition()
        if result:
            return result
        threading.Event().wait(0.005)
    raise AssertionError(f"never happened within {within_s} s: {what}")
