"""UESTC RGB-D varying-view: 40 aerobic exercises by 118 people, seen from eight fixed directions and a moving one.

Ji, Xu, Yang, Shen, Shen, Zheng: "A Large-scale RGB-D Database for Arbitrary-view Human Action Recognition", ACM MM
2018; https://github.com/HRI-UESTC/CFM-HRI-RGB-D-action-database. Either of its two forms is read: the folder of
``*_skeleton.txt``, or ``mat_from_skeleton`` with the same positions in MATLAB files. There are no tracking states: a
joint at zero was not tracked. The camera is the number after ``c``, the set-up the direction after ``d``.

While the second camera moves (direction 8) people repeat an action for about 57 s, nine times as long as otherwise.
Such a recording is cut into equal segments that are clips of their own, of one performance: its whole length would be
read as one very slow action.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skeleton.config import setting
from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2, NOT_TRACKED, TRACKED
from training.datasets.archive import open_files
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, Refusal
from training.datasets.mat_file import read_matrix
from training.datasets.uestc_names import FILE, LABELS, PARTS, WRITTEN, performance
from training.protocol_table import UESTC_VARYING

RATE_HZ = 30.0
"""The files have no time stamps; the sensor's rate."""
FRAME_MARK = b"#"
JOINT_TOKENS = 10
"""A joint is three lines: ``x y z 0`` in meters, ``x y 1`` in the color picture, ``x y 2`` in the depth picture."""
FRAME_TOKENS = JOINT_TOKENS * len(KINECT_V2)
MOST_FRAMES = 20_000
"""Eleven minutes; the longest recordings have one."""
MOST_SEGMENTS = 100
MATRIX_NAMES = ("v", "skel")
"""Variable of the published MATLAB files, and of those that the authors' own script writes."""


@dataclass(frozen=True, slots=True)
class UestcOptions:
    """What can be chosen about UESTC."""

    segments: int = setting(
        10,
        "equal segments that a recording of the moving camera (direction 8, about 57 s) is cut into, so that one is "
        "about as long as every other recording (6 s); 1 leaves it whole",
    )

    def __post_init__(self) -> None:
        if not 1 <= self.segments <= MOST_SEGMENTS:
            raise ValueError(f"segments must be from 1 to {MOST_SEGMENTS}, found {self.segments}")


def look(path: Path, options: UestcOptions) -> Listing:
    """Lists the recordings of a folder or zip file by their names, those of the moving camera in segments.

    Raises:
        TrainingDataError: None has the name of a recording.
    """
    items: dict[tuple[int, ...], Item] = {}
    refused: list[Refusal] = []
    with open_files(path) as files:
        for name, match in files.matches(FILE).items():
            action, direction, person, camera = identity = tuple(map(int, match.groups()))
            reason = _reason(name, identity, items)
            if reason:
                refused.append(Refusal(name, reason))
                continue
            items[identity] = Item(
                name=name,
                label=action,
                subject=person,
                repetition=0,
                group=performance(action=action, direction=direction, person=person),
                camera=camera,
                setup=direction,
                size=files.sizes[name],
            )
    if not items and not refused:
        raise TrainingDataError(
            f"{path} must hold files like 'a0_d1_p01_c1_skeleton.txt' or '.mat', found none.",
            remedy="Give the folder of the skeleton files of UESTC.",
        )
    cut = (_segments(items[key], options.segments) for key in sorted(items))
    return Listing(_DESCRIPTION, tuple(item for segments in cut for item in segments), tuple(refused))


def _reason(name: str, identity: tuple[int, ...], known: Mapping[tuple[int, ...], Item]) -> str:
    """Why a file is left out, or an empty string."""
    for (what, numbers), number in zip(PARTS.items(), identity):
        if number not in numbers:
            return f"there is no {what} {number}"
    if not WRITTEN.search(name):
        return "its name must be written like 'a0_d1_p01_c1_skeleton.txt' or '.mat'"
    return f"it is there twice, first as {known[identity].name}" if identity in known else ""


def _segments(item: Item, count: int) -> list[Item]:
    """The clips of a recording: itself, or its segments where the camera moves."""
    if item.setup != UESTC_VARYING or count == 1:
        return [item]
    return [
        dataclasses.replace(
            item,
            name=f"{item.name}[{number} of {count}]",
            repetition=number,
            size=item.size // count,
            place=(item.name, number),
        )
        for number in range(1, count + 1)
    ]


