"""The stage of the synthetic performers: who is where, comes and goes, and what the sensor sees of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from live.sources.performer_body import random_person
from live.sources.performer_exercises import EXERCISES
from live.sources.performer_script import Script
from live.sources.performer_sensor import SensorModel, hand_states, hidden
from skeleton.frames import Body

FIRST_ID = 72057594037927936 + 1000
"""Kinect ids are 64-bit numbers of this size: no float can hold them."""

# Where people stand: to the sensor's left and away from it, meters. The first row, then the second.
PLACES_M = ((0.0, 2.6), (-1.25, 2.9), (1.25, 2.9), (-0.65, 3.9), (1.9, 4.0), (-1.95, 4.0))
_PLACE_SPREAD_M = 0.05
_YAW_DEG = 35.0


@dataclass(frozen=True, slots=True)
class Performance:
    """One repetition that a synthetic person did.

    Attributes:
        body_id: Tracking id.
        label: The exercise.
        side: "left" or "right" for exercises that have sides, otherwise "".
        start_s: Sensor time at which the repetition begins, in the start pose.
        end_s: Sensor time at which it ends, in the start pose again.
    """

    body_id: int
    label: str
    side: str
    start_s: float
    end_s: float


class Actor:
    """One person on stage."""

    def __init__(
        self, body_id: int, place: int, rng: np.random.Generator, *, enters_s: float, leaves_s: float
    ) -> None:
        self.body_id, self.place = body_id, place
        self.enters_s, self.leaves_s = enters_s, leaves_s
        self.person = random_person(rng)
        self.sensor = SensorModel(rng)
        self.performances: list[Performance] = []
        self._rng = rng
        x, z = PLACES_M[place]
        self._at_m = np.array([x, 0.0, z]) + rng.uniform(-1, 1, 3) * (_PLACE_SPREAD_M, 0, _PLACE_SPREAD_M)
        self._turn = turn(float(rng.uniform(-_YAW_DEG, _YAW_DEG)))
        self._bag: list[str] = []
        self._script = Script(self.person, rng, start_s=enters_s, choose=self._choose)
        self._clip = self._script.next()

    def joints(self, time_s: float, sensor_height_m: float) -> np.ndarray:
        """Returns the true joints (25, 3) in camera space; times must not go back."""
        while time_s >= self._clip.end_s:
            self._clip = self._script.next()
            if self._clip.label is not None:
                self.performances.append(
                    Performance(self.body_id, self._clip.label, self._side, self._clip.start_s, self._clip.end_s)
                )
        joints = self._clip.joints(np.array([time_s]), self.person)[0]
        return joints @ self._turn.T + self._at_m - (0, sensor_height_m, 0)

    @property
    def is_busy(self) -> bool:
        """Whether a repetition is going on."""
        return self._clip.label is not None

    def _choose(self, time_s: float) -> tuple[str, int]:
        del time_s
        if not self._bag:
            self._bag = [str(label) for label in self._rng.permutation(list(EXERCISES))]
        label = self._bag.pop()
        side = int(self._rng.integers(2))
        self._side = ("left", "right")[side] if EXERCISES[label].has_sides else ""
        return label, side


def turn(yaw_deg: float) -> np.ndarray:
    """Returns the (3, 3) rotation about the vertical that turns a body to its right."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


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
        self.sensor_height_m = float(self._rng.uniform(0.9, 1.0))
        self.floor = (0.0, 1.0, 0.0, self.sensor_height_m)
        self._next_id = FIRST_ID
        self._left: list[Performance] = []
        self._actors = [self._enter(place, 0.5 + 0.7 * place) for place in range(people)]

    def bodies(self, time_s: float) -> tuple[Body, ...]:
        """Returns what the sensor reports at ``time_s``; times must increase from call to call."""
        self._exchange(time_s)
        present = [actor for actor in self._actors if actor.enters_s <= time_s]
        truth = [actor.joints(time_s, self.sensor_height_m) for actor in present]
        bodies = []
        for actor, joints in zip(present, truth):
            is_hidden = np.zeros(len(joints), dtype=bool)
            for other in truth:
                is_hidden |= hidden(joints[None], other[None])[0]
            seen, state = actor.sensor.observe(time_s, joints, is_hidden)
            bodies.append(Body(actor.body_id, seen, state, hand_states(state, is_busy=actor.is_busy)))
        return tuple(bodies)

    def performances(self, until_s: float) -> list[Performance]:
        """Returns the repetitions that ended by ``until_s``, by start."""
        every = self._left + [performance for actor in self._actors for performance in actor.performances]
        return sorted((p for p in every if p.end_s <= until_s), key=lambda p: (p.start_s, p.body_id))

    def _enter(self, place: int, enters_s: float) -> Actor:
        stays_s = float(self._rng.uniform(60.0, 120.0)) if self._comings_and_goings else np.inf
        self._next_id += int(self._rng.integers(1, 50))
        return Actor(self._next_id, place, self._rng.spawn(1)[0], enters_s=enters_s, leaves_s=enters_s + stays_s)

    def _exchange(self, time_s: float) -> None:
        for index, actor in enumerate(self._actors):
            if time_s >= actor.leaves_s:
                self._left += [p for p in actor.performances if p.end_s <= actor.leaves_s]
                self._actors[index] = self._enter(actor.place, time_s + float(self._rng.uniform(3.0, 6.0)))
