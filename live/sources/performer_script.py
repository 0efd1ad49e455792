"""What a synthetic performer does, moment by moment: clips that follow one another without a jump.

A person stands, steps into the start pose of an exercise, repeats it, and steps back to stand. Every clip is
closed-form in time, so it can be evaluated at any sensor times and gives the same joints however it is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from live.sources.performer_body import (
    ANKLES,
    BONE_OF,
    BONES,
    KNEES,
    LEFT,
    RIGHT,
    Person,
    joints_from,
    plant,
    stand_on_floor,
    unit,
)
from live.sources.performer_exercises import EXERCISES, STANDING, Exercise, Timing, minimum_jerk
from skeleton.layout import KINECT_V2

SWAY_M = 0.006
"""Amplitude of each of the slow movements that keep a standing person in balance."""
_SWAY_HZ = (0.21, 0.34, 0.17, 0.29)
_RESTLESS = 0.25  # share of their habits by which held arms drift
_REPETITION_SD = 0.025  # radians; no two repetitions are the same
_STEP_M = 0.04  # feet that move less than this slide instead of stepping
_STEP_LIFT = 0.35

BOTH, ON_LEFT, ON_RIGHT = (True, True), (True, False), (False, True)
_DRIFTS = np.array([[KINECT_V2.joints[child].startswith(("Elbow", "Wrist", "Head"))] for _, child in BONES])


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One stretch of movement.

    Attributes:
        start_s: When it begins.
        end_s: When it ends.
        keys: (3, 24, 3) bone directions at the start, halfway and at the end, or at the peak of a repetition.
        at_m: (2,) where the pelvis is when it begins: to the right of, and behind, the person's place.
        timing: Timing of a repetition; None for a way from the first key to the last.
        stance: Which feet (left, right) carry the body: their mean place stays.
        is_planted: Whether the carrying feet keep their very places.
        reach: Share of the way to the last key that is reached.
        label: The exercise, for a repetition; None for everything else.
    """

    start_s: float
    end_s: float
    keys: np.ndarray
    at_m: np.ndarray
    timing: Timing | None = None
    stance: tuple[bool, bool] = BOTH
    is_planted: bool = True
    reach: float = 1.0
    label: str | None = None

    def directions(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """Returns (F, 24, 3) bone directions at ``times_s``."""
        share = (times_s - self.start_s) / (self.end_s - self.start_s)
        progress = minimum_jerk(share) if self.timing is None else self.timing.progress(share)
        p = (progress * self.reach)[:, None, None]
        # The parabola through the three keys; halfway keys make it bulge.
        way = self.keys[0] * (1 - p) * (1 - 2 * p) + self.keys[1] * 4 * p * (1 - p) + self.keys[2] * p * (2 * p - 1)
        return unit(unit(way) + person.habits * (1 + _restless(times_s, person)))

    def joints(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """Returns (F, 25, 3) joints in the body's frame, meters; y = 0 is the floor."""
        still = self._at_rest(np.append(self.start_s, times_s), person)
        at_start, still = still[0], still[1:]
        sway = _waves(times_s, person.sway_phases[:4], _SWAY_HZ)
        joints = (
            still + np.stack([sway[0] + sway[1], np.zeros(len(times_s)), sway[2] + sway[3]], axis=1)[:, None] * SWAY_M
        )
        for side in (LEFT, RIGHT):
            ankle = still[:, ANKLES[side]].copy()
            if self.is_planted and self.stance[side]:
                ankle[:, [0, 2]] = at_start[ANKLES[side], [0, 2]]
            plant(joints, person, side, ankle)
        return joints

    def end_m(self, person: Person) -> np.ndarray:
        """Returns (2,) where the pelvis is when the clip ends."""
        return self._at_rest(np.array([self.start_s, self.end_s]), person)[1, 0, [0, 2]]

    def _at_rest(self, times_s: np.ndarray, person: Person) -> np.ndarray:
        """The joints without sway; the first time must be the clip's start."""
        joints = stand_on_floor(joints_from(self.directions(times_s, person), person), person, self.stance)
        feet = joints[:, [ankle for ankle, stands in zip(ANKLES, self.stance) if stands]].mean(axis=1)
        shift = feet[0] - feet
        shift[:, 1] = 0
        shift[:, [0, 2]] += self.at_m
        return joints + shift[:, None]


def _waves(times_s: np.ndarray, phases: np.ndarray, rates_hz: tuple[float, ...]) -> np.ndarray:
    """(N, F) sine waves."""
    return np.sin(2 * np.pi * np.outer(rates_hz, times_s) + phases[:, None])


def _restless(times_s: np.ndarray, person: Person) -> np.ndarray:
    """(F, 24, 1) by which share a person's habits change with time; arms and head alone."""
    wave = _waves(times_s, person.sway_phases[4:], _SWAY_HZ).sum(axis=0) / 2
    return _RESTLESS * wave[:, None, None] * _DRIFTS


class Script:
    """Makes one person's clips, one after another, and remembers which repetitions they hold.

    Args:
        person: Whose body it is.
        rng: Where chance comes from.
        start_s: When the first clip begins.
        choose: Returns the next exercise and its working side, or None to keep standing for a while.
    """

    def __init__(
        self,
        person: Person,
        rng: np.random.Generator,
        *,
        start_s: float,
        choose: Callable[[float], tuple[str, int] | None],
    ) -> None:
        self._person, self._rng, self._choose = person, rng, choose
        self._now_s, self._at_m = start_s, np.zeros(2)
        self._standing = STANDING.directions(RIGHT)
        self._clips = self._make()

    def next(self) -> Clip:
        """Returns the next clip; it begins when the one before ends."""
        return next(self._clips)

    def _make(self) -> Iterator[Clip]:
        while True:
            yield self._hold(self._standing, self._between(1.0, 3.0))
            chosen = self._choose(self._now_s)
            if chosen is not None:
                yield from self._set_of(*chosen)

    def _set_of(self, label: str, side: int) -> Iterator[Clip]:
        exercise = EXERCISES[label]
        start = exercise.start.directions(side)
        yield from self._step(self._standing, start, side)
        yield self._hold(start, self._between(0.3, 0.8))
        for _ in range(int(self._rng.integers(1, 4))):
            yield self.repetition(label, exercise, side)
            yield self._hold(start, self._between(0.2, 0.7))
        yield from self._step(start, self._standing, 1 - side)

    def repetition(self, label: str, exercise: Exercise, side: int) -> Clip:
        """Returns one repetition, a little different each time."""
        start, peak = exercise.start.directions(side), exercise.peak.directions(side)
        half = unit(start + peak) if exercise.halfway is None else exercise.halfway.directions(side)
        half, peak = (unit(key + self._rng.normal(0, _REPETITION_SD, 3)) for key in (half, peak))
        standing_foot = (ON_LEFT if side == RIGHT else ON_RIGHT) if exercise.lifts_leg else BOTH
        return self._clip(
            (start, half, peak),
            exercise.duration_s * self._person.tempo * self._between(0.92, 1.08),
            timing=exercise.timing.varied(self._rng),
            stance=standing_foot,
            reach=self._person.range * self._between(0.96, 1.03),
            label=label,
        )

    def _hold(self, pose: np.ndarray, duration_s: float) -> Clip:
        return self._clip((pose, pose, pose), duration_s)

    def _step(self, start: np.ndarray, end: np.ndarray, first: int) -> Iterator[Clip]:
        """Goes from one pose to another, the leg of side ``first`` stepping first, the arms along with it."""
        duration_s = self._person.tempo * self._between(0.7, 1.0)
        legs = [_leg_bones(side) for side in (LEFT, RIGHT)]
        moved = np.abs(unit(start)[legs] - unit(end)[legs]).max() * self._person.height_m / 4
        if moved < _STEP_M:
            yield self._clip((start, unit(start + end), end), duration_s, is_planted=False)
            return
        between = end.copy()
        between[legs[1 - first]] = start[legs[1 - first]]
        for side, here, there in ((first, start, between), (1 - first, between, end)):
            thigh, shin, _ = legs[side]
            half = unit(here + there)
            half[thigh] += (0, 0, -_STEP_LIFT)
            half[shin] += (0, 0, _STEP_LIFT)
            stance = ON_LEFT if side == RIGHT else ON_RIGHT
            yield self._clip((here, unit(half), there), duration_s * 0.8, stance=stance)

    def _clip(
        self,
        keys: tuple[np.ndarray, np.ndarray, np.ndarray],
        duration_s: float,
        *,
        timing: Timing | None = None,
        stance: tuple[bool, bool] = BOTH,
        is_planted: bool = True,
        reach: float = 1.0,
        label: str | None = None,
    ) -> Clip:
        clip = Clip(
            start_s=self._now_s,
            end_s=self._now_s + duration_s,
            keys=np.stack(keys),
            at_m=self._at_m,
            timing=timing,
            stance=stance,
            is_planted=is_planted,
            reach=reach,
            label=label,
        )
        self._now_s, self._at_m = clip.end_s, clip.end_m(self._person)
        return clip

    def _between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))


def _leg_bones(side: int) -> list[int]:
    return [BONE_OF[joint[side]] for joint in (KNEES, ANKLES)] + [BONE_OF[ANKLES[side] + 1]]
