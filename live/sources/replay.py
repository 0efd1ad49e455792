"""Plays a recording as if its sensor were there: by sensor time, at any speed, forwards and back.

with ReplaySource("squat.skeleton", speed=2.0) as source:
    while source.status is not SourceStatus.ENDED:
        frame = source.read(timeout_s=0.1)
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from live.picture_file import PictureReader, is_picture_file
from live.sources.base import Position, Source, SourceInfo, SourceStatus, Transport
from live.sources.clock import Clock
from live.sources.color_video import ColorVideo
from skeleton.errors import CalibrationError, RecordingError, SourceUnavailable
from skeleton.frames import BodyFrame
from skeleton.recording import Recording

LOGGER = logging.getLogger(__name__)
LATEST_S = 0.5
"""A player that is later than this (the computer slept) goes on from now instead of running after the time."""
NOT_WHOLE = "was not closed or is damaged: all whole frames are shown."
PROBED_FRAMES = 64
"""Frames, spread over a recording, in which a body is looked for to see what its joints carry."""


class ReplaySource(Source):
    """A recording as a source."""

    reopens: ClassVar[bool] = False

    def __init__(
        self,
        recording: str | Path | Recording,
        *,
        speed: float = 1.0,
        is_looping: bool = False,
        video: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepares the replay; nothing is read before ``open``.

        Args:
            recording: A file of any known format, or a recording in memory.
            speed: Times real time; ``math.inf`` is as fast as possible.
            is_looping: Whether the end goes on at the start.
            video: The color video; without it the one that the recording names is shown, if it can be.
            clock: The wall clock; a test's own, or the computer's.
        """
        self._given = recording
        self._video_path = None if video is None else Path(video)
        self._clock = clock or Clock()
        self._recording: Recording | None = None
        self._video: ColorVideo | PictureReader | None = None
        self._is_looping = is_looping
        self._speed = _checked(speed)
        self._status: SourceStatus = SourceStatus.STREAMING
        self._current: int = -1
        self._next: int = 0
        self._is_due_at_once: bool = True
        self._anchor_index: int = 0
        self._anchor_s: float = 0.0

    def open(self) -> SourceInfo:
        """Reads the recording and opens its video.

        Raises:
            SourceUnavailable: The video that was asked for cannot be shown.
            RecordingError: The recording cannot be read, or is empty.
        """
        recording = self._given if isinstance(self._given, Recording) else _read(Path(self._given))
        if len(recording.frames) == 0:
            raise RecordingError(f"A recording must hold frames to be played, but {_name(recording)} holds none.")
        self._recording = recording
        self._video = self._open_video(recording)
        self._rewind()
        return SourceInfo(
            kind="replay",
            name=_name(recording),
            layout=recording.info.layout,
            is_live=False,
            rate_hz=recording.info.rate_hz,
            sensor_id=recording.info.sensor_id,
            color_map=recording.info.color_map or _fitted_color_map(recording) or _stored_color_map(recording),
            floor=recording.info.floor,
            color_size=self._video.size if self._video else None,
            duration_s=recording.duration_s,
            frame_count=len(recording.frames),
            warning="" if recording.info.is_complete else f"{_name(recording)} {NOT_WHOLE}",
        )

    def read(self, timeout_s: float) -> BodyFrame | None:
        """Waits until the next frame is due, at most ``timeout_s``; None when paused, ended or not due yet."""
        recording = self._opened()
        if self._status is not SourceStatus.STREAMING and not self._is_due_at_once:
            self._clock.sleep(timeout_s)
            return None
        due_s = self._clock.now_s() if self._is_due_at_once else self._due_s()
        wait_s = due_s - self._clock.now_s()
        if wait_s > timeout_s:
            self._clock.sleep(timeout_s)
            return None
        self._clock.sleep(wait_s)
        is_late = wait_s < -LATEST_S
        if self._is_due_at_once or is_late or self._next == 0:  # time starts anew here
            self._anchor_index, self._anchor_s = self._next, self._clock.now_s() if is_late else due_s
        self._is_due_at_once = False
        return self._deliver(recording)

    def close(self) -> None:
        """Releases the recording and its video."""
        if self._video is not None:
            self._video.close()
        self._video = None
        self._recording = None

    @property
    def status(self) -> SourceStatus:
        """STREAMING, PAUSED or ENDED."""
        return self._status

    def color(self) -> np.ndarray | None:
        """Returns the video's picture at the time of the last frame read, (H, W, 3) uint8 RGB, or None."""
        if self._video is None or self._current < 0:
            return None
        return self._video.picture(self._time_of(self._current))

    @property
    def position(self) -> Position | None:
        """Where playback stands: at the last frame read."""
        index = max(self._current, 0)
        time_s = self._time_of(index) if self._recording is not None else 0.0
        return Position(time_s=time_s, index=index, speed=self._speed, is_looping=self._is_looping)

    def lead_in(self, span_s: float) -> Sequence[BodyFrame]:
        """Returns the frames of the ``span_s`` seconds before the last frame read, oldest first."""
        recording = self._opened()
        current = max(self._current, 0)
        first = recording.index_at(float(recording.times_s[current]) - span_s)
        return [recording.frames[index] for index in range(first, current)]

    def apply(self, command: Transport) -> None:
        """Carries out a transport command.

        Play at the end starts again; a seek keeps a pause and shows the frame it reached; a step pauses.
        """
        recording = self._opened()
        if command.play is not None:
            self._play() if command.play else self._pause()
        if command.step is not None:
            # Of two steps between two reads the second goes on from where the first one leads.
            is_on_its_way = self._is_due_at_once and self._current >= 0
            self._go_to((self._next if is_on_its_way else self._current) + command.step)
            self._status = SourceStatus.PAUSED
        if command.seek_s is not None:
            self._go_to(recording.index_at(float(recording.times_s[0]) + command.seek_s))
            if self._status is SourceStatus.ENDED:
                self._status = SourceStatus.STREAMING
        if command.speed is not None:
            self._speed = _checked(command.speed)
            self._anchor(at=self._current)
        if command.loop is not None:
            self._is_looping = command.loop

    def _play(self) -> None:
        if self._status is SourceStatus.ENDED:
            self._go_to(0)
        elif self._status is SourceStatus.PAUSED:
            self._anchor(at=self._current)
        self._status = SourceStatus.STREAMING

    def _pause(self) -> None:
        if self._status is SourceStatus.STREAMING:
            self._status = SourceStatus.PAUSED

    def _go_to(self, index: int) -> None:
        """Makes ``index`` (clipped to the recording) the next frame, due at once."""
        self._next = min(max(index, 0), len(self._opened().frames) - 1)
        self._is_due_at_once = True

    def _rewind(self) -> None:
        self._status = SourceStatus.STREAMING
        self._current = -1
        self._next = 0
        self._is_due_at_once = True  # the first frame starts the clock
        self._anchor_index = 0
        self._anchor_s = 0.0

    def _anchor(self, *, at: int) -> None:
        """Ties the frame ``at`` to the wall clock's now.

        Every due time is counted from here, so waiting too long once does not shift what follows.
        """
        self._anchor_index = max(at, 0)
        self._anchor_s = self._clock.now_s()

    def _due_s(self) -> float:
        if math.isinf(self._speed):
            return self._clock.now_s()
        ahead_s = self._time_of(self._next) - self._time_of(self._anchor_index)
        if self._next == 0:  # the loop's first frame: one frame time after the last
            ahead_s = self._time_of(self._current) - self._time_of(self._anchor_index)
            ahead_s += 1.0 / max(self._opened().info.rate_hz, 1.0)
        return self._anchor_s + ahead_s / self._speed

    def _deliver(self, recording: Recording) -> BodyFrame:
        index = self._next
        self._current = index
        self._next = index + 1
        if self._next == len(recording.frames):
            self._next = 0
            if not self._is_looping and self._status is SourceStatus.STREAMING:
                self._status = SourceStatus.ENDED
        return dataclasses.replace(recording.frames[index], arrival_s=self._clock.now_s())

    def _time_of(self, index: int) -> float:
        """Seconds from the recording's first frame to frame ``index``."""
        times_s = self._opened().times_s
        return float(times_s[index] - times_s[0])

    def _opened(self) -> Recording:
        if self._recording is None:
            raise ValueError("the source is not open")
        return self._recording

    def _open_video(self, recording: Recording) -> ColorVideo | PictureReader | None:
        if self._video_path is not None:
            return _opened_video(self._video_path)
        if recording.info.color_video is None:
            return None
        try:
            return _opened_video(recording.info.color_video)
        except SourceUnavailable as error:  # nobody asked for it: the bodies are worth showing without
            LOGGER.warning("%s", error)
            return None


