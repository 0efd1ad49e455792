"""One stretch of a synthetic performer's movement: three postures, a way through them, feet that do not slide.

A clip is closed-form in time: it can be evaluated at any sensor times and gives the same joints however it is
sampled. Clips that follow one another do so without a jump.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from live.sources.performer_body import ANKLES, BONES, LEFT, RIGHT, Person, joints_from, plant, stand_on_floor, unit
from live.sources.performer_exercises import minimum_jerk
from skeleton.layout import KINECT_V2

SWAY_M = 0.006
"""Amplitude of each of the slow waves in which a standing person keeps balance (posturography: about 5 mm rms)."""
_SWAY_HZ = (0.21, 0.34, 0.17, 0.29)
_RESTLESS = 0.25  # share of their habits by which held arms drift
_DRIFTS = np.array([[KINECT_V2.joints[child].startswith(("Elbow", "Wrist", "Head"))] for _, child in BONES])

BOTH, ON_LEFT, ON_RIGHT = (LEFT, RIGHT), (LEFT,), (RIGHT,)
"""Which feet carry the body."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One stretch of movement.

    Attributes:
        start_s: When it begins.
        end_s: When it ends.
        keys: (3, 24, 3) bone directions at the start, halfway and at the end, or at the peak of a repetition.
        at_m: (2,) where the pelvis is when it begins: to the right of, and behind, the person's place.
        progress: How far the way through the keys is gone, for each share of the duration.
        stance: Which feet carry the body: their mean place stays.
        is_planted: Whether the carrying feet keep their very places.
        reach: Share of the way to the last key that is reached.
        label: The exercise, for a repetition; None for everything else.
        side: The working side of a repetition, LEFT or RIGHT.
    """

    start_s: float
    end_s: float
    keys: np.ndarray
    at_m: np.ndarray
    progress: Callable[[np.ndarray], np.ndarray] = minimum_jerk
    stance: tuple[int, ...] = BOTH
    is_planted: bool = True
    reach: float = 1.0
    label: str | None = None
    side: int = RIGHT

    def joints(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """Returns (F, 25, 3) joints in the body's frame, meters; y = 0 is the floor."""
        still = self._without_sway(np.append(self.start_s, times_s), person)
        at_start, still = still[0], still[1:]
        sway = SWAY_M * _waves(times_s, person.sway_phases[:4])
        joints = still.copy()
        joints[:, :, 0] += (sway[0] + sway[1])[:, None]
        joints[:, :, 2] += (sway[2] + sway[3])[:, None]
        for side in (LEFT, RIGHT):
            ankle = still[:, ANKLES[side]].copy()
            if self.is_planted and side in self.stance:
                ankle[:, [0, 2]] = at_start[ANKLES[side], [0, 2]]
            plant(joints, person, side, ankle)
        return joints

    def end_m(self, person: Person) -> np.ndarray:
        """Returns (2,) where the pelvis is when the clip ends."""
        return self._without_sway(np.array([self.start_s, self.end_s]), person)[1, 0, [0, 2]]

    def _directions(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """(F, 24, 3) bone directions."""
        share = (times_s - self.start_s) / (self.end_s - self.start_s)
        p = (self.progress(share) * self.reach)[:, None, None]
        # The parabola through the three keys.
        way = self.keys[0] * (1 - p) * (1 - 2 * p) + self.keys[1] * 4 * p * (1 - p) + self.keys[2] * p * (2 * p - 1)
        return unit(unit(way) + person.habits * (1 + _restless(times_s, person)))

    def _without_sway(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """(F, 25, 3) joints; the first time must be the clip's start, where the carrying feet are."""
        joints = stand_on_floor(joints_from(self._directions(times_s, person), person), person)
        feet = joints[:, [ANKLES[side] for side in self.stance]].mean(axis=1)
        shift = feet[0] - feet
        shift[:, 1] = 0
        shift[:, [0, 2]] += self.at_m
        return joints + shift[:, None]


def steady(share: np.ndarray) -> np.ndarray:
    """Progress at one speed, as in walking."""
    return np.clip(share, 0.0, 1.0)


def _waves(times_s: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """(4, F) slow sine waves."""
    return np.sin(2 * np.pi * np.outer(_SWAY_HZ, times_s) + phases[:, None])


def _restless(times_s: np.ndarray, person: Person) -> np.ndarray:
    """(F, 24, 1) by which share a person's habits change with time; arms and head alone."""
    return _RESTLESS / 2 * _waves(times_s, person.sway_phases[4:]).sum(axis=0)[:, None, None] * _DRIFTS
