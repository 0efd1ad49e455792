"""How a Kinect v2 would see a performer: its view, correlated noise, joints it guesses or loses, hand states.

The noise is sized after IRDS, recordings of the real sensor. There, a joint at rest moves by half a millimeter on the
trunk, by one at the wrist, by four to six at hand and thumb (standard deviation over half a second); and it moves
slowly, because the sensor filters its joints.
"""

from __future__ import annotations

import numpy as np

from skeleton.layout import INFERRED, KINECT_V2, NOT_TRACKED, TRACKED

SENSOR_HEIGHT_M = (0.90, 1.00)
"""How high the sensor stands: at least, and at most."""
VIEW_TAN = (0.708, 0.577)
"""Half the depth camera's view, 70.6 by 60 degrees, as tangents: across and up."""
FARTHEST_M = 4.5
"""The sensor tracks bodies up to here."""

NOISE_M = {"Spine": 0.0010, "Neck": 0.0010, "Head": 0.0010, "Shoulder": 0.0012, "Hip": 0.0012, "Elbow": 0.0020,
           "Knee": 0.0020, "Wrist": 0.0030, "Ankle": 0.0020, "Foot": 0.0030, "Hand": 0.006, "HandTip": 0.009,
           "Thumb": 0.010}  # fmt: skip
"""Standard deviation of a joint's error at ``NOISE_AT_M``, meters."""
NOISE_AT_M = 2.5
INFERRED_NOISE_M = 0.03
"""Standard deviation of what is added while a joint is inferred."""
_CORRELATION_S = 0.30  # the sensor's own smoothing
_GUESS_CORRELATION_S = 0.4

# Capsules that hide what is behind them: first joint, second joint, radius in meters.
_SOLID = ((0, 20, 0.13), (2, 3, 0.09), (4, 5, 0.05), (5, 6, 0.04), (8, 9, 0.05), (9, 10, 0.04),
          (12, 13, 0.07), (13, 14, 0.05), (16, 17, 0.07), (17, 18, 0.05))  # fmt: skip
_FIRST, _SECOND = ([int(solid[end]) for solid in _SOLID] for end in (0, 1))
_RADIUS_M = np.array([radius for _, _, radius in _SOLID])
_BEHIND_M = 0.10  # a joint this far behind a solid is hidden

LOST_S = (0.1, 0.5)
"""How long a joint stays lost."""
_LOST_PER_S = {"HandTip": 0.04, "Thumb": 0.05, "Hand": 0.02, "Foot": 0.02, "Wrist": 0.01, "Ankle": 0.01}
_GUESSED_PER_S = {"HandTip": 0.10, "Thumb": 0.15, "Hand": 0.05, "Foot": 0.05, "Wrist": 0.03, "Ankle": 0.04}
GUESSED_S = (0.1, 0.8)
"""How long a joint stays inferred without being hidden."""

_HANDS, _TIPS = (7, 11), (21, 23)
HAND_UNKNOWN, HAND_NOT_TRACKED, HAND_OPEN, HAND_CLOSED = 0, 1, 2, 3


def _per_joint(table: dict[str, float]) -> np.ndarray:
    """(25,) values by joint name without its side; the three spine joints share one."""
    names = [name.removesuffix("Left").removesuffix("Right") for name in KINECT_V2.joints]
    return np.array([table.get("Spine" if name.startswith("Spine") else name, 0.0) for name in names])


_NOISE = _per_joint(NOISE_M)
_LOST = _per_joint(_LOST_PER_S)
_GUESSED = _per_joint(_GUESSED_PER_S)


def in_view(joints: np.ndarray) -> np.ndarray:
    """Returns (...) bool: which of (..., 3) points in camera space the depth camera sees."""
    x, y, z = np.moveaxis(joints, -1, 0)
    return (np.abs(x) < VIEW_TAN[0] * z) & (np.abs(y) < VIEW_TAN[1] * z) & (z > 0.5)


def clipped_edges(joints: np.ndarray) -> int:
    """Returns which edges of the view cut a body, as the SDK's bit mask: 1 right, 2 left, 4 top, 8 bottom."""
    across, up = joints[:, 0] / joints[:, 2], joints[:, 1] / joints[:, 2]
    cut = (across.max() > VIEW_TAN[0], across.min() < -VIEW_TAN[0], up.max() > VIEW_TAN[1], up.min() < -VIEW_TAN[1])
    return sum(bit for bit, is_cut in zip((1, 2, 4, 8), cut) if is_cut)


