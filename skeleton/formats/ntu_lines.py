"""Reads an NTU file line by line: for files that are not regular, to name the line that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES
from skeleton.layout import KINECT_V2

BODY_VALUES = 10
JOINT_VALUES = 12
JOINTS = len(KINECT_V2)
LARGEST_FLAG = 255
"""All whole numbers of a body line but the id are flags and states of a few bits."""


@dataclass(slots=True)
class Bodies:
    """What an NTU file holds, N bodies in F frames.

    Attributes:
        first_body: F + 1 rows: frame f has the bodies first_body[f] .. first_body[f + 1].
        ids: N tracking ids.
        flags: (N, 7) the other whole numbers of each body's own line, in their order.
        leans: (N, 2) lean left-right and forward-back of each body.
        joints: (N, 25, 12) values of the joint lines.
    """

    first_body: list[int] = field(default_factory=lambda: [0])
    ids: list[int] = field(default_factory=list)
    flags: np.ndarray = field(default_factory=lambda: np.empty((0, 7)))
    leans: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    joints: np.ndarray = field(default_factory=lambda: np.empty((0, JOINTS, JOINT_VALUES)))


def read_lines_of(path: Path, lines: list[str]) -> Bodies:
    """Returns what the lines of an NTU file hold.

    Raises:
        RecordingError: The file ends early or holds something else; the sentence names the line.
    """
    bodies = Bodies()
    flags: list[list[int]] = []
    leans: list[tuple[float, float]] = []
    joints: list[list[list[float]]] = []
    frame_count = _count(path, lines, 0, "the number of frames")
    if frame_count >= len(lines) + (frame_count == 0):
        raise _wrong(path, 0, f"the number of frames is {frame_count}, but the file has only {len(lines)} lines")
    position = 1
    for _ in range(frame_count):
        body_count = _count(path, lines, position, "the number of bodies")
        if body_count > MOST_BODIES:
            raise _wrong(path, position, f"a frame has at most {MOST_BODIES} bodies, found {body_count}")
        position += 1
        for _ in range(body_count):
            identity, body_flags, lean = _body_line(path, lines, position)
            joint_count = _count(path, lines, position + 1, "the number of joints")
            if joint_count != JOINTS:
                raise _wrong(path, position + 1, f"a body must have {JOINTS} joints, found {joint_count}")
            position += 2
            joints.append([_joint_line(path, lines, at) for at in range(position, position + JOINTS)])
            bodies.ids.append(identity)
            flags.append(body_flags)
            leans.append(lean)
            position += JOINTS
        bodies.first_body.append(len(joints))
    for rest in range(position, len(lines)):
        if lines[rest].strip():
            raise _wrong(path, rest, f"the file must end after {frame_count} frames, found more")
    if joints:
        bodies.flags, bodies.leans, bodies.joints = np.array(flags), np.array(leans), np.array(joints)
    return bodies


def _count(path: Path, lines: list[str], position: int, what: str) -> int:
    text = lines[position].strip() if position < len(lines) else ""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if position >= len(lines):
        raise _wrong(path, len(lines) - 1, f"the file ends where {what} must stand")
    raise _wrong(path, position, f"{what} must stand here, found '{text[:30]}'")


def _body_line(path: Path, lines: list[str], position: int) -> tuple[int, list[int], tuple[float, float]]:
    """The id, the seven other whole numbers and the lean of a body."""
    cells = lines[position].split() if position < len(lines) else []
    if len(cells) != BODY_VALUES:
        where = min(position, len(lines) - 1)
        raise _wrong(path, where, f"a body must have {BODY_VALUES} values, found {len(cells)}")
    try:
        identity, *others, left, forward, state = cells
        flags = [*map(int, others), int(state)]
        if not is_id(int(identity)) or any(abs(flag) > LARGEST_FLAG for flag in flags):
            raise ValueError
        return int(identity), flags, (number(left), number(forward))
    except ValueError:
        raise _wrong(path, position, "a body line must hold whole numbers and the lean") from None


def is_id(number: int) -> bool:
    """Tells whether a number fits 64 bits, with or without a sign."""
    return -(2**63) <= number < 2**64


def _joint_line(path: Path, lines: list[str], position: int) -> list[float]:
    cells = lines[position].split() if position < len(lines) else []
    if position >= len(lines):
        raise _wrong(path, len(lines) - 1, "the file ends within a body")
    if len(cells) != JOINT_VALUES:
        raise _wrong(path, position, f"a joint must have {JOINT_VALUES} values, found {len(cells)}")
    try:
        values = [number(cell) for cell in cells]
    except ValueError:
        raise _wrong(path, position, "a joint must have numbers only") from None
    if values[-1] not in (0, 1, 2):
        raise _wrong(path, position, f"a joint's state must be 0, 1 or 2, found {cells[-1]}")
    return values


def number(text: str) -> float:
    if "#" in text:  # how old Windows runtimes print what is not a number: -1.#IND, 1.#QNAN, -1.#INF
        return float("-inf" if text.startswith("-") else "inf") if "INF" in text else float("nan")
    return float(text)


def _wrong(path: Path, position: int, what: str) -> RecordingError:
    return RecordingError(f"{path}, line {position + 1}: {what}.")
