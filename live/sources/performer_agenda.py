"""What one synthetic person decides to do: enter, exercise, rest, leave, without walking through anybody.

Before a person moves, the floor that the movement sweeps is claimed. What would touch another's claim, or leave the
sensor's view, is not done. So people need not know of one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from live.sources.performer_body import LEFT, random_person, turned
from live.sources.performer_clips import Clip
from live.sources.performer_exercises import EXERCISES
from live.sources.performer_moves import STRIDE_SHARE, Moves
from live.sources.performer_sensor import FARTHEST_M, SensorModel, in_view

YAW_DEG = 35.0
"""People face the sensor within this angle, to either side."""
_SPREAD_M = (0.04, 0.10)  # how far from the middle of their place people stand: across, and away from the sensor
_PAUSE_S = (0.8, 2.5)
_REPETITIONS = (2, 6)  # repetitions of one exercise in a row: at least, and less than

_ROOM = (1.04, 1.02, 1.0)  # an exercise stays this far inside the view
_MARGIN_M = 0.05  # flesh around the joints' swept area
_SWEEP = 6  # moments of a clip at which its sweep is measured
_CLAIM_KEPT_S = 2.0  # claims that are over are kept this long: people decide up to a block of frames ahead


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


@dataclass(frozen=True, slots=True)
class Claim:
    """A stretch of floor that one person uses for a time: meters across and away from the sensor."""

    left: float
    right: float
    near: float
    far: float
    from_s: float
    until_s: float

    def meets(self, other: Claim) -> bool:
        """Whether the two touch at any time."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.near < other.far
            and other.near < self.far
            and self.from_s < other.until_s
            and other.from_s < self.until_s
        )


class Performer:
    """One person: on the way in, exercising, on the way out, gone."""

    def __init__(
        self,
        body_id: int,
        place: int,
        rng: np.random.Generator,
        *,
        place_m: tuple[float, float],
        enters_s: float,
        leaves_s: float,
        height_m: float,
    ) -> None:
        self.body_id, self.place, self.leaves_s = body_id, place, leaves_s
        self.person = random_person(rng)
        self.sensor = SensorModel(rng)
        self.performances: list[Performance] = []
        self.claims: list[Claim] = []
        self.is_gone = False
        across, away = place_m
        spread = rng.uniform(-1, 1, 2) * _SPREAD_M
        self._origin_m = np.array([across + spread[0], -height_m, away + spread[1]])
        self._yaw_deg = float(rng.uniform(-YAW_DEG, YAW_DEG))
        self._rng = rng
        self._moves = Moves(self.person, rng, enters_s)
        stride_m = STRIDE_SHARE * self.person.height_m
        self._strides = max(1, int(np.ceil((FARTHEST_M + 0.3 - self._origin_m[2]) / stride_m)))
        self._clips: list[Clip] = []
        self._by_recency = [str(label) for label in rng.permutation(list(EXERCISES))]
        self._has_entered = False

    @property
    def next_s(self) -> float:
        """When this person has to decide what to do next."""
        return self._moves.now_s

    def decide(self, others: Sequence[Claim]) -> None:
        """Adds clips: walks in, stands and does an exercise, or walks out, as the others' claims allow."""
        if not self._has_entered:
            self._enter(others)
        elif self.next_s >= self.leaves_s:
            self._leave(others)
        else:
            self._stand()
            self._perform(others)

    def clip_at(self, time_s: float) -> Clip | None:
        """Returns the clip that goes on at a time; None before the person comes and after they left."""
        return next((clip for clip in self._clips if clip.start_s <= time_s < clip.end_s), None)

    def joints(self, times_s: np.ndarray) -> np.ndarray:
        """Returns the true joints (F, 25, 3) in camera space; NaN while the person is not there."""
        joints = np.full((len(times_s), 25, 3), np.nan)
        for clip in self._clips:
            inside = (clip.start_s <= times_s) & (times_s < clip.end_s)
            if inside.any():
                joints[inside] = self._in_camera_space(clip, times_s[inside])
        return joints

    def forget(self, before_s: float) -> None:
        """Drops clips that are over."""
        self._clips = [clip for clip in self._clips if clip.end_s > before_s]

    def _enter(self, others: Sequence[Claim]) -> None:
        home = self._claim(Moves(self.person, self._rng, self.next_s).stand(1.0), until_s=np.inf)
        walk = self._moves.walk_in(-self._yaw_deg, self._strides)
        self._has_entered = not any(home.meets(other) for other in others) and self._try(walk, others, is_walk=True)
        if self._has_entered:
            self.claims.append(home)
        else:
            self._moves.now_s = walk[0].start_s + 1.0

    def _leave(self, others: Sequence[Claim]) -> None:
        self.is_gone = self._try(self._moves.walk_out(180.0 - self._yaw_deg, self._strides), others, is_walk=True)
        if self.is_gone:
            self.claims = [replace(claim, until_s=min(claim.until_s, self.next_s)) for claim in self.claims]
        else:
            self._stand()

    def _stand(self) -> None:
        self._clips += self._moves.stand(float(self._rng.uniform(*_PAUSE_S)))

    def _perform(self, others: Sequence[Claim]) -> None:
        """Does the first exercise that fits, left or right; what was done least recently is tried first."""
        first, count = int(self._rng.integers(2)), int(self._rng.integers(*_REPETITIONS))
        for label in self._by_recency:
            for side in (first, 1 - first):
                if self._try(self._moves.exercise(label, side, count), others):
                    self._by_recency.remove(label)
                    self._by_recency.append(label)
                    return

    def _try(self, clips: list[Clip], others: Sequence[Claim], *, is_walk: bool = False) -> bool:
        """Does ``clips`` when they touch nobody and, unless it is a walk, stay in view; otherwise takes them back."""
        claim = self._claim(clips, until_s=clips[-1].end_s)
        is_free = not any(claim.meets(other) for other in others)
        if not is_free or not (is_walk or in_view(self._swept(clips) * _ROOM).all()):
            self._moves.now_s, self._moves.at_m = clips[0].start_s, clips[0].at_m
            return False
        self.claims = [old for old in self.claims if old.until_s > clips[0].start_s - _CLAIM_KEPT_S] + [claim]
        self._clips += clips
        self.performances += [
            Performance(self.body_id, c.label, _side_name(c), c.start_s, c.end_s)
            for c in clips
            if c.label is not None
        ]
        return True

    def _claim(self, clips: list[Clip], *, until_s: float) -> Claim:
        """The floor that ``clips`` sweep."""
        across, _, away = np.moveaxis(self._swept(clips), -1, 0)
        return Claim(
            left=float(across.min()) - _MARGIN_M,
            right=float(across.max()) + _MARGIN_M,
            near=float(away.min()) - _MARGIN_M,
            far=float(away.max()) + _MARGIN_M,
            from_s=clips[0].start_s,
            until_s=until_s,
        )

    def _swept(self, clips: list[Clip]) -> np.ndarray:
        """(N, 25, 3) joints at a few moments of ``clips``."""
        return np.concatenate([self._in_camera_space(c, np.linspace(c.start_s, c.end_s, _SWEEP)) for c in clips])

    def _in_camera_space(self, clip: Clip, times_s: np.ndarray) -> np.ndarray:
        return turned(clip.joints(times_s, self.person), self._yaw_deg) + self._origin_m


def _side_name(clip: Clip) -> str:
    if clip.label is None or not EXERCISES[clip.label].has_sides:
        return ""
    return "left" if clip.side == LEFT else "right"
