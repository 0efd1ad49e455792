"""Lets the scripted sensor run by itself: frames and pictures at its own pace, whether or not anybody takes them."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from skeleton.frames import Body
from tests.kinect.sensor import FLOOR, Delivery, Kinect

RATE_HZ = 30.0
WAIT_S = 0.002
LATEST_S = 0.25
"""A computer that was busy is played to faster until it is on time again, one that stood still from then on."""


class Player:
    """A thread that sends frames from the moment on that somebody listens; a context manager.

    Args:
        kinect: The sensor, plugged in.
        bodies: The people of frame number n.
        pictures: (1080, 1920, 4) uint8 BGRA, sent one after the other and again; none without.
        rate_hz: Frames a second.
        color_every: A picture comes with every so manieth body frame, as in low light.

    Attributes:
        sent_s: ``time.perf_counter()`` when each frame was announced, by its number; eight bytes a frame.
        late_s: How much later than its time each frame was announced, because the computer was busy.
        untaken: Frames that the next one replaced before the client asked for them.
    """

    def __init__(
        self,
        kinect: Kinect,
        bodies: Callable[[int], Sequence[Body]],
        *,
        pictures: Sequence[np.ndarray] = (),
        rate_hz: float = RATE_HZ,
        color_every: int = 1,
    ) -> None:
        self._kinect, self._bodies, self._pictures = kinect, bodies, pictures
        self._rate_hz, self._color_every = rate_hz, color_every
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted sensor", daemon=True)
        self.sent_s = array("d")
        self.late_s = array("d")
        self.untaken = 0

    def number(self, time_s: float) -> int:
        """Returns the number of the frame that has this sensor time."""
        return round(time_s * self._rate_hz) - 1

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Sends no more; may be called twice."""
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not {"body", "color"} <= self._kinect.events.keys() and not self._is_stopping.wait(WAIT_S):
            continue
        start_s, number, last = time.perf_counter(), 0, Delivery()
        last.taken.set()
        while not self._is_stopping.wait(max(0.0, start_s + number / self._rate_hz - time.perf_counter())):
            people = self._bodies(number)
            self.untaken += not last.taken.is_set()
            last = Delivery(bodies=people, ticks=round((number + 1) / self._rate_hz * 1e7), floor=FLOOR)
            now_s = time.perf_counter()
            self.sent_s.append(now_s)
            self.late_s.append(now_s - start_s - number / self._rate_hz)
            start_s += self.late_s[-1] if self.late_s[-1] > LATEST_S else 0.0
            self._kinect.post("body", last)
            if self._pictures and number % self._color_every == 0:
                picture = self._pictures[number // self._color_every % len(self._pictures)]
                self._kinect.post("color", Delivery(picture=picture))
            number += 1
