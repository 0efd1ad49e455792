"""From the irregular frames of one body to the T frames a model takes: the same function in training and live.

A sensor delivers 30 frames a second, or 15 in low light, and drops some. A model wants exactly T frames that span
exactly so many seconds. ``cut`` resamples by sensor time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skeleton.frames import read_only

MAX_GAP_S = 0.25
"""A joint that was unseen for longer than this is not filled in: the mask says so, and the model copes."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What a model sees of M persons.

    Attributes:
        body_ids: M tracking ids; -1 for an absent person.
        end_s: Sensor time of the last frame, seconds.
        joints: (M, T, V, 3) float32 meters; any value where ``seen`` is False.
        seen: (M, T, V) bool.
    """

    body_ids: tuple[int, ...]
    end_s: float
    joints: np.ndarray
    seen: np.ndarray

    def __post_init__(self) -> None:
        joints = read_only(self.joints, np.float32, (len(self.body_ids), -1, -1, 3), name="joints")
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "seen", read_only(self.seen, np.bool_, joints.shape[:3], name="seen"))


def cut(
    times_s: np.ndarray,
    joints: np.ndarray,
    seen: np.ndarray,
    *,
    start_s: float,
    end_s: float,
    frame_count: int,
    max_gap_s: float = MAX_GAP_S,
) -> tuple[np.ndarray, np.ndarray]:
    """Resamples one body to ``frame_count`` frames evenly spaced over [start_s, end_s], both ends included.

    Each joint is interpolated linearly between its own neighboring *seen* frames. A new frame counts as seen when
    its two neighbors are at most ``max_gap_s`` apart, or when a seen frame lies within ``max_gap_s`` beside it.

    Args:
        times_s: (F,) sensor times, strictly increasing, seconds.
        joints: (F, V, 3) meters.
        seen: (F, V) bool.
        start_s: Time of the first new frame.
        end_s: Time of the last new frame.
        frame_count: T.
        max_gap_s: The longest gap that is bridged.

    Returns:
        joints (T, V, 3) float32, finite everywhere (0 where never seen), and seen (T, V) bool.

    Raises:
        ValueError: No frames, times that do not increase, or shapes that do not belong together.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    joints = np.asarray(joints, dtype=np.float32)
    if times_s.ndim != 1 or len(times_s) == 0:
        raise ValueError(f"times_s must be one non-empty axis, found shape {times_s.shape}")
    if joints.shape[:1] != times_s.shape or joints.ndim != 3 or np.shape(seen) != joints.shape[:2]:
        raise ValueError(f"joints {joints.shape} and seen {np.shape(seen)} do not fit {len(times_s)} times")
    if (times_s[1:] <= times_s[:-1]).any():
        raise ValueError("times_s must increase strictly")

    seen, is_finite = np.asarray(seen, dtype=bool), np.isfinite(joints)
    if not is_finite.all():  # asked first, because it seldom is so, and reducing an axis of three is slow
        seen = seen & is_finite.all(axis=2)
    wanted_s = np.linspace(start_s, end_s, frame_count)

    # Most joints are seen in all frames. They share their neighbors, whose frames are copied whole.
    shared = _neighbors(times_s, None, wanted_s, max_gap_s)
    result = _between(joints[shared.low[:, 0]], joints[shared.high[:, 0]], shared.weight)
    result_seen = np.repeat(shared.is_seen, joints.shape[1], axis=1)
    others = np.flatnonzero(~seen.all(axis=0))
    if len(others):
        own = _neighbors(times_s, seen[:, others], wanted_s, max_gap_s)
        result[:, others] = _between(_at(joints, own.low, others), _at(joints, own.high, others), own.weight)
        result_seen[:, others] = own.is_seen
    result[~result_seen] = 0
    return result, result_seen


class _Neighbors(NamedTuple):
    """Between which seen frames T moments lie, for V joints: each (T, V), the weight that of ``high``."""

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    is_seen: np.ndarray


def _neighbors(times_s: np.ndarray, seen: np.ndarray | None, wanted_s: np.ndarray, max_gap_s: float) -> _Neighbors:
    """Finds the neighbors of T moments among F frames, for joints seen (F, V), or for one that is always seen."""
    count = len(times_s)
    low = np.searchsorted(times_s, wanted_s, side="right")[:, None] - 1  # (T, 1) last frame at or before, or -1
    high = np.searchsorted(times_s, wanted_s, side="left")[:, None]  # (T, 1) first frame at or after, or F
    if seen is not None:
        frames = np.arange(count, dtype=np.int32)[:, None]
        # (F, V) index of the last seen frame at or before, and of the first seen frame at or after, each frame.
        before = np.maximum.accumulate(np.where(seen, frames, np.int32(-1)), axis=0)
        after = np.minimum.accumulate(np.where(seen, frames, np.int32(count))[::-1], axis=0)[::-1]
        low = np.where(low >= 0, before[np.maximum(low[:, 0], 0)], -1)  # (T, V)
        high = np.where(high < count, after[np.minimum(high[:, 0], count - 1)], count)

    has_low, has_high = low >= 0, high < count
    low, high = np.where(has_low, low, high), np.where(has_high, high, low)  # one-sided: hold the nearest
    # Both bounds by hand here and below: np.clip takes thrice as long on so few numbers.
    low, high = (np.minimum(np.maximum(place, 0), count - 1) for place in (low, high))
    time_low, time_high = times_s[low], times_s[high]
    gap = time_high - time_low
    past = wanted_s[:, None] - time_low
    weight = np.minimum(np.maximum(past / np.where(gap > 0, gap, 1.0), 0.0), 1.0).astype(np.float32)

    nearest = np.minimum(np.abs(past), np.abs(wanted_s[:, None] - time_high))
    # 1 µs of slack: 1/30 s steps do not add up exactly.
    bridged = np.where(has_low & has_high, gap <= max_gap_s + 1e-6, nearest <= max_gap_s + 1e-6)
    return _Neighbors(low, high, weight, (has_low | has_high) & (bridged | (nearest <= 1e-6)))


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns (T, V, 3): positions between those of two frames, of which ``high`` has this weight (T, V)."""
    # Both ends of a gap were seen and are finite, except of a joint that never was; that one is masked later.
    with np.errstate(invalid="ignore"):
        return low * (1 - weight[:, :, None]) + high * weight[:, :, None]


def _at(joints: np.ndarray, frames: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Returns (T, C, 3): of joints (F, V, 3) those of C columns, each at its own frame (T, C)."""
    return joints.reshape(-1, 3).take(frames * joints.shape[1] + columns, axis=0)
