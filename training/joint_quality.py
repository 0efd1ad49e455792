"""What the joints of a cache look like, clip by clip: how well they are seen, whether they jump or freeze."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from skeleton.layout import INFERRED, NOT_TRACKED, TRACKED
from skeleton.recording import GAP_S
from training.cache import Cache

BLOCK_FRAMES = 20_000
"""Frames in memory at once: 12 MB of two people of 25 joints, and a few times that while they are measured."""
JUMP_M, JUMP_M_S = 0.3, 15.0
"""A joint that goes so far, so fast, from one frame to the next was found again somewhere else; a boxer's fist makes
10 m/s."""
FROZEN_M = 1e-4
"""A joint that never moves by a tenth of a millimeter is not measured: the sensor's noise alone is several."""
FROZEN_FRAMES = 15
"""Frames that a clip must have for a joint that stands still to say anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Measures of C clips, V joints and the layout's bones.

    Attributes:
        tracked: (V,) share of the frames with a person in which the joint is tracked.
        inferred: (V,) share in which it is inferred.
        jumps: (C, V) how often it jumps.
        frozen: (C, V) bool, seen all the time and never moving.
        bones_m: (C, bones) mean length of the first person's bones, NaN where never seen, meters.
        rise_m: (C,) mean height of the first person's head above the hips, meters.
        turn_m: (C,) mean of the right shoulder's x minus the left one's: above 0 for who faces the sensor, meters.
        nearest_m: (C,) smallest distance from the sensor of a seen joint, along its axis, meters.
        repeated: (C,) frames that equal the one before.
        empty: (C,) frames in which nobody is seen.
        gaps: (C,) steps in time of ``GAP_S`` and more.
        step_s: (C,) median step in time, NaN for a single frame, seconds.
        not_finite: (C,) coordinates that are no numbers.
        strange_states: (C,) states of joints that are none.
        digest: C hashes; equal for clips that are exact copies.
    """

    tracked: np.ndarray
    inferred: np.ndarray
    jumps: np.ndarray
    frozen: np.ndarray
    bones_m: np.ndarray
    rise_m: np.ndarray
    turn_m: np.ndarray
    nearest_m: np.ndarray
    repeated: np.ndarray
    empty: np.ndarray
    gaps: np.ndarray
    step_s: np.ndarray
    not_finite: np.ndarray
    strange_states: np.ndarray
    digest: list[bytes]


def measure(cache: Cache) -> Quality:
    """Measures all clips of a cache, some thousand frames at a time."""
    clips, joints = len(cache), len(cache.layout)
    counts = np.zeros((2, joints), np.int64)
    people_frames = 0
    columns: dict[str, list[np.ndarray]] = {}
    digest: list[bytes] = []
    for block in _blocks(cache):
        rows = np.concatenate([np.arange(cache.rows(i).start, cache.rows(i).stop) for i in block])
        lengths = cache.clips["frames"][block].astype(np.int64)
        starts = np.cumsum([0, *lengths[:-1]])
        positions, state, times_s = cache.joints[rows], cache.state[rows], cache.times_s[rows]
        for name, values in _measured(cache, positions, state, times_s, starts, lengths).items():
            columns.setdefault(name, []).append(values)
        for start, length in zip(starts, lengths):
            hashed = blake2b(np.ascontiguousarray(positions[start : start + length]).data, digest_size=16)
            hashed.update(np.ascontiguousarray(state[start : start + length]).data)
            digest.append(hashed.digest())
        is_present = state.any(axis=2)
        people_frames += int(is_present.sum())
        counts += [(state == kind).sum(axis=(0, 1)) for kind in (TRACKED, INFERRED)]
    assert len(digest) == clips
    shares = counts / max(people_frames, 1)
    merged = {name: np.concatenate(parts) for name, parts in columns.items()}
    return Quality(tracked=shares[0], inferred=shares[1], digest=digest, **merged)


def _blocks(cache: Cache) -> Iterator[list[int]]:
    """Clips in a row that have ``BLOCK_FRAMES`` together, or a single longer one."""
    block: list[int] = []
    frames = 0
    for index, length in enumerate(cache.clips["frames"].tolist()):
        if block and frames + length > BLOCK_FRAMES:
            yield block
            block, frames = [], 0
        block.append(index)
        frames += length
    if block:
        yield block


