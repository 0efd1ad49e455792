"""Who is who: a small number for every person, kept when the sensor changes an id or loses a body for a moment.

The sensor's tracking id is believed while it lasts and when it comes back. A new id is a new person, unless it
appears where somebody was lost a moment ago, and is as large: then it is that person (docs/decisions/0011). No clock
and no thread: the same frames give the same people, live and offline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skeleton.frames import Body, BodyFrame
from skeleton.layout import TRACKED

KEEP_S = 0.5
"""Who is out of view for longer has left."""
STEP_M, SPEED_M_PER_S = 0.2, 1.5
"""How far from where they were lost people may come back: at once, and more for each second. Walkers of
KinectMultiTrack were farther than 0.22 m after 0.2 s, or 0.48 m after 0.5 s, once in a hundred times."""
SIZE_TOLERANCE = 0.15
"""By how much one frame's bones may be longer or shorter than those of the person who was lost. There, one frame
in a thousand differs by 0.13 from the half second before; a child of ten is 0.2 smaller than an adult."""
CLEARLY_M = 0.15
"""Where another pair is nearer than this beyond the nearest, nobody can tell who is who."""
COMPARED_BODIES = 15
"""A person is as large as the median of so many last frames."""
LEAST_BONE_M = 0.1
"""Shorter bones say nothing of the size."""
FEWEST_JOINTS = 6
"""Tracked before and after; with fewer, and as many bones, there is no telling."""
MOST_IDS = 4096
"""Tracking ids whose person is remembered. The sensor gives a new id to everybody who returns."""


@dataclass(slots=True, eq=False)
class Sighting:
    """What is known of a person who is in view, or was a moment ago.

    Attributes:
        person: The number.
        time_s: Sensor time of the newest body.
        bodies: The newest, oldest first.
    """

    person: int
    time_s: float
    bodies: deque[Body] = field(default_factory=lambda: deque(maxlen=COMPARED_BODIES))

    @property
    def body_id(self) -> int:
        """The tracking id in use."""
        return self.bodies[-1].tracking_id


class Identities:
    """Numbers the people of one source in the order of appearance. Belongs to one thread.

    Args:
        bones: Pairs of joint indices of the source's layout. Without any, sizes cannot be compared, and a new id is
            always a new person.
        first_person: The number of the first person.

    Attributes:
        next_person: The number of the next new person.
    """

    def __init__(self, bones: Sequence[tuple[int, int]], *, first_person: int = 1) -> None:
        self._bones = np.array(bones, dtype=np.int64).reshape(-1, 2)
        self._near: dict[int, Sighting] = {}  # by number: everybody in view or lost a moment ago
        self._known: dict[int, int] = {}  # tracking id -> number
        self.next_person = first_person

    def settle(self, frame: BodyFrame) -> dict[int, int]:
        """Returns the person of every tracking id in the next frame; its time is later than that of the last one."""
        self._near = {key: one for key, one in self._near.items() if frame.time_s - one.time_s <= KEEP_S}
        bodies: dict[int, Body] = {}
        for body in frame.bodies:
            bodies.setdefault(body.tracking_id, body)  # a frame that names an id twice is damaged: the first counts
        people = {one.body_id: one.person for one in self._near.values() if one.body_id in bodies}
        if len(people) < len(bodies):
            self._settle_others(bodies, people, frame.time_s)
        self._note(bodies.values(), people, frame.time_s)
        return people

    def forget_places(self) -> None:
        """Forgets where everybody was, because the next frame has nothing to do with the last; ids keep numbers."""
        self._near.clear()

    def _settle_others(self, bodies: dict[int, Body], people: dict[int, int], time_s: float) -> None:
        """Adds to ``people`` those whose tracking id is not that of somebody who was in view a moment ago."""
        for body_id in bodies:
            person = self._known.get(body_id)
            # Not where that person went on under another id, and is in view.
            if body_id not in people and person is not None and person not in people.values():
                people[body_id] = person
        strangers = [body for body_id, body in bodies.items() if body_id not in people]
        if strangers:
            lost = [one for one in self._near.values() if one.person not in people.values()]
            people |= returned(strangers, lost, time_s=time_s, bones=self._bones)
        for body_id in bodies:
            if body_id not in people:
                people[body_id] = self.next_person
                self.next_person += 1

    def _note(self, bodies: Iterable[Body], people: dict[int, int], time_s: float) -> None:
        for body in bodies:
            person = people[body.tracking_id]
            sighting = self._near.get(person)
            if sighting is None:
                sighting = self._near[person] = Sighting(person, time_s)
            sighting.time_s = time_s
            sighting.bodies.append(body)
            self._known.pop(body.tracking_id, None)  # to the end: the ids that were seen last are remembered longest
            self._known[body.tracking_id] = person
        while len(self._known) > MOST_IDS:
            del self._known[next(iter(self._known))]


def returned(
    strangers: Sequence[Body], lost: Sequence[Sighting], *, time_s: float, bones: np.ndarray
) -> dict[int, int]:
    """Returns which strangers are people who were lost: tracking id -> number.

    The nearest go together first. Who is about as near to two, or has two about as near, stays a stranger.

    Args:
        strangers: Bodies of one frame under new ids.
        lost: People who are not in that frame.
        time_s: Of the frame.
        bones: (N, 2) joint indices.
    """
    if not lost or not len(bones):
        return {}
    distances = _distances_m(strangers, [one.bodies[-1] for one in lost])
    distances[distances > STEP_M + SPEED_M_PER_S * (time_s - np.array([one.time_s for one in lost]))] = np.inf
    for column in np.flatnonzero(np.isfinite(distances).any(axis=0)):
        distances[~are_as_large(strangers, lost[column].bodies, bones), column] = np.inf
    people: dict[int, int] = {}
    while np.isfinite(distances).any():
        row, column = divmod(int(np.argmin(distances)), len(lost))
        limit_m = distances[row, column] + CLEARLY_M
        rows, columns = distances[:, column] < limit_m, distances[row] < limit_m
        if rows.sum() == columns.sum() == 1:
            people[strangers[row].tracking_id] = lost[column].person
        distances[rows], distances[:, columns] = np.inf, np.inf
    return people


def are_as_large(bodies: Sequence[Body], before: Collection[Body], bones: np.ndarray) -> np.ndarray:
    """Returns (B,) which bodies have bones (N, 2) as long as one person's before, by the median of their ratios."""
    old_m = _medians(_lengths_m(before, bones))
    old_m[~(old_m >= LEAST_BONE_M)] = np.nan
    ratios = _lengths_m(bodies, bones) / old_m  # (B, N)
    is_known = np.isfinite(ratios).sum(axis=1) >= FEWEST_JOINTS
    result: np.ndarray = is_known & (np.abs(_medians(ratios.T) - 1) <= SIZE_TOLERANCE)
    return result


