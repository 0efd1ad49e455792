"""What every source of body frames offers.

A source is opened, read and closed by one thread (COM wants that). It is a context manager:

    with ReplaySource(path) as source:
        while (frame := source.read(timeout_s=0.1)) is not None: ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import ClassVar

import numpy as np

from skeleton.frames import BodyFrame
from skeleton.layout import Layout


class SourceStatus(Enum):
    """What a source is doing, as the window shows it."""

    OPENING = "opening"
    STREAMING = "streaming"
    PAUSED = "paused"
    ENDED = "ended"  # a recording that does not loop is at its end; seek or play starts it again
    LOST = "lost"  # a live source stopped delivering; it is being reopened
    FAILED = "failed"  # could not be opened; the banner says why


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is true of an open source.

    Attributes:
        kind: Row of ``SOURCES``: "kinect", "replay" or "demo".
        name: For people: a file name, a sensor's serial number.
        layout: Which joints the bodies have.
        is_live: True where time cannot be stopped; False where transport commands work.
        rate_hz: Nominal frames per second.
        sensor_id: The sensor's serial number or name; empty when unknown.
        color_map: 20 numbers that map camera space to color pixels, or None for the default.
        floor: Floor plane (x, y, z, w) that holds for the whole recording, or None.
        color_size: (width, height) of the color picture in pixels, or None without one.
        duration_s: Length of a recording, seconds; None where there is no end.
        frame_count: Frames in a recording; None where there is no end.
        warning: What whoever watches it has to know, one sentence; empty where there is nothing.
    """

    kind: str
    name: str
    layout: Layout
    is_live: bool
    rate_hz: float = 30.0
    sensor_id: str = ""
    color_map: tuple[float, ...] | None = None
    floor: tuple[float, float, float, float] | None = None
    color_size: tuple[int, int] | None = None
    duration_s: float | None = None
    frame_count: int | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Transport:
    """One command of the transport bar. Exactly one attribute is given.

    Attributes:
        play: True plays, False pauses.
        step: Moves so many frames (may be negative) and pauses.
        seek_s: Goes to this time from the recording's start, seconds.
        speed: Plays so many times as fast; ``math.inf`` is as fast as possible.
        loop: Whether the end goes on at the start.
    """

    play: bool | None = None
    step: int | None = None
    seek_s: float | None = None
    speed: float | None = None
    loop: bool | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a source that has a beginning stands.

    Attributes:
        time_s: Seconds since the recording's start.
        index: Frame number, from 0.
        speed: Times real time; ``math.inf`` is as fast as possible.
        is_looping: Whether the end goes on at the start.
    """

    time_s: float
    index: int
    speed: float = 1.0
    is_looping: bool = False


class Source(ABC):
    """A source of body frames. All methods are called from one thread.

    Attributes:
        reopens: Whether trying ``open`` again later may help: a sensor can be plugged in, a file does not mend.
    """

    reopens: ClassVar[bool] = True

    @abstractmethod
    def open(self) -> SourceInfo:
        """Opens the device or file.

        Raises:
            SourceUnavailable: With the sentence and the remedy to show.
            RecordingError: A recording that cannot be read.
        """

    @abstractmethod
    def read(self, timeout_s: float) -> BodyFrame | None:
        """Waits at most ``timeout_s`` for the next frame; None when none came (paused, ended, nothing new).

        A frame with no bodies is a frame. A source that plays in real time waits until the frame is due.

        Raises:
            SourceLost: The device went away.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases everything; may be called twice, and after a failed ``open``."""

    @property
    @abstractmethod
    def status(self) -> SourceStatus:
        """STREAMING, PAUSED or ENDED while open."""

    def color(self) -> np.ndarray | None:
        """Returns the picture that belongs to the last frame read, (H, W, 3) uint8 RGB, or None.

        Fetching costs a copy: call it at most once per drawn picture. A picture may be delivered again.
        """
        return None

    def color_pixels(self, points: np.ndarray) -> np.ndarray | None:
        """Returns where the device itself has points (N, 3), meters, in its color picture: (N, 2), maybe infinite.

        None where it cannot say.
        """
        del points
        return None

    @property
    def position(self) -> Position | None:
        """Where playback stands; None for a live source."""
        return None

    def lead_in(self, span_s: float) -> Sequence[BodyFrame]:
        """Returns the frames of ``span_s`` seconds before the last frame read, oldest first; none of a live source.

        After a jump they are what a window at that frame is made of.
        """
        del span_s
        return ()

    @property
    def frames_lost(self) -> int:
        """Frames that the device delivered since ``open`` and that were dropped before they could be read."""
        return 0

    def apply(self, command: Transport) -> None:
        """Carries out a transport command; a live source ignores it."""
        del command

    def __enter__(self) -> Source:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
