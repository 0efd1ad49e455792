"""The last seconds of every person, and the windows a model takes out of them.

The source's thread appends, the recognizer's thread asks for windows: one lock guards both, held for copying only.
After a jump in a recording the recognizer's thread appends what lies before it, while the source's waits.

What is kept is bounded: the model's span and a margin for everybody who is in view or was less than
:data:`KEEP_S` ago. A window is exactly what ``skeleton.window.cut`` gives on all frames since the person appeared, be
it under several tracking ids.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.floor import Floor
from calibration.leveling import level
from live.identity import KEEP_S, Identities
from live.track import LAG_S, Frames, Track, side_by_side
from skeleton.frames import Body, BodyFrame, seen_joints
from skeleton.window import MAX_GAP_S, Window, cut

WARM_UP_SHARE = 0.8
"""A body gets windows once its frames cover this share of the span. What is missing at the start is masked as
unseen, which the models know from training; waiting for all of it would delay the first label by a fifth more."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What the history knows of one person at one frame.

    Attributes:
        body_id: Tracking id, in that frame or when last seen before it.
        person: Number of the person, kept when the id changes.
        last_seen_s: Sensor time of its newest frame, at most that of the frame asked for.
        warm_up: Share of its first window that is filled, 0..1, where 1 means that windows are given.
        is_in_view: Whether the frame has it.
    """

    body_id: int
    person: int
    last_seen_s: float
    warm_up: float
    is_in_view: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a recognizer needs to know at one frame.

    Attributes:
        bodies: Everybody who is in view or was less than ``KEEP_S`` ago.
        windows: One for every body in view that is warmed up, ending at the frame.
    """

    bodies: tuple[Presence, ...]
    windows: tuple[Window, ...]


class History:
    """The last seconds of everybody.

    Args:
        joint_indices: For each of the model's joints its index in the source's layout.
        span_s: Seconds that a window spans.
        frame_count: T, frames of a window.
        bones: Of the source's layout, for ``Identities``; without any, a new tracking id is a new person.
        first_person: The number of the first person.
    """

    def __init__(
        self,
        joint_indices: np.ndarray,
        *,
        span_s: float,
        frame_count: int,
        bones: Sequence[tuple[int, int]] = (),
        first_person: int = 1,
    ) -> None:
        self._joint_indices = joint_indices
        self._span_s = span_s
        self._frame_count = frame_count
        self._lock = threading.Lock()
        self._identities = Identities(bones, first_person=first_person)
        self._tracks: dict[int, Track] = {}  # by the person's number
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
            people = self._identities.settle(frame)
            for body, joints, seen in zip(frame.bodies, *self._model_joints(frame.bodies)):
                self._append(people[body.tracking_id], body.tracking_id, joints, seen, frame.time_s)
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
            bodies = tuple(
                self._presence(person, track, frame.time_s)
                for person, track in self._tracks.items()
                if track.first_s <= frame.time_s
            )
            ready = [body for body in bodies if body.is_in_view and body.warm_up >= 1.0]
            if not ready:
                return Snapshot(bodies=bodies, windows=())
            frames = side_by_side([self._tracks[body.person].until(frame.time_s) for body in ready])
        body_ids = [body.body_id for body in ready]
        return Snapshot(bodies=bodies, windows=self._windows(frame.time_s, body_ids, frames, floor))

    @property
    def next_person(self) -> int:
        """The number of the next new person."""
        return self._identities.next_person

    @property
    def frames_kept(self) -> int:
        """Frames of all bodies that are held in memory."""
        with self._lock:
            return sum(len(track) for track in self._tracks.values())

    def _model_joints(self, bodies: Sequence[Body]) -> tuple[np.ndarray, np.ndarray]:
        """The model's joints of B bodies, (B, V, 3), and which were seen, (B, V): for all of them at once."""
        if not bodies:
            return np.empty((0, 0, 3)), np.empty((0, 0))
        joints = np.array([body.joints for body in bodies]).take(self._joint_indices, axis=1)
        state = np.array([body.state for body in bodies]).take(self._joint_indices, axis=1)
        return joints, seen_joints(joints, state)

    def _append(self, person: int, body_id: int, joints: np.ndarray, seen: np.ndarray, time_s: float) -> None:
        track = self._tracks.get(person)
        if track is not None and time_s - track.newest_s > KEEP_S:
            track = None
        if track is None:
            track = self._tracks[person] = Track(len(self._joint_indices), time_s)
        # A frame that names a body twice is damaged; the first one counts.
        if track.newest_s != time_s or not len(track):
            track.append(time_s, body_id, joints, seen)
            track.forget_before(time_s - self._span_s - MAX_GAP_S - LAG_S)

    def _clear(self) -> None:
        self._tracks.clear()
        self._identities.forget_places()
        self._newest_s = -np.inf
        self._generation += 1

    def _presence(self, person: int, track: Track, time_s: float) -> Presence:
        # A person who is not in view may be back already, in a frame that is newer than this one.
        last_seen_s = track.last_seen_s(time_s)
        warm_up = (last_seen_s - track.first_s) / (WARM_UP_SHARE * self._span_s)
        return Presence(
            body_id=track.id_at(time_s),
            person=person,
            last_seen_s=last_seen_s,
            # Times such as 1000.0333 do not subtract exactly: a millionth is not worth another frame's wait.
            warm_up=min(max(warm_up, 0.0) + 1e-6, 1.0),
            is_in_view=last_seen_s == time_s,
        )

    def _windows(
        self, end_s: float, body_ids: Sequence[int], frames: Frames, floor: Floor | None
    ) -> tuple[Window, ...]:
        """Cuts all bodies at once: as the joints of one, on one time axis, where an absent body is unseen."""
        times_s, joints, seen = frames
        bodies, joint_count = len(body_ids), len(self._joint_indices)
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
            Window((body_id,), end_s, even_joints[None, :, place], even_seen[None, :, place])
            for place, body_id in enumerate(body_ids)
        )
