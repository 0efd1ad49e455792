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

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, FramesOnDemand, read_lines
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
    lines = read_lines(path)
    bodies = _read_regular(lines) or read_lines_of(path, lines)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        joints = bodies.joints.astype(np.float32, copy=False)
    # What was written as NaN throughout is unknown: depth pixels, color pixels, orientations of each body.
    is_known: np.ndarray = np.ones((len(joints), len(DETAIL_COLUMNS)), dtype=bool)
    if np.isnan(joints).any():
        is_known = ~np.stack([np.isnan(joints[:, :, part]).all(axis=(1, 2)) for part in DETAIL_COLUMNS], axis=1)
    count = len(bodies.first_body) - 1

    def build(index: int) -> BodyFrame:
        rows = range(bodies.first_body[index], bodies.first_body[index + 1])
        people = tuple(_body(bodies.lines[row], bodies.leans[row], joints[row], is_known[row]) for row in rows)
        return BodyFrame(index=index, time_s=index / RATE_HZ, bodies=people)

    video = path.with_name(f"{path.stem}_rgb.avi")
    info = RecordingInfo(
        format="ntu", path=path, layout=KINECT_V2, rate_hz=RATE_HZ, color_video=video if video.is_file() else None
    )
    return Recording(info, np.arange(count) / RATE_HZ, FramesOnDemand(count, build))


def _read_regular(lines: list[str]) -> Bodies | None:
    """What a regular file holds; None for a file that must be looked at line by line."""
    bodies, headers, rows = Bodies(), [], []
    try:
        position = 1
        for _ in range(min(int(lines[0]), len(lines))):
            for _ in range(BODY_COUNTS[lines[position]]):
                if lines[position + 2] != JOINT_COUNT:
                    return None
                headers.append(lines[position + 1])
                rows += lines[position + 3 : position + 3 + JOINTS]
                position += 2 + JOINTS
            position += 1
            bodies.first_body.append(len(headers))
        if any(map(str.strip, lines[position:])) or len(rows) != len(headers) * JOINTS:
            return None
        return _filled(bodies, headers, rows)
    except (ValueError, KeyError, IndexError):
        return None


def _filled(bodies: Bodies, headers: list[str], rows: list[str]) -> Bodies | None:
    """The bodies with the values of their lines; None or an error when one of them is not what it must be."""
    if not headers:
        return bodies
    # All joint lines at once, in C: most of the time goes into turning 30,000 texts into numbers.
    joints = np.loadtxt(rows, comments=None, delimiter=" ", ndmin=2, dtype=np.float32)
    values = np.loadtxt(headers, comments=None, delimiter=" ", ndmin=2)
    if joints.shape != (len(rows), JOINT_VALUES) or values.shape != (len(headers), BODY_VALUES):
        return None
    bodies.joints = joints.reshape(len(headers), JOINTS, JOINT_VALUES)
    state = bodies.joints[:, :, -1]
    if not ((state == 0) | (state == 1) | (state == 2)).all():
        return None
    flags = values[:, FLAGS]
    # The id is read as text -> int: it exceeds 2**53, and a float would merge neighboring ids.
    identities = [int(header.split(" ", 1)[0]) for header in headers]
    if not ((np.abs(flags) <= LARGEST_FLAG) & (flags == np.floor(flags))).all() or not all(map(is_id, identities)):
        return None
    bodies.lines = [[identity, *small] for identity, small in zip(identities, flags.astype(int).tolist())]
    bodies.leans = list(map(tuple, values[:, LEAN].tolist()))
    return bodies


def _body(numbers: list[int], lean: tuple[float, float], joints: np.ndarray, is_known: np.ndarray) -> Body:
    """A body from the values of its line, its (25, 12) joint values, and which of the three details are known."""
    has_depth, has_color, has_orientation = is_known.tolist()
    details = BodyDetails(
        depth_px=joints[:, 3:5] if has_depth else None,
        color_px=joints[:, 5:7] if has_color else None,
        orientation=joints[:, 7:11] if has_orientation else None,
        lean=lean,
        hand_confidence=(numbers[2], numbers[4]),
        is_restricted=bool(numbers[6]),
        tracking_state=numbers[7],
    )
    return Body(
        tracking_id=numbers[0],
        joints=joints[:, :3],
        state=joints[:, 11],
        hands=(numbers[3], numbers[5]),
        clipped_edges=numbers[1],
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
