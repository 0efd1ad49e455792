"""Makes a synthetic performer's clips: stand, step into an exercise and repeat it, walk in and out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from live.sources.performer_body import ANKLES, BONE_OF, KNEES, LEFT, RIGHT, Person, joints_from, turned, unit
from live.sources.performer_clips import BOTH, ON_LEFT, ON_RIGHT, Clip, steady
from live.sources.performer_exercises import EXERCISES, PASSING, STANDING, STRIDE, minimum_jerk

STRIDE_S = 0.62
"""How long a step of a walk takes a person of usual tempo."""
STRIDE_SHARE = 0.29
"""Length of a step as a share of the person's height; the walk's way decides, this only estimates it."""
_REPETITION_SD = 0.025  # radians; no two repetitions are the same
_SLIDE_M = 0.04  # feet that move less than this slide instead of stepping
_STEP_LIFT = 0.35
_LEGS = tuple([BONE_OF[KNEES[s]], BONE_OF[ANKLES[s]], BONE_OF[ANKLES[s] + 1]] for s in (LEFT, RIGHT))


class Moves:
    """Makes one person's clips, each beginning when and where the one before ended.

    Args:
        person: Whose body it is.
        rng: Where chance comes from.
        now_s: When the first clip begins.

    Attributes:
        now_s: When the next clip begins.
        at_m: (2,) where the pelvis then is: to the right of, and behind, the person's place.
    """

    def __init__(self, person: Person, rng: np.random.Generator, now_s: float) -> None:
        self.now_s, self.at_m = now_s, np.zeros(2)
        self._person, self._rng = person, rng
        self._standing = STANDING.directions(RIGHT)

    def stand(self, duration_s: float) -> list[Clip]:
        """Stands, hands hanging."""
        return [self._hold(self._standing, duration_s)]

    def exercise(self, label: str, side: int, repetitions: int) -> list[Clip]:
        """Steps into the start pose, repeats an exercise, and steps back to stand."""
        start = EXERCISES[label].start.directions(side)
        clips = [*self._step(self._standing, start, side), self._hold(start, self._between(0.3, 0.8))]
        for _ in range(repetitions):
            clips += [self.repetition(label, side), self._hold(start, self._between(0.2, 0.7))]
        return clips + self._step(start, self._standing, 1 - side)

    def repetition(self, label: str, side: int) -> Clip:
        """Does an exercise once, from its start pose to its start pose, a little different each time."""
        exercise = EXERCISES[label]
        start, peak = exercise.start.directions(side), exercise.peak.directions(side)
        half = unit(start + peak) if exercise.halfway is None else exercise.halfway.directions(side)
        half, peak = (unit(key + self._rng.normal(0, _REPETITION_SD, key.shape)) for key in (half, peak))
        return self._clip(
            (start, half, peak),
            exercise.duration_s * self._person.tempo * self._between(0.92, 1.08),
            progress=exercise.timing.varied(self._rng).progress,
            stance=_other(side) if exercise.lifts_leg else BOTH,
            reach=self._person.range * self._between(0.96, 1.03),
            label=label,
            side=side,
        )

    def walk_in(self, yaw_deg: float, strides: int) -> list[Clip]:
        """Walks to the person's place in the direction ``yaw_deg`` and turns to stand there."""
        began_s, self.at_m = self.now_s, np.zeros(2)
        self._arrive(yaw_deg, strides)
        self.now_s, self.at_m = began_s, -self.at_m  # so that the same way ends at the place
        return self._arrive(yaw_deg, strides)

    def walk_out(self, yaw_deg: float, strides: int) -> list[Clip]:
        """Turns to the direction ``yaw_deg`` and walks away."""
        half = turned(self._standing, yaw_deg / 2)
        clips = self._step(self._standing, half, RIGHT)
        clips += self._step(half, turned(self._standing, yaw_deg), RIGHT)
        return clips + self._walk(yaw_deg, strides)

    def _arrive(self, yaw_deg: float, strides: int) -> list[Clip]:
        clips = self._walk(yaw_deg, strides)
        return clips + self._step(turned(self._standing, yaw_deg), self._standing, RIGHT)

    def _walk(self, yaw_deg: float, strides: int) -> list[Clip]:
        """``strides`` steps from standing to standing, left and right in turn."""
        clips, here = [], self._standing
        for count in range(strides + 1):
            stands = LEFT if count % 2 == 0 else RIGHT
            there = STRIDE.directions(1 - stands) if count < strides else self._standing
            keys = (turned(pose, yaw_deg) for pose in (here, PASSING.directions(stands), there))
            stance = ON_LEFT if stands == LEFT else ON_RIGHT
            clips.append(self._clip(tuple(keys), STRIDE_S * self._person.tempo, progress=steady, stance=stance))
            here = there
        return clips

    def _hold(self, pose: np.ndarray, duration_s: float) -> Clip:
        return self._clip((pose, pose, pose), duration_s)

    def _step(self, start: np.ndarray, end: np.ndarray, first: int) -> list[Clip]:
        """Goes from one pose to another, the leg of side ``first`` stepping first and the arms along with it."""
        duration_s = self._person.tempo * self._between(0.5, 0.8)
        ankles = [joints_from(pose[None], self._person)[0, ANKLES] for pose in (start, end)]
        if np.linalg.norm(ankles[0] - ankles[1], axis=1).max() < _SLIDE_M:
            return [self._clip((start, unit(start + end), end), 1.3 * duration_s, is_planted=False)]
        between = end.copy()
        between[_LEGS[1 - first]] = start[_LEGS[1 - first]]
        return [
            self._swing(side, here, there, duration_s)
            for side, here, there in ((first, start, between), (1 - first, between, end))
        ]

    def _swing(self, side: int, start: np.ndarray, end: np.ndarray, duration_s: float) -> Clip:
        """Moves one leg to its new place while the other carries the body."""
        half = unit(start + end)
        thigh, shin, _ = _LEGS[side]
        half[thigh] += (0, 0, -_STEP_LIFT)
        half[shin] += (0, 0, _STEP_LIFT)
        return self._clip((start, unit(half), end), duration_s, stance=_other(side))

    def _clip(
        self,
        keys: tuple[np.ndarray, ...],
        duration_s: float,
        *,
        progress: Callable[[np.ndarray], np.ndarray] = minimum_jerk,
        stance: tuple[int, ...] = BOTH,
        is_planted: bool = True,
        reach: float = 1.0,
        label: str | None = None,
        side: int = RIGHT,
    ) -> Clip:
        clip = Clip(
            start_s=self.now_s,
            end_s=self.now_s + duration_s,
            keys=np.stack(keys),
            at_m=self.at_m,
            progress=progress,
            stance=stance,
            is_planted=is_planted,
            reach=reach,
            label=label,
            side=side,
        )
        self.now_s, self.at_m = clip.end_s, clip.end_m(self._person)
        return clip

    def _between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))


def _other(side: int) -> tuple[int, ...]:
    return ON_LEFT if side == RIGHT else ON_RIGHT
