"""The stage of the synthetic performers: who is where, who comes and goes, and what the sensor sees of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from live.sources.performer_agenda import Performance, Performer
from live.sources.performer_sensor import (
    FARTHEST_M,
    SENSOR_HEIGHT_M,
    clipped_edges,
    hand_states,
    hidden,
    in_view,
)
from skeleton.frames import Body

FIRST_ID = 72057594037928000
"""Kinect tracking ids are 64-bit numbers of this size (2**56 and more): no float can hold them."""

_FEW_M = {
    1: ((0.0, 2.7),),
    2: ((-0.8, 2.7), (0.8, 3.1)),
    3: ((0.0, 2.5), (-1.05, 3.3), (1.05, 3.3)),
}
_MANY_M = ((0.0, 2.75), (-1.44, 3.1), (1.44, 3.1), (-0.72, 3.9), (0.72, 3.9), (2.16, 4.0))
"""Where people stand: across, and away from the sensor, meters. Columns differ, so that all can walk in and out."""

_HANDS_SEEN = 2  # the SDK computes hand states for two bodies only
_FIRST_S = -0.6  # the first person is on the way when time begins
MOST_PAST = 20_000
"""Repetitions of people who left that are remembered: hours, so that a demo that plays for a week does not grow."""
_STAY_S, _AWAY_S = (50.0, 120.0), (2.0, 6.0)


class Stage:
    """All people and the sensor.

    Args:
        people: How many at most.
        seed: Where chance begins.
        comings_and_goings: Whether people leave and others come.
    """

    def __init__(self, people: int, seed: int, *, comings_and_goings: bool) -> None:
        self._rng = np.random.default_rng((seed, 0))
        self._comings_and_goings = comings_and_goings
        self._height_m = float(self._rng.uniform(*SENSOR_HEIGHT_M))
        self.floor = (0.0, 1.0, 0.0, self._height_m)
        self._places_m = _FEW_M.get(people, _MANY_M)
        self._last_id = FIRST_ID
        self._past: deque[Performance] = deque(maxlen=MOST_PAST)
        self._performers = [self._enter(place, _FIRST_S + 0.3 * place) for place in range(people)]

    def bodies(self, times_s: np.ndarray) -> list[tuple[Body, ...]]:
        """Returns what the sensor reports at each of ``times_s``, which must increase, from call to call as well."""
        self._decide(float(times_s[-1]))
        truth = [performer.joints(times_s) for performer in self._performers]
        frames: list[list[Body]] = [[] for _ in times_s]
        for performer, joints in zip(self._performers, truth):
            self._observe(performer, times_s, joints, truth, frames)
        for performer in self._performers:
            performer.forget(float(times_s[-1]))
        return [tuple(bodies) for bodies in frames]

    def performances(self, until_s: float) -> list[Performance]:
        """Returns the repetitions that ended by ``until_s``, by start."""
        every = [*self._past] + [
            performance for performer in self._performers for performance in performer.performances
        ]
        return sorted((p for p in every if p.end_s <= until_s), key=lambda p: (p.start_s, p.body_id))

    def _decide(self, until_s: float) -> None:
        """Lets people decide, in the order of time, until everyone has something to do at ``until_s``."""
        while (performer := min(self._performers, key=lambda a: a.next_s)).next_s <= until_s:
            if performer.is_gone:
                self._past += performer.performances
                index = self._performers.index(performer)
                self._performers[index] = self._enter(
                    performer.place, performer.next_s + float(self._rng.uniform(*_AWAY_S))
                )
                continue
            performer.decide(
                [claim for other in self._performers if other is not performer for claim in other.claims]
            )

    def _observe(
        self,
        performer: Performer,
        times_s: np.ndarray,
        joints: np.ndarray,
        everyone: Sequence[np.ndarray],
        frames: list[list[Body]],
    ) -> None:
        present = in_view(joints[:, 0]) & (joints[:, 0, 2] < FARTHEST_M)
        if not present.any():
            return
        shown, seen = joints[present], in_view(joints[present])
        is_hidden = ~seen
        for other in everyone:
            if _may_hide(other[present], shown):
                is_hidden |= hidden(shown, other[present])
        reported, state = performer.sensor.observe(times_s[present], shown, is_hidden)
        for row, index in enumerate(np.flatnonzero(present)):
            clip = performer.clip_at(float(times_s[index]))
            is_busy = clip is not None and clip.label is not None
            hands = hand_states(state[row], is_busy=is_busy) if len(frames[index]) < _HANDS_SEEN else (0, 0)
            edges = clipped_edges(shown[row])
            frames[index].append(Body(performer.body_id, reported[row], state[row], hands, edges))

    def _enter(self, place: int, enters_s: float) -> Performer:
        stays_s = float(self._rng.uniform(*_STAY_S)) if self._comings_and_goings else np.inf
        self._last_id += int(self._rng.integers(1, 50))
        return Performer(
            self._last_id,
            place,
            self._rng.spawn(1)[0],
            place_m=self._places_m[place],
            enters_s=enters_s,
            leaves_s=enters_s + stays_s,
            height_m=self._height_m,
        )


def _may_hide(front: np.ndarray, behind: np.ndarray) -> bool:
    """Whether the directions to two bodies (F, 25, 3) overlap across at all."""
    ahead, back = front[..., 0] / front[..., 2], behind[..., 0] / behind[..., 2]
    # fmin and fmax look past the NaN of one who is only partly there.
    low, high = np.fmin.reduce(ahead, axis=None), np.fmax.reduce(ahead, axis=None)
    return bool(low - 0.1 < back.max() and back.min() < high + 0.1)
