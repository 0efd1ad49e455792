"""NTU RGB+D ``.skeleton`` files: text, 30 Hz, Kinect v2, with pixels and orientations for every joint.

    <frame count>
    per frame:  <body count>
    per body:   id clippedEdges leftConfidence leftState rightConfidence rightState isRestricted leanX leanY state
                <joint count>
                25 lines  x y z  depthX depthY  colorX colorY  orientationW X Y Z  state

Source: the data set's own ``Matlab/read_skeleton_file.m``. The file holds no times: frame k is at k / 30 s.
A regular file's joint lines go to numpy in one call; only a file with anything else in it is read line by line.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import LARGEST_TEXT, MOST_BODIES, FramesOnDemand, opened, read_lines
from skeleton.formats.ntu_lines import (
    BODY_VALUES,
    JOINT_VALUES,
    JOINTS,
    LARGEST_FLAG,
    Bodies,
    is_id,
    read_lines_of,
)
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo

RATE_HZ = 30.0
BODY_COUNTS = {str(count): count for count in range(MOST_BODIES + 1)}
JOINT_COUNT = str(JOINTS)
EMPTY: np.ndarray = np.empty((0, JOINT_VALUES), np.float32)
FLAGS, LEAN = [1, 2, 3, 4, 5, 6, 9], [7, 8]
"""Where the small whole numbers and the lean stand in a body's line."""
DETAIL_COLUMNS = (slice(3, 5), slice(5, 7), slice(7, 11))
NO_DETAILS = BodyDetails()
DETAIL_NAMES = [(name, name in ("depth_px", "color_px", "orientation")) for name in BodyDetails.__slots__]


def sniff(head: bytes, path: Path) -> bool:
    """Tells an NTU file: a count alone on the first line, and on the second; one of them is enough with its name."""
    first, _, rest = head.partition(b"\n")
    second = rest.partition(b"\n")[0]
    return first.strip().isdigit() and (second.strip().isdigit() or path.suffix.lower() == ".skeleton" or not rest)


def read(path: Path) -> Recording:
    """Reads an NTU file.

    Raises:
        RecordingError: The file ends early or holds something else; the sentence names the line.
    """
    bodies = _read_regular(path) or read_lines_of(path, read_lines(path))
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        joints = bodies.joints.astype(np.float32, copy=False)
    # What was written as NaN throughout is unknown: depth pixels, color pixels, orientations of each body.
    is_known: np.ndarray = np.ones((len(joints), len(DETAIL_COLUMNS)), dtype=bool)
    if np.isnan(joints).any():
        is_known = ~np.stack([np.isnan(joints[:, :, part]).all(axis=(1, 2)) for part in DETAIL_COLUMNS], axis=1)
    count = len(bodies.first_body) - 1

    def build(index: int) -> BodyFrame:
        rows = range(bodies.first_body[index], bodies.first_body[index + 1])
        people = tuple(_body(bodies, row, joints[row], is_known[row]) for row in rows)
        return BodyFrame(index=index, time_s=index / RATE_HZ, bodies=people)

    video = path.with_name(f"{path.stem}_rgb.avi")
    info = RecordingInfo(
        format="ntu", path=path, layout=KINECT_V2, rate_hz=RATE_HZ, color_video=video if video.is_file() else None
    )
    return Recording(info, np.arange(count) / RATE_HZ, FramesOnDemand(count, build))


def _read_regular(path: Path) -> Bodies | None:
    """What a regular file holds; None for a file that must be looked at line by line."""
    bodies, headers, joints = Bodies(), list[str](), EMPTY
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > LARGEST_TEXT:
                return None
            lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="\n")
            blocks = _joint_lines(lines, bodies, headers)
            first = list(next(blocks, ()))
            if any(map(str.strip, first)):  # numpy warns of a text without numbers
                # The joint lines go to C as they are found: most of the time goes into turning texts into numbers.
                joints = np.loadtxt(
                    chain(first, chain.from_iterable(blocks)), comments=None, delimiter=" ", ndmin=2, dtype=np.float32
                )
            is_regular = not any(map(str.strip, lines)) and _fill(bodies, headers, joints)
    except (ValueError, KeyError, RuntimeError):  # RuntimeError: the lines ended inside a body
        return None
    return bodies if is_regular else None


def _joint_lines(lines: Iterator[str], bodies: Bodies, headers: list[str]) -> Iterator[Iterable[str]]:
    """Yields the joint lines of each body; collects the bodies' own lines, and where each frame's bodies begin."""
    for _ in range(int(next(lines))):
        for _ in range(BODY_COUNTS[next(lines).rstrip()]):
            headers.append(next(lines))
            if next(lines).rstrip() != JOINT_COUNT:
                raise ValueError
            yield islice(lines, JOINTS)
        bodies.first_body.append(len(headers))


