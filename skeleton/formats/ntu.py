"""NTU RGB+D ``.skeleton`` files: text, 30 Hz, Kinect v2, with pixels and orientations for every joint.

    <frame count>
    per frame:  <body count>
    per body:   id clippedEdges leftConfidence leftState rightConfidence rightState isRestricted leanX leanY state
                <joint count>
                25 lines  x y z  depthX depthY  colorX colorY  orientationW X Y Z  state

Source: the data set's own ``Matlab/read_skeleton_file.m``. The file holds no times: frame k is at k / 30 s.
All numbers of a regular file are read at once; only a file with something else in it is read line by line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, FramesOnDemand, lines_of, read_bytes
from skeleton.formats.decimals import Numbers, read_numbers
from skeleton.formats.ntu_lines import BODY_VALUES, JOINT_VALUES, JOINTS, LARGEST_FLAG, Bodies, read_lines_of
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo

RATE_HZ = 30.0
NUMBERS_PER_BODY = BODY_VALUES + 1 + JOINTS * JOINT_VALUES
ENDS_LINE = np.zeros(NUMBERS_PER_BODY, dtype=bool)
ENDS_LINE[[BODY_VALUES - 1, BODY_VALUES]] = ENDS_LINE[BODY_VALUES + JOINT_VALUES :: JOINT_VALUES] = True
"""Which numbers of a body are the last of their line."""
WHOLE = [1, 2, 3, 4, 5, 6, 9]
"""Which values of a body line are small whole numbers: all but the id and the lean."""
BODY_COUNTS = frozenset(range(MOST_BODIES + 1))
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
    data = read_bytes(path)
    bodies = _read_regular(data)
    if bodies is None:
        bodies = read_lines_of(path, lines_of(data))
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        joints = bodies.joints.astype(np.float32)
    # What was written as NaN throughout is unknown: depth pixels, color pixels, orientations of each body.
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


def _read_regular(data: bytes) -> Bodies | None:
    """What a regular file holds; None for a file that must be looked at line by line."""
    numbers = read_numbers(data)
    if numbers is None or not numbers.ends_line[0]:
        return None
    values, bodies, starts, position = numbers.values, Bodies(), [], 1
    total = len(values)
    frame_count = values[0]
    if not 0 <= frame_count < total:
        return None
    for _ in range(int(frame_count)):
        body_count = float(values[position]) if position < total and numbers.ends_line[position] else -1.0
        if body_count not in BODY_COUNTS:
            return None
        for _ in range(int(body_count)):
            starts.append(position + 1)
            position += NUMBERS_PER_BODY
        position += 1
        bodies.first_body.append(len(starts))
    if position != total or frame_count != int(frame_count):
        return None
    rows = np.array(starts, dtype=np.int64)[:, None] + np.arange(NUMBERS_PER_BODY)  # (bodies, numbers)
    if not (numbers.ends_line[rows] == ENDS_LINE).all():
        return None
    return _filled(bodies, numbers, rows)


def _filled(bodies: Bodies, numbers: Numbers, rows: np.ndarray) -> Bodies | None:
    """The bodies with the numbers of their rows; None when one of them is not what it must be."""
    values = numbers.values[rows]  # (bodies, 311)
    whole = values[:, WHOLE]
    bodies.joints = values[:, BODY_VALUES + 1 :].reshape(-1, JOINTS, JOINT_VALUES)
    state = bodies.joints[:, :, -1]
    are_whole = (np.abs(whole) <= LARGEST_FLAG) & (whole == np.floor(whole))
    if not (values[:, BODY_VALUES] == JOINTS).all() or not are_whole.all():
        return None
    if not ((state == 0) | (state == 1) | (state == 2)).all():
        return None
    try:
        # The id exceeds 2**53: a float would merge neighboring ids, so it is read from the text.
        identities = [numbers.integer(row) for row in rows[:, 0].tolist()]
    except ValueError:
        return None
    if any(not -(2**63) <= identity < 2**64 for identity in identities):
        return None
    bodies.lines = [[identity, *flags] for identity, flags in zip(identities, whole.astype(int).tolist())]
    bodies.leans = [(left, forward) for left, forward in values[:, 7:9].tolist()]
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