def _measured(
    cache: Cache,
    positions: np.ndarray,
    state: np.ndarray,
    times_s: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
) -> dict[str, np.ndarray]:
    """Every measure of the clips that begin at ``starts`` in arrays of F frames."""
    is_number = np.isfinite(positions)
    seen = (state > 0) & is_number.all(axis=-1)  # (F, M, V)
    is_state = (state >= NOT_TRACKED) & (state <= TRACKED)
    positions, times_s = np.where(is_number, positions, 0), np.where(np.isfinite(times_s), times_s, 0)
    inner = np.ones(len(times_s), bool)  # frames that have one before them in their clip
    inner[starts] = False
    step_s = np.diff(times_s, prepend=times_s[:1])
    jumps = np.zeros((len(starts), positions.shape[2]), np.int64)
    frozen = np.zeros(jumps.shape, bool)
    is_repeated = inner & seen.any(axis=(1, 2))
    for person in range(positions.shape[1]):
        both = seen[:, person] & np.roll(seen[:, person], 1, axis=0) & inner[:, None]
        moved_m = np.linalg.norm(np.diff(positions[:, person], axis=0, prepend=positions[:1, person]), axis=-1)
        moved_m = np.where(both, moved_m, 0)
        is_jump = (moved_m > JUMP_M) & (moved_m > JUMP_M_S * step_s[:, None])
        jumps += np.add.reduceat(is_jump, starts, axis=0, dtype=np.int64)
        always = np.logical_and.reduceat(seen[:, person], starts, axis=0)
        frozen |= always & (np.maximum.reduceat(moved_m, starts, axis=0) < FROZEN_M)
        is_repeated[1:] &= (positions[1:, person] == positions[:-1, person]).all(axis=(1, 2))
    first, first_seen = positions[:, 0], seen[:, 0]
    index = {name: number for number, name in enumerate(cache.layout.joints)}
    hips = index.get("SpineBase", index.get("HipCenter"))
    bone_a, bone_b = np.array(cache.layout.bones).reshape(-1, 2).T
    lengths_m = np.linalg.norm(first[:, bone_a] - first[:, bone_b], axis=-1)
    return {
        "jumps": jumps,
        "frozen": frozen & (lengths >= FROZEN_FRAMES)[:, None],
        "bones_m": _means(lengths_m, first_seen[:, bone_a] & first_seen[:, bone_b], starts),
        "rise_m": _difference(first, first_seen, starts, hips, index.get("Head"), axis=1),
        "turn_m": _difference(
            first, first_seen, starts, index.get("ShoulderLeft"), index.get("ShoulderRight"), axis=0
        ),
        "nearest_m": np.minimum.reduceat(np.where(seen, positions[..., 2], np.inf).min(axis=(1, 2)), starts),
        "repeated": np.add.reduceat(is_repeated, starts, dtype=np.int64),
        "empty": np.add.reduceat(~seen.any(axis=(1, 2)), starts, dtype=np.int64),
        "gaps": np.add.reduceat((step_s >= GAP_S) & inner, starts, dtype=np.int64),
        "step_s": np.array([np.median(step_s[s + 1 : s + n]) if n > 1 else np.nan for s, n in zip(starts, lengths)]),
        "not_finite": np.add.reduceat((~is_number).sum(axis=(1, 2, 3)), starts, dtype=np.int64),
        "strange_states": np.add.reduceat((~is_state).sum(axis=(1, 2)), starts, dtype=np.int64),
    }


def _difference(
    positions: np.ndarray, seen: np.ndarray, starts: np.ndarray, start: int | None, end: int | None, *, axis: int
) -> np.ndarray:
    """Mean of ``end`` minus ``start`` along an axis, for each clip; NaN where a joint is missing."""
    if start is None or end is None:
        return np.full(len(starts), np.nan)
    both = seen[:, start] & seen[:, end]
    return _means((positions[:, end, axis] - positions[:, start, axis])[:, None], both[:, None], starts)[:, 0]


def _means(values: np.ndarray, is_valid: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(F, X) -> (C, X) means over the valid frames of each clip, NaN where there is none."""
    total = np.add.reduceat(np.where(is_valid, values, 0), starts, axis=0, dtype=np.float64)
    count = np.add.reduceat(is_valid, starts, axis=0, dtype=np.int64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
