"""A recording: body frames with the facts about the sensor that made them, whatever file they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.frames import BodyFrame
from skeleton.layout import Layout

COLOR_MAP_TERMS = 20
"""Numbers in a color map: ten cubic coefficients for u, then ten for v (see calibration/color_map.py)."""


GAP_S = 1.0
"""A step in time of at least this is a gap: the sensor was away. Our recorder makes every interruption one."""

LATEST_S = 2.0**62
"""Sensor times lie within plus and minus this: any counter of 63 bits does, and sums of them stay finite."""


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What is true of a whole recording.

    Attributes:
        format: Name of the format, a key of ``skeleton.formats.table.FORMATS``.
        path: The file, or None for frames that never were one.
        layout: Which joints the bodies have.
        rate_hz: Nominal frames per second.
        sensor_id: The sensor's serial number or name; empty when unknown.
        color_map: 20 numbers that map camera space to color pixels, or None.
        floor: Floor plane (x, y, z, w) valid for the whole recording, or None.
        color_video: The color video beside the file, or None.
        created: ISO 8601 date and time of the recording, or empty.
        labels: Free facts such as {"label": "deep squat", "subject": "3"}.
        is_complete: False when the writer ended without closing the file, or a part of it is damaged.
    """

    format: str
    path: Path | None
    layout: Layout
    rate_hz: float = 30.0
    sensor_id: str = ""
    color_map: tuple[float, ...] | None = None
    floor: tuple[float, float, float, float] | None = None
    color_video: Path | None = None
    created: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Frames in time order, with random access.

    Attributes:
        info: What is true of all frames.
        times_s: (F,) float64 sensor times, strictly increasing, seconds.
        frames: F body frames; may read from disk on access.
    """

    info: RecordingInfo
    times_s: np.ndarray
    frames: Sequence[BodyFrame]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.frames):
            raise ValueError(f"{len(self.times_s)} times for {len(self.frames)} frames")
        wrong = np.flatnonzero(~(np.abs(self.times_s) <= LATEST_S))  # NaN is wrong too
        if len(wrong):
            raise RecordingError(
                f"Sensor times must be finite and at most 2**62 s, but {self.info.path or 'the recording'} has frame "
                f"{wrong[0]} at {self.times_s[wrong[0]]:g} s."
            )
        backward = np.flatnonzero(np.diff(self.times_s) <= 0)
        if len(backward):
            raise RecordingError(
                f"Sensor time must increase, but {self.info.path or 'the recording'} has frame {backward[0] + 1} at "
                f"{self.times_s[backward[0] + 1]:.3f} s after {self.times_s[backward[0]]:.3f} s."
            )

    @property
    def duration_s(self) -> float:
        """Time from the first to the last frame, seconds; 0 for fewer than two frames."""
        return float(self.times_s[-1] - self.times_s[0]) if len(self.times_s) > 1 else 0.0

    def gaps(self) -> list[int]:
        """Returns the indices of the frames after a gap: ``GAP_S`` or more after the frame before."""
        return [int(index) + 1 for index in np.flatnonzero(np.diff(self.times_s) >= GAP_S)]

    def index_at(self, time_s: float) -> int:
        """Returns the index of the last frame at or before ``time_s`` (sensor time); 0 before the first."""
        return max(0, int(np.searchsorted(self.times_s, time_s, side="right")) - 1)


def body_track(recording: Recording, tracking_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns one body's frames: times (F,) seconds, joints (F, V, 3) meters, seen (F, V) bool."""
    times, joints, seen = [], [], []
    for time_s, frame in zip(recording.times_s, recording.frames):
        for body in frame.bodies:
            if body.tracking_id == tracking_id:
                times.append(time_s)
                joints.append(body.joints)
                seen.append(body.seen)
    if not times:
        raise ValueError(f"no body {tracking_id} in the recording")
    return np.array(times), np.stack(joints), np.stack(seen)
