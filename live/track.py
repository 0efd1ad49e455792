"""The frames of one person that are kept, with the tracking ids that the person had. No lock: the history has one."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np

LAG_S = 0.5
"""Frames are kept this much longer, for a recognizer that asks for a frame that is no longer the newest; a frame
that is older still is not worth recognizing."""
MOST_FRAMES = 8192
"""Frames kept of one body: beyond any sensor; it bounds memory when a source's clock does not move."""
FIRST_CAPACITY = 64
Frames: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # times (F,), joints (F, V, 3), seen (F, V)


class Track:
    """The frames of one person in arrays that are written at the end and moved to the front when full."""

    def __init__(self, joint_count: int, first_s: float) -> None:
        self.first_s = self.newest_s = first_s
        self._times = np.empty(FIRST_CAPACITY)
        self._joints = np.empty((FIRST_CAPACITY, joint_count, 3), dtype=np.float32)
        self._seen = np.empty((FIRST_CAPACITY, joint_count), dtype=bool)
        self._start = self._end = 0
        self._ids: list[tuple[float, int]] = []  # since when which tracking id, oldest first
        # Joints that were seen in frames that are gone; one frame before the first stands for all: see until().
        self._seen_before = np.zeros(joint_count, dtype=bool)

    def __len__(self) -> int:
        return self._end - self._start

    def append(self, time_s: float, body_id: int, joints: np.ndarray, seen: np.ndarray) -> None:
        """Adds a frame; its time is later than the last one's."""
        if not self._ids or self._ids[-1][1] != body_id:
            self._change_id(time_s, body_id)
        if self._end == len(self._times):
            self._make_room()
        self._times[self._end], self._joints[self._end], self._seen[self._end] = time_s, joints, seen
        self._end += 1
        self.newest_s = time_s

    def id_at(self, time_s: float) -> int:
        """Returns the tracking id at a time, or before it when the person was out of view."""
        return next((body_id for since_s, body_id in reversed(self._ids) if since_s <= time_s), self._ids[0][1])

    def last_seen_s(self, time_s: float) -> float:
        """Returns the time of the newest frame up to a time; the first that is kept where all are newer."""
        end = int(np.searchsorted(self._times[self._start : self._end], time_s, side="right"))
        return float(self._times[self._start + max(end - 1, 0)])

    def forget_before(self, time_s: float) -> None:
        """Drops older frames, and the oldest of too many."""
        start = self._start + int(np.searchsorted(self._times[self._start : self._end], time_s))
        start = max(start, self._end - MOST_FRAMES)
        if start > self._start:
            self._seen_before |= self._seen[self._start : start].any(axis=0)
            self._start = start
            stand_in = start - 1
            self._times[stand_in] = self._times[start] - 1.0
            self._joints[stand_in], self._seen[stand_in] = 0, self._seen_before

    def until(self, end_s: float) -> Frames:
        """Returns times, joints and seen up to ``end_s``, as ``cut`` takes them; not copies.

        Whether a joint's gap is bridged depends on when it was last seen, however long ago. Of the frames that are
        gone only that matters (they are too old to be bridged to), so one frame stands for all of them: long ago,
        with every joint that was seen in any of them.
        """
        end = self._start + int(np.searchsorted(self._times[self._start : self._end], end_s, side="right"))
        start = self._start - bool(self._seen_before.any())
        return self._times[start:end], self._joints[start:end], self._seen[start:end]

    def _change_id(self, time_s: float, body_id: int) -> None:
        """Notes since when the person has another tracking id; those that nobody can ask for any more are dropped."""
        every = [*self._ids, (time_s, body_id)]
        self._ids = [entry for entry, after in pairwise(every) if after[0] > time_s - LAG_S] + every[-1:]

    def _make_room(self) -> None:
        """Moves what is kept to the front, into arrays twice as large where it fills more than half."""
        first = max(self._start - 1, 0)  # the stand-in too
        count = self._end - first
        capacity = len(self._times) * (2 if count > len(self._times) // 2 else 1)
        for name in ("_times", "_joints", "_seen"):
            old = getattr(self, name)
            new = np.empty((capacity, *old.shape[1:]), dtype=old.dtype)
            new[:count] = old[first : self._end]
            setattr(self, name, new)
        self._start, self._end = self._start - first, count


def side_by_side(tracks: list[Frames]) -> Frames:
    """Copies the tracks of B bodies to one time axis: joints (F, B, V, 3) and seen (F, B, V), unseen where absent."""
    first_s = tracks[0][0]
    if all(np.array_equal(times, first_s) for times, _, _ in tracks[1:]):  # everybody was in view all the time
        joints, seen = (np.stack([track[part] for track in tracks], axis=1) for part in (1, 2))
        return first_s.copy(), joints, seen
    times_s = np.unique(np.concatenate([times for times, _, _ in tracks]))
    joint_count = tracks[0][2].shape[1]
    joints = np.zeros((len(times_s), len(tracks), joint_count, 3), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for place, (times, body_joints, body_seen) in enumerate(tracks):
        rows = np.searchsorted(times_s, times)
        joints[rows, place], seen[rows, place] = body_joints, body_seen
    return times_s, joints, seen
