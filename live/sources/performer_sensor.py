"""How a Kinect v2 would see a performer: correlated noise, joints it guesses, joints it loses, hand states.

Noise and spans are of the size seen in recordings of the real sensor (IRDS, LabanotationSuite): a few
millimeters on the trunk, about a centimeter on hands and feet, more with distance, and slow, because the sensor
filters its joints.
"""

from __future__ import annotations

import numpy as np

from skeleton.layout import INFERRED, KINECT_V2, NOT_TRACKED, TRACKED

NOISE_M = {"Spine": 0.002, "Neck": 0.002, "Head": 0.002, "Shoulder": 0.003, "Hip": 0.003, "Elbow": 0.005,
           "Knee": 0.005, "Wrist": 0.006, "Ankle": 0.006, "Hand": 0.008, "HandTip": 0.012, "Thumb": 0.014,
           "Foot": 0.010}  # fmt: skip
"""Standard deviation of a joint's error at ``NOISE_AT_M``, meters."""
NOISE_AT_M = 2.5
INFERRED_NOISE_M = 0.03
"""Standard deviation of what is added while a joint is inferred."""
_CORRELATION_S = 0.15  # the sensor's own smoothing
_INFERRED_CORRELATION_S = 0.4

# Capsules that hide what is behind them: first joint, second joint, radius in meters.
_SOLID = ((0, 20, 0.13), (2, 3, 0.09), (4, 5, 0.05), (5, 6, 0.04), (8, 9, 0.05), (9, 10, 0.04),
          (12, 13, 0.07), (13, 14, 0.05), (16, 17, 0.07), (17, 18, 0.05))  # fmt: skip
_BEHIND_M = 0.10  # a joint this far behind a solid is hidden

LOST_S = (0.1, 0.5)
"""How long a joint stays lost."""
_LOST_PER_S = {"HandTip": 0.04, "Thumb": 0.05, "Hand": 0.02, "Foot": 0.02, "Wrist": 0.01, "Ankle": 0.01}
_GUESSED_PER_S = {"HandTip": 0.10, "Thumb": 0.15, "Hand": 0.05, "Foot": 0.12, "Wrist": 0.03, "Ankle": 0.04}
GUESSED_S = (0.1, 0.8)
"""How long a joint stays inferred without being hidden."""

_HAND, _TIP, _THUMB = (7, 11), (21, 23), (22, 24)
HAND_UNKNOWN, HAND_NOT_TRACKED, HAND_OPEN, HAND_CLOSED = 0, 1, 2, 3


def _per_joint(table: dict[str, float]) -> np.ndarray:
    """(25,) values by joint name without its side; names are looked up whole first, then by their beginning."""
    names = [name.removesuffix("Left").removesuffix("Right") for name in KINECT_V2.joints]
    return np.array([table.get(name, table.get("Spine", 0.0)) for name in names])


_NOISE = _per_joint(NOISE_M)
_LOST = _per_joint(_LOST_PER_S)
_GUESSED = _per_joint(_GUESSED_PER_S)


def hidden(joints: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns which joints stand behind a body, seen from the sensor at the origin.

    Args:
        joints: (F, 25, 3) the joints asked about.
        others: (F, 25, 3) the body that may hide them; may be the same.

    Returns:
        (F, 25) bool.
    """
    result = np.zeros(joints.shape[:2], dtype=bool)
    rays = joints / np.linalg.norm(joints, axis=2, keepdims=True)
    for first, second, radius in _SOLID:
        start, along = others[:, first, None], (others[:, second] - others[:, first])[:, None]
        # The point of the solid's axis that comes nearest to the ray, for each joint.
        across = along - (along * rays).sum(2, keepdims=True) * rays
        offset = start - (start * rays).sum(2, keepdims=True) * rays
        share = np.clip(-(offset * across).sum(2) / np.maximum((across**2).sum(2), 1e-9), 0.0, 1.0)
        point = start + share[:, :, None] * along
        depth = (point * rays).sum(2)
        is_near = np.linalg.norm(point - depth[:, :, None] * rays, axis=2) < radius
        result |= is_near & (depth + _BEHIND_M < np.linalg.norm(joints, axis=2))
    return result


class SensorModel:
    """Turns one person's true joints into what the sensor reports; remembers the noise between calls.

    Args:
        rng: Where chance comes from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._noise = rng.standard_normal((25, 3))
        self._guess = rng.standard_normal((25, 3))
        self._doubt = np.zeros(25)  # 0 where tracked .. 1 where long inferred
        self._lost_until_s = np.full(25, -np.inf)
        self._guessed_until_s = np.full(25, -np.inf)
        self._time_s: float | None = None

    def observe(self, time_s: float, joints: np.ndarray, is_hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the joints as the sensor reports them, (25, 3) float32 meters, and their states (25,) int8.

        Args:
            time_s: Sensor time; must increase from call to call.
            joints: (25, 3) the truth.
            is_hidden: (25,) bool.
        """
        step_s = 1 / 30 if self._time_s is None else time_s - self._time_s
        self._time_s = time_s
        self._noise = self._drift(self._noise, step_s / _CORRELATION_S)
        self._guess = self._drift(self._guess, step_s / _INFERRED_CORRELATION_S)
        self._begin_spans(time_s, step_s)

        inferred = is_hidden | (time_s < self._guessed_until_s)
        lost = time_s < self._lost_until_s
        keep = np.exp(-step_s / _CORRELATION_S)
        self._doubt = keep * self._doubt + (1 - keep) * inferred
        distance = joints[:, 2:] / NOISE_AT_M
        error = self._noise * _NOISE[:, None] * distance**2
        error += self._guess * INFERRED_NOISE_M * (self._doubt * inferred)[:, None]
        state = np.where(lost, NOT_TRACKED, np.where(inferred, INFERRED, TRACKED)).astype(np.int8)
        seen = np.where(lost[:, None], 0.0, joints + error)  # the SDK reports a lost joint at the origin
        return seen.astype(np.float32), state

    def _drift(self, noise: np.ndarray, share: float) -> np.ndarray:
        keep = np.exp(-share)
        return keep * noise + np.sqrt(1 - keep**2) * self._rng.standard_normal(noise.shape)

    def _begin_spans(self, time_s: float, step_s: float) -> None:
        for until_s, rate, spans in (
            (self._lost_until_s, _LOST, LOST_S),
            (self._guessed_until_s, _GUESSED, GUESSED_S),
        ):
            chance, length_s = self._rng.random((2, 25))
            begins = (chance < rate * step_s) & (time_s >= until_s)
            until_s[begins] = time_s + (spans[0] + length_s * (spans[1] - spans[0]))[begins]


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
        for hand, tip in zip(_HAND, _TIP)
    ]
    return hands[0], hands[1]
