"""The last seconds of every body, and the windows a model takes out of them.

The source's thread appends, the recognizer's thread asks for windows: one lock guards both, held for copying only.

What is kept is bounded: the model's span and a margin for every body that is in view or left less than
:data:`KEEP_S` ago. A window is exactly what ``skeleton.window.cut`` gives on all frames since the body appeared.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from calibration.floor import Floor
from calibration.leveling import level
from skeleton.frames import Body, BodyFrame
from skeleton.window import MAX_GAP_S, Window, cut

KEEP_S = 0.5
"""A body that is out of view for longer is forgotten; under the same id it starts anew."""
WARM_UP_SHARE = 0.8
"""A body gets windows once its frames cover this share of the span. What is missing at the start is masked as
unseen, which the models know from training; waiting for all of it would delay the first label by a fifth more."""
LAG_S = 0.5
"""Frames are kept this much longer, for a recognizer that asks for a frame that is no longer the newest; a frame
that is older still is not worth recognizing."""
MOST_FRAMES = 8192
"""Frames kept of one body: beyond any sensor; it bounds memory when a source's clock does not move."""
FIRST_CAPACITY = 64
_Frames: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # times (F,), joints (F, V, 3), seen (F, V)


@dataclass(frozen=True, slots=True)
class Presence:
    """What the history knows of one body at one frame.

    Attributes:
        body_id: Tracking id.
        last_seen_s: Sensor time of its newest frame, at most that of the frame asked for.
        warm_up: Share of its first window that is filled, 0..1, where 1 means that windows are given.
        is_in_view: Whether the frame has it.
    """

    body_id: int
    last_seen_s: float
    warm_up: float
    is_in_view: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a recognizer needs to know at one frame.

    Attributes:
        bodies: All bodies that are in view or left less than ``KEEP_S`` ago.
        windows: One for every body in view that is warmed up, ending at the frame.
    """

    bodies: tuple[Presence, ...]
    windows: tuple[Window, ...]


class History:
    """The last seconds of every body.

    Args:
        joint_indices: For each of the model's joints its index in the source's layout.
        span_s: Seconds that a window spans.
        frame_count: T, frames of a window.
    """

    def __init__(self, joint_indices: np.ndarray, *, span_s: float, frame_count: int) -> None:
        self._joint_indices = joint_indices
        self._span_s = span_s
        self._frame_count = frame_count
        self._lock = threading.Lock()
        self._tracks: dict[int, _Track] = {}
        self._newest_s = -np.inf
        self._generation = 0

    def append(self, frame: BodyFrame) -> int | None:
        """Adds a frame.

        Returns:
            The generation that the frame belongs to: it changes when the clock jumps backwards (a seek, a loop, a
            new source), and everything before is forgotten then. None for a frame with the time of the one before,
            which is left out.
        """
        with self._lock:
            if frame.time_s == self._newest_s:
                return None
            if frame.time_s < self._newest_s:
                self._clear()
            self._newest_s = frame.time_s
            for body in frame.bodies:
                self._append(body, frame.time_s)
            gone = [key for key, track in self._tracks.items() if frame.time_s - track.newest_s > KEEP_S]
            for key in gone:
                del self._tracks[key]
            return self._generation

    def clear(self) -> None:
        """Forgets everything: the next frame has nothing to do with those before."""
        with self._lock:
            self._clear()

    def snapshot(self, frame: BodyFrame, generation: int, *, floor: Floor | None = None) -> Snapshot | None:
        """Returns the bodies and windows at a frame that was appended, or None when that was too long ago.

        Args:
            frame: The frame.
            generation: What ``append`` gave for it.
            floor: What the windows are leveled by, all of one window by the same floor; None leaves them as they are.
        """
        with self._lock:
            if generation != self._generation or frame.time_s < self._newest_s - LAG_S:
                return None
            in_view = {body.tracking_id for body in frame.bodies}
            bodies = tuple(
                # A body that is not in view may be back already, in a frame that is newer than this one.
                self._presence(key, track, min(track.newest_s, frame.time_s), key in in_view)
                for key, track in self._tracks.items()
                if key in in_view or track.first_s < frame.time_s
            )
            copies = [
                (body.body_id, self._tracks[body.body_id].until(frame.time_s))
                for body in bodies
                if body.is_in_view and body.warm_up >= 1.0
            ]
        return Snapshot(bodies=bodies, windows=self._windows(frame.time_s, copies, floor))

    @property
    def frames_kept(self) -> int:
        """Frames of all bodies that are held in memory."""
        with self._lock:
            return sum(len(track) for track in self._tracks.values())

    def _append(self, body: Body, time_s: float) -> None:
        track = self._tracks.get(body.tracking_id)
        if track is not None and time_s - track.newest_s > KEEP_S:
            track = None
        if track is None:
            track = self._tracks[body.tracking_id] = _Track(len(self._joint_indices), time_s)
        # A frame that names a body twice is damaged; the first one counts.
        if track.newest_s != time_s or not len(track):
            track.append(time_s, body.joints[self._joint_indices], body.seen[self._joint_indices])
            track.forget_before(time_s - self._span_s - MAX_GAP_S - LAG_S)

    def _clear(self) -> None:
        self._tracks.clear()
        self._newest_s = -np.inf
        self._generation += 1

    def _presence(self, key: int, track: _Track, last_seen_s: float, is_in_view: bool) -> Presence:
        warm_up = (last_seen_s - track.first_s) / (WARM_UP_SHARE * self._span_s)
        # Times such as 1000.0333 do not subtract exactly: a millionth is not worth another frame's wait.
        return Presence(key, last_seen_s, min(max(warm_up, 0.0) + 1e-6, 1.0), is_in_view)

    def _windows(self, end_s: float, tracks: list[tuple[int, _Frames]], floor: Floor | None) -> tuple[Window, ...]:
        """Cuts all bodies at once: as the joints of one, on one time axis, where an absent body is unseen."""
        if not tracks:
            return ()
        times_s, joints, seen = _side_by_side([frames for _, frames in tracks])
        bodies, joint_count = len(tracks), len(self._joint_indices)
        even_joints, even_seen = cut(
            times_s,
            joints.reshape(len(times_s), bodies * joint_count, 3),
            seen.reshape(len(times_s), bodies * joint_count),
            start_s=end_s - self._span_s,
            end_s=end_s,
            frame_count=self._frame_count,
        )
        if floor is not None:
            even_joints = level(even_joints, floor.plane)
        even_joints = even_joints.reshape(self._frame_count, bodies, joint_count, 3)
        even_seen = even_seen.reshape(self._frame_count, bodies, joint_count)
        return tuple(
            Window((key,), end_s, even_joints[None, :, place], even_seen[None, :, place])
            for place, (key, _) in enumerate(tracks)
        )


def _side_by_side(tracks: list[_Frames]) -> _Frames:
    """Puts the tracks of B bodies on one time axis: joints (F, B, V, 3) and seen (F, B, V), unseen where absent."""
    first_s = tracks[0][0]
    if all(np.array_equal(times, first_s) for times, _, _ in tracks[1:]):  # everybody was in view all the time
        joints, seen = (np.stack([track[part] for track in tracks], axis=1) for part in (1, 2))
        return first_s, joints, seen
    times_s = np.unique(np.concatenate([times for times, _, _ in tracks]))
    joint_count = tracks[0][2].shape[1]
    joints = np.zeros((len(times_s), len(tracks), joint_count, 3), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for place, (times, body_joints, body_seen) in enumerate(tracks):
        rows = np.searchsorted(times_s, times)
        joints[rows, place], seen[rows, place] = body_joints, body_seen
    return times_s, joints, seen


class _Track:
    """The frames of one body in arrays that are written at the end and moved to the front when full."""

    def __init__(self, joint_count: int, first_s: float) -> None:
        self.first_s = self.newest_s = first_s
        self._times = np.empty(FIRST_CAPACITY)
        self._joints = np.empty((FIRST_CAPACITY, joint_count, 3), dtype=np.float32)
        self._seen = np.empty((FIRST_CAPACITY, joint_count), dtype=bool)
        self._start = self._end = 0
        # Joints that were seen in frames that are gone: see until().
        self._seen_before = np.zeros(joint_count, dtype=bool)

    def __len__(self) -> int:
        return self._end - self._start

    def append(self, time_s: float, joints: np.ndarray, seen: np.ndarray) -> None:
        if self._end == len(self._times):
            self._make_room()
        self._times[self._end], self._joints[self._end], self._seen[self._end] = time_s, joints, seen
        self._end += 1
        self.newest_s = time_s

    def forget_before(self, time_s: float) -> None:
        start = self._start + int(np.searchsorted(self._times[self._start : self._end], time_s))
        start = max(start, self._end - MOST_FRAMES)
        if start > self._start:
            self._seen_before |= self._seen[self._start : start].any(axis=0)
            self._start = start

    def until(self, end_s: float) -> _Frames:
        """Copies of times, joints and seen up to ``end_s``, as ``cut`` takes them.

        Whether a joint's gap is bridged depends on when it was last seen, however long ago. Of the frames that are
        gone only that matters (they are too old to be bridged to), so one frame stands for all of them: long ago,
        with every joint that was seen in any of them.
        """
        end = self._start + int(np.searchsorted(self._times[self._start : self._end], end_s, side="right"))
        times, joints, seen = (array[self._start : end] for array in (self._times, self._joints, self._seen))
        if not self._seen_before.any():
            return times.copy(), joints.copy(), seen.copy()
        return (
            np.concatenate([[self._times[self._start] - 1.0], times]),
            np.concatenate([np.zeros_like(joints[:1]), joints]),
            np.concatenate([self._seen_before[None], seen]),
        )

    def _make_room(self) -> None:
        """Moves what is kept to the front, into arrays twice as large where it fills more than half."""
        count = len(self)
        capacity = len(self._times) * (2 if count > len(self._times) // 2 else 1)
        for name in ("_times", "_joints", "_seen"):
            old = getattr(self, name)
            new = np.empty((capacity, *old.shape[1:]), dtype=old.dtype)
            new[:count] = old[self._start : self._end]
            setattr(self, name, new)
        self._start, self._end = 0, count