@contextmanager
def reader(path: Path, options: UestcOptions, description: Description) -> Iterator[Load]:
    """Opens the source and gives the function that reads one recording, or a segment of one."""
    del description
    with open_files(path) as files:
        last: dict[str, np.ndarray] = {}  # the segments of a recording follow each other

        def parsed(name: str) -> np.ndarray:
            parse = parse_text if name.endswith(".txt") else parse_matrix
            return parse(files.read(name), where=f"{path}: '{name}'")

        def segment(name: str, number: int) -> np.ndarray:
            if name not in last:
                last.clear()
                last[name] = parsed(name)
            edges = np.linspace(0, len(last[name]), options.segments + 1).round().astype(int)
            return last[name][edges[number - 1] : edges[number]]

        def load(item: Item) -> Clip:
            joints = segment(str(item.place[0]), int(item.place[1])) if item.place else parsed(item.name)
            if len(joints) < 2:
                raise TrainingDataError(
                    f"{path}: '{item.name}' must hold at least two frames, found {len(joints)}.",
                    remedy="Cut the recordings of the moving camera into fewer segments (--set segments=1).",
                )
            state = np.where(joints.any(axis=2), TRACKED, NOT_TRACKED)
            if not state.any():
                raise TrainingDataError(f"{path}: '{item.name}' must show somebody, but all its numbers are zero.")
            return Clip(
                item=item,
                times_s=np.arange(len(joints)) / RATE_HZ,
                joints=joints[:, None],
                state=state[:, None],
            )

        yield load


def parse_text(content: bytes, *, where: str) -> np.ndarray:
    """Reads a ``skeleton.txt``; a last frame that was cut short is left out.

    Returns:
        (F, 25, 3) float32 meters; zeros in a frame without a body.

    Raises:
        TrainingDataError: The bytes are not such a file, or hold no frame.
    """
    tokens = content.split()
    marks = [index for index, token in enumerate(tokens) if token == FRAME_MARK]
    ends = [*marks[1:], len(tokens)]
    lengths = [end - mark - 1 for mark, end in zip(marks, ends)]
    if lengths and lengths[-1] < FRAME_TOKENS:
        marks, lengths = marks[:-1], lengths[:-1]
    if not marks or marks[0] != 0:
        raise TrainingDataError(f"{where} must begin with a '#' and hold a whole frame, but does not.")
    if len(marks) > MOST_FRAMES:
        raise TrainingDataError(f"{where} must hold at most {MOST_FRAMES} frames, found {len(marks)}.")
    joints = np.zeros((len(marks), len(KINECT_V2), 3), dtype=np.float32)
    for frame, (mark, length) in enumerate(zip(marks, lengths)):
        if not length:
            continue  # a frame without a body
        rows = tokens[mark + 1 : mark + 1 + FRAME_TOKENS]
        if length != FRAME_TOKENS or rows[3::JOINT_TOKENS] != [b"0"] * len(KINECT_V2):
            raise TrainingDataError(
                f"{where} must hold {len(KINECT_V2)} joints of 3 lines a frame, but frame {frame} does not."
            )
        try:
            values = [list(map(float, rows[axis::JOINT_TOKENS])) for axis in range(3)]
        except ValueError:
            raise TrainingDataError(f"{where} must hold numbers, but frame {frame} holds something else.") from None
        joints[frame] = np.array(values).T
    return _finite(joints, where=where)


def parse_matrix(content: bytes, *, where: str) -> np.ndarray:
    """Reads a ``skeleton.mat``: (F, 75) or (F, 25, 3) numbers; returns (F, 25, 3) float32 meters.

    Raises:
        TrainingDataError: The bytes are not such a file, or hold no frame.
    """
    if not content:
        raise TrainingDataError(f"{where} must hold a matrix, but is empty.")
    matrix = read_matrix(content, MATRIX_NAMES, where=where)
    width = 3 * len(KINECT_V2)
    if not len(matrix) or matrix.shape[1:] not in ((width,), (len(KINECT_V2), 3)):
        raise TrainingDataError(
            f"{where} must hold {width} numbers a frame, but its matrix is {' x '.join(map(str, matrix.shape))}."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return _finite(matrix.reshape(len(matrix), -1, 3).astype(np.float32), where=where)


def _finite(joints: np.ndarray, *, where: str) -> np.ndarray:
    if len(joints) < 2:
        raise TrainingDataError(f"{where} must hold at least two frames, found {len(joints)}.")
    if not np.isfinite(joints).all():
        frame = int(np.argwhere(~np.isfinite(joints))[0, 0])
        raise TrainingDataError(f"{where} must hold finite numbers, but frame {frame} does not.")
    return joints


_DESCRIPTION = Description(
    name="uestc",
    layout=KINECT_V2,
    labels=LABELS,
    protocols=("cs", "cv1", "cv2", "av"),
    license="signed by an adviser; research only, no commercial use, no redistribution",
)

UESTC = DataSet(
    name="uestc",
    title="UESTC RGB-D varying-view, 40 aerobic exercises from nine directions",
    source="the folder of skeleton.txt or .mat files",
    look=look,
    reader=reader,
    description=_DESCRIPTION,
    options=UestcOptions,
)
