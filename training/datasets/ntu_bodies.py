"""Who of the bodies in an NTU RGB+D file are the people who act: rules that the field agrees on, each with a switch.

The tracker takes chairs and tables for bodies, and gives a person who was lost a new id. The rules and their numbers
are those of most published results (the step was published with SGN and is used by CTR-GCN, InfoGCN, HD-GCN, pyskl
and others). Its faults are mended here: a body that leaves and returns keeps its place in time; a body spliced in
never replaces frames of the one before, and it may fill a gap between two that were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.config import setting

MOST_SHORT_FRAMES = 11
WIDEST = 0.8
"""Width over height; a standing person has 0.3 to 0.5, a chair about 1."""
MOST_WIDE_SHARE = 0.69754
"""Of a body's frames, in the published step."""


@dataclass(frozen=True, slots=True)
class NtuRules:
    """Which rules apply to the bodies of a file; ``false`` switches one off."""

    short_bodies: bool = setting(
        True, f"rule: a body seen in {MOST_SHORT_FRAMES} frames or fewer is noise, where there is a longer one"
    )
    wide_bodies: bool = setting(
        True,
        f"rule: a body that is wider than {WIDEST} of its height in {MOST_WIDE_SHARE:.0%} of its frames is noise, "
        "where there is another; of others only the frames that are not so wide count as motion",
    )
    main_actor: str = setting(
        "motion", "who comes first: who moves most, or who is first in the file", choices=("motion", "file")
    )
    merge_ids: bool = setting(True, "rule: bodies with two ids that are not there at the same time are one person")
    persons: int = setting(2, "people kept, 1 or 2")
    empty_frames: str = setting(
        "drop",
        "frames without anybody who is kept: left out (times stay those of the sensor), or kept as frames in which "
        "nobody is seen",
        choices=("drop", "keep"),
    )
    missing_list: bool = setting(True, "rule: files on the published list of missing or incomplete skeletons are out")

    def __post_init__(self) -> None:
        if self.persons not in (1, 2):
            raise ValueError(f"persons must be 1 or 2, found {self.persons}")


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """The rows of one id, in time.

    Attributes:
        rows: Where its joints are.
        frames: The frame of each row; increasing.
        motion: Variance of all its joints over all its frames, the three axes added, square meters.
    """

    rows: np.ndarray
    frames: np.ndarray
    motion: float


def actors(rules: NtuRules, ids: Sequence[int], frames: np.ndarray, joints: np.ndarray) -> list[np.ndarray]:
    """Returns who acts in a file: for each person, at most ``rules.persons``, the rows that show them.

    Args:
        rules: What applies.
        ids: N tracking ids, one for each body in each frame.
        frames: (N,) frame index of each, not decreasing.
        joints: (N, V, 3) meters.

    Returns:
        For each person (n,) row indices with increasing frames; the main actor first.
    """
    tracks = _tracks(ids, frames, joints)
    if rules.short_bodies:
        tracks = [track for track in tracks if len(track.rows) > MOST_SHORT_FRAMES] or tracks
    if rules.wide_bodies:
        tracks = _without_wide(tracks, joints)
    if rules.main_actor == "motion":
        tracks = sorted(tracks, key=lambda track: -track.motion)  # stable: file order where equal
    people = [[track] for track in tracks] if not rules.merge_ids else _merged(tracks, rules.persons)
    return [_spliced(person) for person in people[: rules.persons]]


def _tracks(ids: Sequence[int], frames: np.ndarray, joints: np.ndarray) -> list[_Track]:
    """One track for each id, in the order in which they appear."""
    number: dict[int, int] = {}  # of integers: as floats, neighboring ids would be one
    owner = np.array([number.setdefault(identity, len(number)) for identity in ids], dtype=np.int64)
    tracks = []
    for index in range(len(number)):
        rows = np.flatnonzero(owner == index)
        rows = rows[np.unique(frames[rows], return_index=True)[1]]  # an id twice in one frame: the first counts
        tracks.append(_Track(rows, frames[rows], _motion(joints[rows]) if len(number) > 1 else 0.0))
    return tracks


def _motion(joints: np.ndarray) -> float:
    points = joints.reshape(-1, 3)
    points = points[np.isfinite(points).all(axis=1)]
    return float(points.var(axis=0, dtype=np.float64).sum()) if len(points) else 0.0


def _without_wide(tracks: list[_Track], joints: np.ndarray) -> list[_Track]:
    """The tracks that are not wide for most of their time, with the motion of their good frames; at least one."""
    left, kept = len(tracks), []
    for track in tracks:
        if left == 1:
            kept.append(track)
            continue
        is_wide = _is_wide(joints[track.rows])
        if is_wide.mean() >= MOST_WIDE_SHARE:
            left -= 1
            continue
        motion = min(track.motion, _motion(joints[track.rows[~is_wide]])) if is_wide.any() else track.motion
        kept.append(_Track(track.rows, track.frames, motion))
    return kept


def _is_wide(joints: np.ndarray) -> np.ndarray:
    """(n,) bool: the spread of x is more than ``WIDEST`` of that of y."""
    with np.errstate(invalid="ignore"):
        spread = np.ptp(joints[:, :, :2], axis=1)
    result: np.ndarray = ~(spread[:, 0] <= WIDEST * spread[:, 1])  # a body of NaN counts as wide
    return result


def _merged(tracks: Sequence[_Track], persons: int) -> list[list[_Track]]:
    """Each track joins the first person who is not there at its time; who moves most chooses first."""
    people: list[list[_Track]] = [[] for _ in range(persons)]
    for track in tracks:
        free = (person for person in people if not any(_overlap(track, other) for other in person))
        person = next(free, None)
        if person is not None:
            person.append(track)
    return [person for person in people if person]


def _overlap(one: _Track, other: _Track) -> bool:
    """Whether two tracks, each from its first to its last frame, have more than one frame in common."""
    return bool(min(one.frames[-1], other.frames[-1]) > max(one.frames[0], other.frames[0]))


def _spliced(person: Sequence[_Track]) -> np.ndarray:
    """The rows of all tracks of a person in time; where two have a frame in common, the earlier one's."""
    rows = np.concatenate([track.rows for track in person])
    frames = np.concatenate([track.frames for track in person])
    result: np.ndarray = rows[np.unique(frames, return_index=True)[1]]
    return result
