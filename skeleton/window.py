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
    joints, seen = np.asarray(joints, dtype=np.float32), np.asarray(seen, dtype=bool)
    if times_s.ndim != 1 or len(times_s) == 0:
        raise ValueError(f"times_s must be one non-empty axis, found shape {times_s.shape}")
    if joints.shape[:1] != times_s.shape or joints.ndim != 3 or seen.shape != joints.shape[:2]:
        raise ValueError(f"joints {joints.shape} and seen {seen.shape} do not fit {len(times_s)} times")
    if (times_s[1:] <= times_s[:-1]).any():
        raise ValueError("times_s must increase strictly")

    is_finite = np.isfinite(joints)
    if not is_finite.all():  # asked first, because it seldom is so, and reducing an axis of three is slow
        seen, joints = seen & is_finite.all(axis=2), np.where(is_finite, joints, np.float32(0))

    # Most joints are seen in all frames. They share their neighbors, those of column 0, whose frames are taken whole.
    others = np.logical_not(seen.all(axis=0)).nonzero()[0]
    columns = np.ones((len(seen), 1 + len(others)), dtype=bool)
    columns[:, 1:] = seen[:, others]
    low, high, weight, is_seen = _neighbors(times_s, columns, _evenly(start_s, end_s, frame_count), max_gap_s)
    result = _between(joints.take(low[:, 0], axis=0), joints.take(high[:, 0], axis=0), weight[:, :1])
    result[~is_seen[:, 0]] = 0
    result_seen = np.empty(result.shape[:2], dtype=bool)
    result_seen[:] = is_seen[:, :1]
    if len(others):
        low, high, weight, is_seen = low[:, 1:], high[:, 1:], weight[:, 1:], is_seen[:, 1:]
        own = _between(_at(joints, low, others), _at(joints, high, others), weight)
        own[~is_seen] = 0
        result[:, others], result_seen[:, others] = own, is_seen
    return result, result_seen


def _evenly(start_s: float, end_s: float, count: int) -> np.ndarray:
    """Returns (T,) the numbers of ``np.linspace``, in half of its time."""
    times_s: np.ndarray = np.arange(count) * ((end_s - start_s) / max(count - 1, 1)) + start_s
    if count > 1:
        times_s[-1] = end_s
    return times_s


class _Neighbors(NamedTuple):
    """Between which seen frames T moments lie, for V joints: each (T, V), the weight that of ``high``.

    A joint that was never seen has numbers that are no frame's.
    """

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    is_seen: np.ndarray


def _neighbors(times_s: np.ndarray, seen: np.ndarray, wanted_s: np.ndarray, max_gap_s: float) -> _Neighbors:
    """Finds the neighbors of T moments among F frames, for joints seen (F, V)."""
    count = len(times_s)
    frames = np.arange(count, dtype=np.int32)[:, None]
    # (F + 1, V) index of the last seen frame before each one, or -1, and of the first at or after each, or F.
    before, after = np.empty((2, count + 1, seen.shape[1]), dtype=np.int32)
    before[0], after[count] = -1, count
    np.maximum.accumulate(np.where(seen, frames, np.int32(-1)), axis=0, out=before[1:])
    np.minimum.accumulate(np.where(seen, frames, np.int32(count))[::-1], axis=0, out=after[-2::-1])
    low = before.take(times_s.searchsorted(wanted_s, side="right"), axis=0)  # (T, V)
    high = after.take(times_s.searchsorted(wanted_s, side="left"), axis=0)

    has_low, has_high = low >= 0, high < count
    low, high = np.where(has_low, low, high), np.where(has_high, high, low)  # one-sided: hold the nearest
    time_low, time_high = times_s.take(low, mode="clip"), times_s.take(high, mode="clip")
    gap = time_high - time_low
    past = wanted_s[:, None] - time_low
    # Both bounds by hand: np.clip takes thrice as long on so few numbers.
    weight = np.minimum(np.maximum(past / np.where(gap > 0, gap, 1.0), 0.0), 1.0).astype(np.float32)

    nearest = np.minimum(np.abs(past), np.abs(wanted_s[:, None] - time_high))
    # 1 µs of slack: 1/30 s steps do not add up exactly.
    is_near = (np.where(has_low & has_high, gap, nearest) <= max_gap_s + 1e-6) | (nearest <= 1e-6)
    return _Neighbors(low, high, weight, (has_low | has_high) & is_near)


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns (T, V, 3): positions between those of two frames, of which ``high`` has this weight (T, V)."""
    weight = weight[:, :, None]
    return low * (1 - weight) + high * weight


def _at(joints: np.ndarray, frames: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Returns (T, C, 3): of joints (F, V, 3) those of C columns, each at its own frame (T, C)."""
    return joints.reshape(-1, 3).take(frames * joints.shape[1] + columns, axis=0, mode="clip")