def _fill(bodies: Bodies, headers: list[str], joints: np.ndarray) -> bool:
    """Gives the bodies the values of their lines; False or an error when one of them is not what it must be."""
    if not headers:
        return True
    values = np.loadtxt(headers, comments=None, delimiter=" ", ndmin=2)
    if joints.shape != (len(headers) * JOINTS, JOINT_VALUES) or values.shape != (len(headers), BODY_VALUES):
        return False
    bodies.joints = joints.reshape(len(headers), JOINTS, JOINT_VALUES)
    state = bodies.joints[:, :, -1]
    if not ((state == 0) | (state == 1) | (state == 2)).all():
        return False
    bodies.flags, bodies.leans = values[:, FLAGS], values[:, LEAN]
    # The id is read as text -> int: it exceeds 2**53, and a float would merge neighboring ids.
    bodies.ids = [int(header.split(" ", 1)[0]) for header in headers]
    is_small = (np.abs(bodies.flags) <= LARGEST_FLAG) & (bodies.flags == np.floor(bodies.flags))
    return bool(is_small.all()) and all(map(is_id, bodies.ids))


def _body(bodies: Bodies, row: int, joints: np.ndarray, is_known: np.ndarray) -> Body:
    """The body of a row from its (25, 12) joint values, and which of the three details are known."""
    has_depth, has_color, has_orientation = is_known.tolist()
    clipped_edges, *hands, is_restricted, tracking_state = map(int, bodies.flags[row].tolist())
    left_lean, forward_lean = bodies.leans[row].tolist()
    details = BodyDetails(
        depth_px=joints[:, 3:5] if has_depth else None,
        color_px=joints[:, 5:7] if has_color else None,
        orientation=joints[:, 7:11] if has_orientation else None,
        lean=(left_lean, forward_lean),
        hand_confidence=(hands[0], hands[2]),
        is_restricted=bool(is_restricted),
        tracking_state=tracking_state,
    )
    return Body(
        tracking_id=bodies.ids[row],
        joints=joints[:, :3],
        state=joints[:, 11],
        hands=(hands[1], hands[3]),
        clipped_edges=clipped_edges,
        details=None if _is_empty(details) else details,
    )


def _is_empty(details: BodyDetails) -> bool:
    """Whether a body whose recording had no details was written like this."""
    return all(
        getattr(details, name) is None if array else getattr(details, name) == getattr(NO_DETAILS, name)
        for name, array in DETAIL_NAMES
    )


def write(recording: Recording, path: Path) -> None:
    """Writes an NTU file; pixels and orientations that are unknown become NaN, which ``read`` takes as unknown.

    Raises:
        RecordingError: The layout is not Kinect v2.
    """
    if recording.info.layout.joints != KINECT_V2.joints:
        raise RecordingError(
            f"A .skeleton file holds the {JOINTS} joints of '{KINECT_V2.name}', but this recording has the "
            f"{len(recording.info.layout)} joints of '{recording.info.layout.name}'.",
            remedy="Convert it to .mcap, .csv or .npz.",
        )
    with path.open("w", encoding="ascii", newline="\r\n") as file:
        print(len(recording.frames), file=file)
        for frame in recording.frames:
            print(len(frame.bodies), file=file)
            for body in frame.bodies:
                file.writelines(f"{line}\n" for line in _lines(body))


def _lines(body: Body) -> Iterable[str]:
    details = body.details or NO_DETAILS
    left, right = details.hand_confidence
    yield (
        f"{body.tracking_id} {body.clipped_edges} {left} {body.hands[0]} {right} {body.hands[1]} "
        f"{int(details.is_restricted)} {details.lean[0]!r} {details.lean[1]!r} {details.tracking_state}"
    )
    yield str(JOINTS)
    blocks = ((details.depth_px, 2), (details.color_px, 2), (details.orientation, 4))
    parts = [np.full((JOINTS, width), np.nan, np.float32) if part is None else part for part, width in blocks]
    # The text of a float32 is the shortest that reads back as the same float32.
    rows = np.concatenate([body.joints, *parts], axis=1).astype(np.float32).astype("U").tolist()
    for row, state in zip(rows, body.state.tolist()):
        yield f"{' '.join(row)} {state}"


def lost(recording: Recording) -> tuple[str, ...]:
    """Names what an NTU file cannot hold of this recording."""
    info, times = recording.info, recording.times_s
    found = {
        "times (an NTU file is 30 frames a second)": not np.allclose(
            times, np.arange(len(times)) / RATE_HZ, atol=1e-6
        ),
        "the floor": info.floor is not None or any(frame.floor is not None for frame in recording.frames),
        "the color map": info.color_map is not None,
        "the sensor's name": bool(info.sensor_id),
        "labels": bool(info.labels),
    }
    return tuple(name for name, is_lost in found.items() if is_lost)
