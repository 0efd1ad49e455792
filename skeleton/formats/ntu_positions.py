"""Reads of an NTU file only where the joints are and who they belong to: for tens of thousands of files.

Four of the twelve values of a joint are turned into numbers, all of a file at once, and nothing is built for single
bodies or frames: a regular file is a few dozen numpy operations on its bytes. A file with anything unusual in it goes
to the reader that looks at it line by line and names what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES
from skeleton.formats.decimals import WORD, read_decimals, words_at
from skeleton.formats.ntu_lines import BODY_VALUES, JOINT_VALUES, JOINTS, is_id, number, read_lines_of

SPACE, ZERO = b" 0"
JOINT_COUNT = b"%d" % JOINTS
BODY_LINES = 2 + JOINTS
"""A body's own line, the number of its joints, and theirs."""
MOST_CHARACTERS = 255
"""In a joint's line, which has 70 to 130; spaces are counted in a byte."""
MOST_LINES = 1 << 18
"""A body for five minutes. Frames with nobody are two bytes, but a line found, and a frame kept, takes hundreds."""
LINE_ENDS = [end.encode() for end in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"]
"""Of ``str.splitlines``."""


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
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        return _read_regular(content) or _read_other(content, path)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """A text with nothing but spaces and line ends of one kind between its cells.

    Attributes:
        content: The text; it ends with a line end.
        line_end: How all lines end.
        newlines: Where the last character of each line is.
    """

    content: bytes
    line_end: bytes
    newlines: np.ndarray


def _read_regular(content: bytes) -> Positions | None:
    """What a regular file holds; None for a file that must be looked at line by line."""
    lines = _lines(content)
    if lines is None:
        return None
    try:
        frame_count, frames, first_lines = _bodies(lines)
        ids = _ids(lines, first_lines)
        joints, state = _joints(lines, np.add.outer(first_lines, np.arange(2, BODY_LINES)).ravel())
    except (ValueError, IndexError):
        return None
    return Positions(frame_count, frames, ids, joints, state)


def _lines(content: bytes) -> _Lines | None:
    """The lines of a file; None where there is anything unusual between its cells."""
    line_end = b"\r\n" if content[: content.find(b"\n")].endswith(b"\r") else b"\n"
    if not content.endswith(line_end) or content[-len(line_end) - 1 : -len(line_end)].isspace():
        content = content.rstrip() + line_end  # blank lines at the end, or no line end
    characters = np.frombuffer(content, np.uint8)
    breaks = np.flatnonzero(characters < SPACE)
    if len(breaks) > MOST_LINES * len(line_end):
        return None
    newlines = breaks[len(line_end) - 1 :: len(line_end)]
    is_regular = content.isascii() and len(newlines) * len(line_end) == len(breaks)
    for back, character in enumerate(reversed(line_end)):
        is_regular &= bool((characters[newlines - back] == character).all())
    return _Lines(content, line_end, newlines) if is_regular else None


def _bodies(lines: _Lines) -> tuple[int, np.ndarray, np.ndarray]:
    """How many frames there are; of each body the frame, and which line is its own.

    A frame is one line and 27 for each body. Lines of one and of two characters say how many bodies and how many
    joints there are, and no other lines are as short.
    """
    characters, ends = np.frombuffer(lines.content, np.uint8), lines.newlines - len(lines.line_end)
    lengths = ends[1:] - lines.newlines[:-1]
    body_counts, joint_counts = (np.flatnonzero(lengths == length) + 1 for length in (1, len(JOINT_COUNT)))
    counts = (characters[ends[body_counts]] - np.uint8(ZERO)).astype(np.int64)
    frame_count, body_count = len(counts), int(counts.sum())
    if int(lines.content[: ends[0] + 1]) != frame_count or not 0 < counts.max(initial=0) <= MOST_BODIES:
        raise ValueError("there must be as many frames as it says, with somebody and no more than the sensor sees")
    if len(ends) != 1 + frame_count + BODY_LINES * body_count:  # also: what follows needs no more room than the file
        raise ValueError("the file must end after its frames")
    frames = np.repeat(np.arange(frame_count), counts)
    first_lines = 2 + frames + BODY_LINES * np.arange(body_count)
    frame_lines = 1 + np.arange(frame_count) + BODY_LINES * (np.cumsum(counts) - counts)
    is_there = np.array_equal(body_counts, frame_lines) and np.array_equal(joint_counts, first_lines + 1)
    if not is_there or (characters[np.add.outer(ends[joint_counts], (-1, 0))] != list(JOINT_COUNT)).any():
        raise ValueError("a body must have as many joints as the sensor sees")
    return frame_count, frames, first_lines


def _ids(lines: _Lines, first_lines: np.ndarray) -> list[int]:
    """The tracking ids of the bodies whose lines begin there."""
    content, starts = lines.content, (lines.newlines[first_lines - 1] + 1).tolist()
    if {content.count(b" ", *line) for line in zip(starts, lines.newlines[first_lines].tolist())} != {
        BODY_VALUES - 1
    }:
        raise ValueError("a body must have as many values as the sensor gives")
    # From text to integer, not through a float: ids are above 2**53, and neighboring ones would be one.
    ids = [int(content[start : content.find(b" ", start)]) for start in starts]
    if not all(map(is_id, set(ids))):
        raise ValueError("an id must fit 64 bits")
    return ids


def _joints(lines: _Lines, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 25, 3) float32 positions and (N, 25) int8 states from the joint lines with these numbers."""
    characters = np.frombuffer(lines.content, np.uint8)
    starts, ends = lines.newlines[which - 1] + 1, lines.newlines[which] + 1 - len(lines.line_end)
    is_space = characters == SPACE
    spaces = np.add.reduceat(is_space.view(np.uint8), np.append(0, lines.newlines[:-1] + 1), dtype=np.uint8)[which]
    if (spaces != JOINT_VALUES - 1).any() or (ends - starts > MOST_CHARACTERS).any():
        raise ValueError("a joint must have as many values as the sensor gives")
    state = characters[ends - 1] - np.uint8(ZERO)
    if (state > 2).any() or not is_space[ends - 2].all():
        raise ValueError("a joint's state must be 0, 1 or 2")
    first, last = _first_cells(is_space, starts)
    values = read_decimals(lines.content, first, last, other=number).reshape(3, -1, JOINTS)
    joints = np.ascontiguousarray(values.transpose(1, 2, 0), np.float32)
    return joints, state.astype(np.int8).reshape(-1, JOINTS)


def _first_cells(is_space: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the first three cells of the lines that start there begin and end: all first ones, all second, all third.

    Which of the characters from a line's start on are spaces stands in the bits of one word.
    """
    bits = np.packbits(is_space, bitorder="little")
    if (bits & (bits >> 1)).any() or (bits[:-1] >> 7 & bits[1:]).any():
        raise ValueError("no value may be missing between two spaces")
    word = words_at(bits.tobytes() + bytes(WORD), starts >> 3) >> (starts & 7).astype(np.uint64)
    ends = []
    for _ in range(3):
        rest = word - np.uint64(1)  # has the lowest bit gone, and those below it set
        ends.append(starts + np.bitwise_count(~word & rest))
        word &= rest
    if (ends[-1] - starts > 8 * WORD - 8).any():
        raise ValueError("three numbers must fit into what is looked at")
    return np.concatenate([starts, ends[0] + 1, ends[1] + 1]), np.concatenate(ends)


def _read_other(content: bytes, path: Path) -> Positions:
    """What a file holds that has anything unusual in it; the error that names the line where it is damaged."""
    line_count = sum(map(content.count, LINE_ENDS)) - content.count(b"\r\n")
    if line_count > MOST_LINES:
        raise RecordingError(
            f"{path}, line {MOST_LINES + 1}: the file must have ended before, found {line_count} lines."
        )
    lines = content.decode("utf-8", errors="replace").removeprefix("\ufeff").splitlines() or [""]
    bodies = read_lines_of(path, lines)
    count = len(bodies.first_body) - 1
    frames = np.repeat(np.arange(count), np.diff(bodies.first_body))
    joints, state = bodies.joints[:, :, :3], bodies.joints[:, :, -1]
    return Positions(count, frames, bodies.ids, joints.astype(np.float32), state.astype(np.int8))
