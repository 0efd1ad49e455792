"""How one person moves through a stream: clips in place, ways from pose to pose, and standing in between.

Everything is at an even rate, joints (F, V, 3) meters and seen (F, V). Nothing jumps: a way between two poses is
as smooth as its time allows, a clip begins where the person stands, and who stands sways and trembles as the sensor
sees people do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.layout import body_axes
from skeleton.window import cut
from training.cache import Cache

WALK_M_PER_S = 1.0
"""A way to another place takes at least its length at this speed."""
ROAM_M = 0.5
"""A person whose clips lead further from home than this walks back with the next way."""
SWAY_HZ = (0.1, 0.4)
"""Standing people sway at these frequencies (Winter, "Human balance and posture control", 1995)."""
MOST_RESTS = 64
"""First poses among which the pose of rest is looked for."""
HORIZONTAL = np.array([1.0, 0.0, 1.0], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One person over F frames.

    Attributes:
        joints: (F, V, 3) float32 meters.
        seen: (F, V) bool.
    """

    joints: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.joints)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands: the deviation of the sensor's noise and of the sway at the head, meters."""

    noise_m: float
    sway_m: float


def joined(motions: Sequence[Motion]) -> Motion:
    """Returns motions one after another."""
    return Motion(
        np.concatenate([motion.joints for motion in motions]), np.concatenate([motion.seen for motion in motions])
    )


def of_clip(cache: Cache, index: int, *, person: int = 0, rate_hz: float) -> Motion:
    """Returns a clip at an even rate; frame k is what the clip shows k / rate seconds after its first frame."""
    times_s, joints, seen = cache.track(index, person)
    count = int(float(times_s[-1]) * rate_hz + 1e-6) + 1
    if count == 1:
        return Motion(np.array(joints[:1]), seen[:1])
    return Motion(*cut(times_s, joints, seen, start_s=0.0, end_s=(count - 1) / rate_hz, frame_count=count))


def root(motion: Motion, joint_names: Sequence[str], *, last: bool = False) -> np.ndarray | None:
    """Returns where the person is at first (or last): the hips' position (3,), or None where they are never seen."""
    center = body_axes(joint_names).center
    rows = np.flatnonzero(motion.seen[:, center])
    if not len(rows):
        return None
    return np.asarray(motion.joints[rows[-1 if last else 0], center])


def moved(motion: Motion, start: np.ndarray | None, place: np.ndarray) -> Motion:
    """Returns a motion moved along the floor so that ``start``, a point of it, comes to lie at ``place``."""
    if start is None:
        return motion
    return Motion((motion.joints + (place - start) * HORIZONTAL).astype(np.float32), motion.seen)


def way(before: Motion, after: Motion, count: int, *, noise_m: float, random: np.random.Generator) -> Motion:
    """Returns ``count`` frames that lead from the last pose of one motion to the first of another.

    Joints set off and arrive at rest (3 s² - 2 s³), so none is faster than 1.5 times its mean speed; then the sensor
    adds its noise. A joint that is unseen at either end is unseen on the way.
    """
    share = (np.arange(1, count + 1) / (count + 1))[:, None, None]
    share = share * share * (3 - 2 * share)
    joints = before.joints[-1] + (after.joints[0] - before.joints[-1]) * share
    joints = joints + random.normal(0, noise_m, joints.shape) if noise_m else joints
    seen = np.repeat((before.seen[-1] & after.seen[0])[None], count, axis=0)
    return Motion(np.where(seen[:, :, None], joints, 0).astype(np.float32), seen)


def held(pose: Motion, count: int, standing: Standing, *, rate_hz: float, random: np.random.Generator) -> Motion:
    """Returns ``count`` frames of a person who holds the last pose of a motion: slow sway, and noise of the sensor.

    The sway begins at the pose itself, is largest at the highest joint and nothing at the lowest.
    """
    joints, seen = pose.joints[-1], pose.seen[-1]
    height = joints[:, 1] - joints[seen, 1].min() if seen.any() else np.zeros(len(joints))
    height = np.clip(height / max(float(height[seen].max(initial=0.0)), 1e-6), 0, 1)
    phases = 2 * np.pi * random.uniform(*SWAY_HZ, size=2) * (np.arange(count)[:, None] / rate_hz)
    start = random.uniform(0, 2 * np.pi, 2)
    sway = np.zeros((count, 1, 3))
    sway[:, 0, ::2] = standing.sway_m * (np.sin(phases + start) - np.sin(start))
    noise = random.normal(0, standing.noise_m, (count, len(joints), 3)) if standing.noise_m else 0.0
    result = joints + sway * height[:, None] + noise
    return Motion(np.where(seen[:, None], result, 0).astype(np.float32), np.repeat(seen[None], count, axis=0))


def rest_of(motions: Sequence[Motion], joint_names: Sequence[str]) -> Motion:
    """Returns the pose a person stands in between actions, as one frame: of the poses their clips begin in, the one
    that is nearest to the others (the medoid of the poses about the hips).
    """
    firsts = motions[:MOST_RESTS]
    center = body_axes(joint_names).center
    poses = np.stack([motion.joints[0] - motion.joints[0, center] for motion in firsts])
    shares = np.stack([motion.seen[0] for motion in firsts])
    both = shares[:, None] & shares[None]  # (N, N, V)
    distance = np.linalg.norm(poses[:, None] - poses[None], axis=3)
    mean = (distance * both).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
    chosen = firsts[int(np.argmin(mean.mean(axis=1) - shares.mean(axis=1)))]  # and of which much is seen
    return Motion(chosen.joints[:1], chosen.seen[:1])


def way_frames(length_m: float, seconds: float, *, rate_hz: float) -> int:
    """Returns how many frames a way takes: the seconds, or longer where it is too far to walk in them."""
    return max(1, round(max(seconds, length_m / WALK_M_PER_S) * rate_hz) - 1)
