"""Reads of an NTU file only where the joints are and who they belong to: for tens of thousands of files.

Four of the twelve values of a joint are turned into numbers, and nothing is built for single bodies or frames. A file
with anything unusual in it goes to the reader that looks at it line by line and names what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from skeleton.formats.base import MOST_BODIES
from skeleton.formats.ntu_lines import JOINTS, is_id, read_lines_of

COLUMNS = (0, 1, 2, 11)
"""Of a joint's twelve values: x, y, z, and the state, which comes last."""
BODY_COUNTS = {str(count): count for count in range(MOST_BODIES + 1)}
JOINT_COUNT = str(JOINTS)


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """N bodies in F frames.

    Attributes:
        frame_count: F.
        frames: (N,) frame of each body, not decreasing.
        ids: N tracking ids, integers of 64 bits.
        joints: (N, 25, 3) float32 meters.
        state: (N, 25) int8: 0 not tracked, 1 inferred, 2 tracked.
    """

    frame_count: int
    frames: np.ndarray
    ids: list[int]
    joints: np.ndarray
    state: np.ndarray


def read_positions(content: bytes, path: Path) -> Positions:
    """Reads an NTU file that is in memory.

    Args:
        content: Its bytes.
        path: Its name, for messages.

    Raises:
        RecordingError: The file ends early or holds something else; the sentence names the line.
    """
    lines = content.decode("utf-8", errors="replace").removeprefix("\ufeff").splitlines() or [""]
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        return _read_regular(lines) or _read_other(lines, path)


def _read_regular(lines: list[str]) -> Positions | None:
    """What a regular file holds; None for a file that must be looked at line by line."""
    first_body, headers = [0], list[str]()
    try:
        blocks = _joint_lines(lines, first_body, headers)
        first = next(blocks, [""])
        if not all(map(str.strip, first)):  # nobody in it, or what numpy passes over
            return None
        # Every line goes to C as it is found: nearly all of the time goes into turning texts into numbers.
        rows = chain(first, chain.from_iterable(blocks))
        values = np.loadtxt(rows, comments=None, delimiter=" ", usecols=COLUMNS, ndmin=2, dtype=np.float32)
        ids = [int(header.split(" ", 1)[0]) for header in headers]
    except (ValueError, KeyError, IndexError):
        return None
    if len(values) != len(ids) * JOINTS or not all(map(is_id, ids)):
        return None
    state = values[:, -1]
    if not ((state == 0) | (state == 1) | (state == 2)).all():
        return None
    return _positions(first_body, ids, values.reshape(-1, JOINTS, len(COLUMNS)))


def _joint_lines(lines: list[str], first_body: list[int], headers: list[str]) -> Iterator[list[str]]:
    """Yields the joint lines of each body; collects the bodies' own lines, and where each frame's bodies begin."""
    at = 1
    for _ in range(int(lines[0])):
        bodies, at = BODY_COUNTS[lines[at]], at + 1
        for _ in range(bodies):
            headers.append(lines[at])
            if lines[at + 1] != JOINT_COUNT:
                raise ValueError("a body must have as many joints as the sensor sees")
            yield lines[at + 2 : at + 2 + JOINTS]
            at += 2 + JOINTS
        first_body.append(len(headers))
    if any(map(str.strip, lines[at:])):
        raise ValueError("the file must end after its frames")


def _read_other(lines: list[str], path: Path) -> Positions:
    """What a file holds that has anything unusual in it; the error that names the line where it is damaged."""
    bodies = read_lines_of(path, lines)
    return _positions(bodies.first_body, bodies.ids, bodies.joints[:, :, COLUMNS].astype(np.float32))


def _positions(first_body: list[int], ids: list[int], values: np.ndarray) -> Positions:
    count = len(first_body) - 1
    frames = np.repeat(np.arange(count), np.diff(first_body))
    return Positions(count, frames, ids, values[:, :, :3], values[:, :, 3].astype(np.int8))
