"""The windows of one clip: all of it, the part seen so far, and what a live view would have shown of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.leveling import level
from models.card import ModelCard
from skeleton.errors import ModelContractError, TrainingDataError
from skeleton.window import Window, cut
from training.cache import LONGEST_S, Cache

LIVE_STEP_S = 0.2
"""Between two windows of one clip. The app recognizes at every frame; neighbors in time say nearly the same."""
HELD_RATE_HZ = 30.0
SLACK_S = 1e-6
"""Sums of 1/30 s are not exact."""


def duration_s(cache: Cache, index: int) -> float:
    """Returns the time of a clip's last frame, seconds.

    Raises:
        TrainingDataError: Its times are damaged, or those of an older cache in which a clock leapt.
    """
    last_s = float(cache.track(index)[0][-1])
    if not 0 <= last_s <= LONGEST_S:
        raise TrainingDataError(
            f"A clip must last from 0 to {LONGEST_S:.0f} s, but clip {index} of {cache.path} ({cache.name(index)}) "
            f"ends at {last_s:g} s.",
            remedy="Prepare the data set again.",
        )
    return last_s


def whole_window(cache: Cache, index: int, card: ModelCard, *, share: float = 1.0) -> Window:
    """Returns a clip from its first to its last frame as a window of the model.

    Args:
        cache: The data.
        index: The clip.
        card: Of the model.
        share: Only this part of the clip was seen; the rest of the window is unknown, so the graph lets the people
            hold their last pose.
    """
    end_s = duration_s(cache, index)
    return _window(cache, index, card, start_s=0.0, end_s=end_s, until_s=share * end_s)


def live_window(cache: Cache, index: int, card: ModelCard, *, end_s: float) -> Window:
    """Returns what the app would recognize ``end_s`` seconds into a clip: the model's span, ending there.

    Before the clip begins the people hold their first pose.
    """
    return _window(cache, index, card, start_s=end_s - card.span_s, end_s=end_s, until_s=end_s)


def live_ends_s(duration_s: float, span_s: float) -> np.ndarray:
    """Returns when the windows of a span end that lie in a clip, in order.

    A clip shorter than the span gives one, in which the people hold their first pose before it begins.
    """
    return np.arange(duration_s, min(span_s, duration_s) - 1e-9, -LIVE_STEP_S)[::-1]


def leveled(joints: np.ndarray, floor: Sequence[float] | None, *, what: str) -> np.ndarray:
    """Returns joints (F, V, 3) in axes that stand on the floor, for a model that expects them.

    Raises:
        ModelContractError: The floor is not known.
    """
    if floor is None:
        raise ModelContractError(f"The model needs heights above a floor, but the floor of {what} is not known.")
    return level(joints, floor)


def _window(cache: Cache, index: int, card: ModelCard, *, start_s: float, end_s: float, until_s: float) -> Window:
    order = cache.layout.select(card.joints)
    joints = np.zeros((card.persons, card.frames, len(order), 3), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for person in range(min(card.persons, cache.persons)):
        times_s, positions, is_seen = cache.track(index, person)
        if card.expects_leveled:
            positions = leveled(positions, cache.floor(index), what=f"clip {index} of {cache.path}")
        count = max(1, int(np.searchsorted(times_s, until_s + SLACK_S, side="right")))  # frames that were seen
        track = _held(times_s[:count], positions[:count], is_seen[:count], start_s=start_s)
        joints[person], seen[person] = cut(
            track[0], track[1][:, order], track[2][:, order], start_s=start_s, end_s=end_s, frame_count=card.frames
        )
    ids = tuple(person if seen[person].any() else -1 for person in range(card.persons))
    return Window(body_ids=ids, end_s=end_s, joints=joints, seen=seen)


def _held(
    times_s: np.ndarray, joints: np.ndarray, seen: np.ndarray, *, start_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lets a track begin at ``start_s``, in its first pose, where it begins later."""
    count = int(np.ceil((times_s[0] - start_s) * HELD_RATE_HZ))
    if count <= 0:
        return times_s, joints, seen
    before = np.linspace(start_s, times_s[0], count, endpoint=False)
    return (
        np.concatenate([before, times_s]),
        np.concatenate([np.repeat(joints[:1], count, axis=0), joints]),
        np.concatenate([np.repeat(seen[:1], count, axis=0), seen]),
    )
