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
        self._has_stand_in = False  # whether one frame before the first stands for those that are gone: see until()

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
        since_s, body_id = self._ids[-1]
        if since_s <= time_s:  # nearly always
            return body_id
        return next((body_id for since_s, body_id in reversed(self._ids) if since_s <= time_s), self._ids[0][1])

    def last_seen_s(self, time_s: float) -> float:
        """Returns the time of the newest frame up to a time; the first that is kept where all are newer."""
        if time_s >= self.newest_s:  # nearly always
            return self.newest_s
        return float(self._times[max(self._end_at(time_s) - 1, self._start)])

    def forget_before(self, time_s: float) -> None:
        """Drops frames that are older than the newest and than a time, and the oldest of too many."""
        while (self._times[self._start] < time_s and len(self) > 1) or len(self) > MOST_FRAMES:
            self._drop_first()

    def until(self, end_s: float) -> Frames:
        """Returns times, joints and seen up to ``end_s``, as ``cut`` takes them; not copies.

        Whether a joint's gap is bridged depends on when it was last seen, however long ago. Of the frames that are
        gone only that matters (they are too old to be bridged to), so one frame stands for all of them: long ago,
        with every joint that was seen in any of them.
        """
        start, end = self._start - self._has_stand_in, self._end_at(end_s)
        return self._times[start:end], self._joints[start:end], self._seen[start:end]

    def _end_at(self, time_s: float) -> int:
        """The place after the last frame up to a time."""
        if time_s >= self.newest_s:  # nearly always
            return self._end
        return self._start + int(self._times[self._start : self._end].searchsorted(time_s, side="right"))

    def _drop_first(self) -> None:
        """Makes the first frame the one that stands for all that are gone."""
        first = self._start
        if self._has_stand_in:
            self._seen[first] |= self._seen[first - 1]
        self._joints[first], self._times[first] = 0, self._times[first + 1] - 1.0
        self._start, self._has_stand_in = first + 1, True

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
    is_one_axis = len({times.tobytes() for times, _, _ in tracks}) == 1  # everybody was in view all the time
    times_s = tracks[0][0].copy() if is_one_axis else np.unique(np.concatenate([times for times, _, _ in tracks]))
    joints = np.zeros((len(times_s), len(tracks), *tracks[0][1].shape[1:]), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for place, (times, body_joints, body_seen) in enumerate(tracks):
        rows = slice(None) if is_one_axis else times_s.searchsorted(times)
        joints[rows, place], seen[rows, place] = body_joints, body_seen
    return times_s, joints, seen