def _distances_m(strangers: Collection[Body], lost: Collection[Body]) -> np.ndarray:
    """(S, L) how far the joints that are tracked in both moved, whatever limbs did; infinity where they are few."""
    moved_m = _tracked(strangers)[:, None] - _tracked(lost)  # (S, L, V, 3)
    count = np.isfinite(moved_m).all(axis=3).sum(axis=2)
    middle_m = _medians(moved_m.transpose(2, 0, 1, 3).reshape(moved_m.shape[2], -1)).reshape(*count.shape, 3)
    return np.where(count >= FEWEST_JOINTS, np.linalg.norm(middle_m, axis=2), np.inf)


def _lengths_m(bodies: Collection[Body], bones: np.ndarray) -> np.ndarray:
    """(B, N) lengths, NaN where an end is not tracked."""
    joints = _tracked(bodies)
    lengths: np.ndarray = np.linalg.norm(joints[:, bones[:, 0]] - joints[:, bones[:, 1]], axis=2)
    return lengths


def _tracked(bodies: Collection[Body]) -> np.ndarray:
    """(B, V, 3) joints, NaN where not tracked."""
    joints = np.array([body.joints for body in bodies], dtype=np.float64)
    is_tracked = np.array([body.state for body in bodies]) == TRACKED
    return np.where(is_tracked[:, :, None] & np.isfinite(joints), joints, np.nan)


def _medians(values: np.ndarray) -> np.ndarray:
    """(N,) upper medians of the columns (R, N) without their NaN; ``nanmedian`` takes ten times as long."""
    count = np.isfinite(values).sum(axis=0)
    result: np.ndarray = np.sort(values, axis=0)[count // 2, np.arange(values.shape[1])]
    return result