def hidden(joints: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns which joints stand behind a body, seen from the sensor at the origin.

    Args:
        joints: (F, 25, 3) the joints asked about.
        others: (F, 25, 3) the body that may hide them; may be the same.

    Returns:
        (F, 25) bool.
    """
    distance = np.linalg.norm(joints, axis=2)
    rays = joints / distance[:, :, None]
    start = others[:, _FIRST]
    along = others[:, _SECOND] - start
    # All that follows is (F, 25, solids): the point of each solid's axis that comes nearest to each joint's ray.
    start_ray, along_ray = rays @ start.transpose(0, 2, 1), rays @ along.transpose(0, 2, 1)
    start_start, along_along, start_along = (
        (a * b).sum(axis=2)[:, None] for a, b in ((start, start), (along, along), (start, along))
    )
    share = (start_ray * along_ray - start_along) / np.maximum(along_along - along_ray**2, 1e-9)
    share = np.clip(share, 0.0, 1.0)
    depth = start_ray + share * along_ray
    miss_squared = start_start + 2 * share * start_along + share**2 * along_along - depth**2
    return ((miss_squared < _RADIUS_M**2) & (depth + _BEHIND_M < distance[:, :, None])).any(axis=2)


class SensorModel:
    """Turns one person's true joints into what the sensor reports; remembers the noise between calls.

    Args:
        rng: Where chance comes from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._noise, self._guess = rng.standard_normal((2, 25, 3))
        self._doubt = np.zeros(25)  # 0 where tracked .. 1 where long inferred
        self._lost_until_s, self._guessed_until_s = np.full((2, 25), -np.inf)
        self._time_s: float | None = None

    def observe(
        self, times_s: np.ndarray, joints: np.ndarray, is_hidden: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the joints as the sensor reports them, (F, 25, 3) float32 meters, and their states (F, 25) int8.

        Args:
            times_s: (F,) sensor times; must increase, from call to call as well.
            joints: (F, 25, 3) the truth.
            is_hidden: (F, 25) bool.
        """
        steps_s = np.diff(times_s, prepend=times_s[0] - 1 / 30 if self._time_s is None else self._time_s)
        self._time_s = float(times_s[-1])
        lost, guessed = self._spans(times_s, steps_s)
        inferred = is_hidden | guessed
        error = self._errors(steps_s, inferred, scale=(joints[:, :, 2] / NOISE_AT_M) ** 2)
        state = np.where(lost, NOT_TRACKED, np.where(inferred, INFERRED, TRACKED)).astype(np.int8)
        seen = np.where(lost[:, :, None], 0.0, joints + error)  # the SDK reports a lost joint at the origin
        return seen.astype(np.float32), state

    def _errors(self, steps_s: np.ndarray, inferred: np.ndarray, *, scale: np.ndarray) -> np.ndarray:
        """(F, 25, 3) errors: slow noise times ``scale``, and a slower, larger one that grows while inferred."""
        fresh = self._rng.standard_normal((2, len(steps_s), 25, 3))
        noise_keep, guess_keep = (np.exp(-steps_s / time_s) for time_s in (_CORRELATION_S, _GUESS_CORRELATION_S))
        errors = np.empty(fresh.shape[1:])
        for i in range(len(steps_s)):
            self._noise = noise_keep[i] * self._noise + np.sqrt(1 - noise_keep[i] ** 2) * fresh[0, i]
            self._guess = guess_keep[i] * self._guess + np.sqrt(1 - guess_keep[i] ** 2) * fresh[1, i]
            self._doubt = noise_keep[i] * self._doubt + (1 - noise_keep[i]) * inferred[i]
            guess_m = INFERRED_NOISE_M * self._doubt
            errors[i] = self._noise * (_NOISE * scale[i])[:, None] + self._guess * guess_m[:, None]
        return errors

    def _spans(self, times_s: np.ndarray, steps_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(F, 25) bool each: which joints are lost, and which are guessed without being hidden."""
        result = []
        for until_s, rate, (shortest_s, longest_s) in (
            (self._lost_until_s, _LOST, LOST_S),
            (self._guessed_until_s, _GUESSED, GUESSED_S),
        ):
            chance, length = self._rng.random((2, len(times_s), 25))
            begins = chance < rate * steps_s[:, None]
            ends_s = np.where(begins, times_s[:, None] + shortest_s + length * (longest_s - shortest_s), -np.inf)
            every_s = np.maximum.accumulate(np.vstack([until_s, ends_s]))
            until_s[:] = every_s[-1]
            result.append(times_s[:, None] < every_s[1:])
        return result[0], result[1]


def hand_states(state: np.ndarray, *, is_busy: bool) -> tuple[int, int]:
    """Returns the SDK's left and right hand state: not tracked without the hand, closed while busy, else open."""
    hands = [
        HAND_NOT_TRACKED
        if state[hand] == NOT_TRACKED
        else HAND_UNKNOWN
        if state[hand] == INFERRED or state[tip] == NOT_TRACKED
        else HAND_CLOSED
        if is_busy
        else HAND_OPEN
        for hand, tip in zip(_HANDS, _TIPS)
    ]
    return hands[0], hands[1]
