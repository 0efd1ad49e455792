"""Who acts in a recording of one's own: of several bodies those whose limbs move most, all in all.

A body that left comes back under another id, so bodies that are never in view together can be one person. The rule of
NTU RGB+D (``ntu_bodies.py``) does not fit here: it compares where joints are spread, and somebody who walks past
behind spreads more than somebody who exercises on the spot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skeleton.frames import Body, BodyFrame
from skeleton.layout import Layout, body_axes

MOST_SHORT_FRAMES = 11
"""A body in so few frames is a chair or a shadow, where there is a longer one."""


def people(frames: Sequence[BodyFrame], *, persons: int, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the frames in which somebody acts, with those people.

    Args:
        frames: F frames.
        persons: M, the most people.
        layout: V joints of the bodies.

    Returns:
        Indices (n,) of the frames, joints (n, M, V, 3) float32 meters, 0 where not seen, and state (n, M, V) int8.
    """
    joints = np.zeros((len(frames), persons, len(layout), 3), np.float32)
    state = np.zeros(joints.shape[:3], np.int8)
    taken = np.zeros((persons, len(frames)), bool)
    for track in _tracks(frames, layout):
        numbers = list(track)
        free = np.flatnonzero(~taken[:, numbers].any(axis=1))
        if not len(free):
            continue
        taken[free[0], numbers] = True
        for number, body in track.items():
            joints[number, free[0]] = np.where(body.seen[:, None], body.joints, 0)
            state[number, free[0]] = np.where(body.seen, body.state, 0)
    kept = np.flatnonzero(taken.any(axis=0))
    return kept, joints[kept], state[kept]


def _tracks(frames: Sequence[BodyFrame], layout: Layout) -> list[dict[int, Body]]:
    """The bodies of each id by frame number, who moves most first."""
    tracks: dict[int, dict[int, Body]] = {}
    for number, frame in enumerate(frames):
        for body in frame.bodies:
            tracks.setdefault(body.tracking_id, {}).setdefault(number, body)
    if len(tracks) < 2:
        return list(tracks.values())
    long = [track for track in tracks.values() if len(track) > MOST_SHORT_FRAMES] or list(tracks.values())
    return sorted(long, key=lambda track: -_motion(list(track.values()), layout))  # stable: file order where equal


def _motion(bodies: Sequence[Body], layout: Layout) -> float:
    """How far the joints are from where they are on average, seen from the hips: squares added over all frames."""
    points = np.array([np.where(body.seen[:, None], body.joints, np.nan) for body in bodies], dtype=np.float64)
    points -= points[:, [body_axes(layout.joints).center]]  # (F, V, 3)
    is_seen = np.isfinite(points)
    count = is_seen.sum(axis=0)
    mean = np.divide(np.where(is_seen, points, 0).sum(axis=0), count, out=np.zeros(count.shape), where=count > 0)
    return float(np.square(np.where(is_seen, points - mean, 0)).sum())