def _read(path: Path) -> Recording:
    from skeleton.formats.table import open_recording  # the formats' libraries load only when a file is opened

    return open_recording(path)


def _opened_video(path: Path) -> ColorVideo | PictureReader:
    return PictureReader(path) if is_picture_file(path) else ColorVideo(path)


def _name(recording: Recording) -> str:
    return recording.info.path.name if recording.info.path else "recording"


def _checked(speed: float) -> float:
    if not speed > 0:
        raise ValueError(f"speed must be positive, found {speed}")
    return speed


def _fitted_color_map(recording: Recording) -> tuple[float, ...] | None:
    """The color map that the recording's own pixels give (NTU files hold them), or None without pixels."""
    if not _has_pixels(recording):
        return None
    from calibration.color_map import fit_recording

    try:
        return fit_recording(recording).coefficients
    except CalibrationError as error:
        LOGGER.info("no color map from the recording: %s", error)
        return None


def _stored_color_map(recording: Recording) -> tuple[float, ...] | None:
    """What is stored of the sensor that made the recording, or None."""
    from calibration import store

    try:
        stored = store.load(recording.info.sensor_id)
    except CalibrationError as error:
        LOGGER.warning("%s", error)
        return None
    return stored.color_map.coefficients if stored is not None and stored.color_map is not None else None


def _has_pixels(recording: Recording) -> bool:
    """Whether joints carry color pixels; looks at few frames, because building all of a long recording's is slow."""
    for index in np.linspace(0, len(recording.frames) - 1, PROBED_FRAMES).astype(int):
        for body in recording.frames[int(index)].bodies:
            return body.details is not None and body.details.color_px is not None
    return False
