"""NTU RGB+D ``.skeleton`` files: text, 30 Hz, Kinect v2, with pixels and orientations for every joint.

    <frame count>
    per frame:  <body count>
    per body:   id clippedEdges leftConfidence leftState rightConfidence rightState isRestricted leanX leanY state
                <joint count>
                25 lines  x y z  depthX depthY  colorX colorY  orientationW X Y Z  state

Source: the data set's own ``Matlab/read_skeleton_file.m``. The file holds no times: frame k is at k / 30 s.
Reading walks the counts in Python and hands all joint lines to numpy in one call; only when that call fails are
the lines read one by one, to name the one that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, FramesOnDemand, read_text
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo

RATE_HZ = 30.0
BODY_VALUES = 10
JOINT_VALUES = 12
JOINTS = len(KINECT_V2)
NO_DETAILS = BodyDetails()


def sniff(head: bytes, path: Path) -> bool:
    """Tells an NTU file: a line with one count, a line with one count, then a line with ten numbers."""
    del path
    lines = [line.split() for line in head.split(b"\n")[:400]]
    if len(lines) < 2 or len(lines[0]) != 1 or not lines[0][0].isdigit():
        return False
    if lines[0][0] == b"0" and not any(lines[1:]):
        return True  # a recording of no frames
    filled = next((line for line in lines[1:] if line != [b"0"]), [])
    return filled == [] or (len(filled) == 1 and filled[0].isdigit())


def read(path: Path) -> Recording:
    """Reads an NTU file.

    Raises:
        RecordingError: The file ends early or holds something else; the sentence names the line.
    """
    lines = read_text(path).split("\n")
    walk = _Walk(path, lines)
    values = _joint_values(path, lines, walk.joint_starts)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        joints = values.reshape(-1, JOINTS, JOINT_VALUES).astype(np.float32)
    count = len(walk.first_body) - 1

    def build(index: int) -> BodyFrame:
        rows = range(walk.first_body[index], walk.first_body[index + 1])
        bodies = tuple(_body(path, walk.body_lines[row], lines, joints[row]) for row in rows)
        return BodyFrame(index=index, time_s=index / RATE_HZ, bodies=bodies)

    video = path.with_name(f"{path.stem}_rgb.avi")
    info = RecordingInfo(
        format="ntu", path=path, layout=KINECT_V2, rate_hz=RATE_HZ, color_video=video if video.is_file() else None
    )
    return Recording(info, np.arange(count) / RATE_HZ, FramesOnDemand(count, build))


class _Walk:
    """Where everything stands in the file: the counts and body lines, checked; the joint lines, skipped.

    Attributes:
        body_lines: Line index of each body's ten values.
        joint_starts: Line index of each body's first joint.
        first_body: Row of each frame's first body, and the number of all bodies at the end.
    """

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.body_lines: list[int] = []
        self.joint_starts: list[int] = []
        self.first_body = [0]
        frame_count = _count(path, lines, 0, "the number of frames")
        if frame_count >= len(lines):
            raise _wrong(path, 0, f"the number of frames is {frame_count}, but the file has only {len(lines)} lines")
        position = 1
        for _ in range(frame_count):
            body_count = _count(path, lines, position, "the number of bodies")
            if body_count > MOST_BODIES:
                raise _wrong(path, position, f"a frame has at most {MOST_BODIES} bodies, found {body_count}")
            position += 1
            for _ in range(body_count):
                position = self._pass_body(path, lines, position)
            self.first_body.append(len(self.body_lines))
        for rest in range(position, len(lines)):
            if lines[rest].strip():
                raise _wrong(path, rest, f"the file must end after {frame_count} frames, found more")

    def _pass_body(self, path: Path, lines: list[str], position: int) -> int:
        if position < len(lines) and len(lines[position].split()) != BODY_VALUES:
            found = len(lines[position].split())
            raise _wrong(path, position, f"a body must have {BODY_VALUES} values, found {found}")
        joint_count = _count(path, lines, position + 1, "the number of joints")
        if joint_count != JOINTS:
            raise _wrong(path, position + 1, f"a body must have {JOINTS} joints, found {joint_count}")
        _body_values(path, lines, position)
        self.body_lines.append(position)
        self.joint_starts.append(position + 2)
        return position + 2 + JOINTS


def _count(path: Path, lines: list[str], position: int, what: str) -> int:
    text = lines[position].strip() if position < len(lines) else ""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if position >= len(lines) - 1 and not text:
        raise _wrong(path, min(position, len(lines) - 1), f"the file ends where {what} must stand")
    raise _wrong(path, position, f"{what} must stand here, found '{text[:30]}'")


def _body_values(path: Path, lines: list[str], position: int) -> tuple[list[int], tuple[float, float]]:
    """The eight whole numbers of a body line, and its lean."""
    cells = lines[position].split()
    try:
        # The id is read as text -> int: it exceeds 2**53, and a float would merge neighboring ids.
        numbers = [int(cell) for cell in cells[:7] + cells[9:]]
        if not -(2**63) <= numbers[0] < 2**64 or max(map(abs, numbers[1:])) > 255:
            raise ValueError
        return numbers, (_number(cells[7]), _number(cells[8]))
    except ValueError:
        raise _wrong(path, position, "a body line must hold whole numbers and the lean") from None


def _joint_values(path: Path, lines: list[str], starts: list[int]) -> np.ndarray:
    """(bodies * 25, 12) float64 values of all joint lines."""
    rows = [line for start in starts for line in lines[start : start + JOINTS]]
    try:
        values = np.loadtxt(rows, comments=None, ndmin=2) if rows else np.empty((0, JOINT_VALUES))
        is_regular = values.shape == (len(starts) * JOINTS, JOINT_VALUES)
    except ValueError:
        is_regular = False
    if is_regular and np.isin(values[:, -1], (0, 1, 2)).all():
        return values
    return np.array([_joint_line(path, lines, at) for start in starts for at in range(start, start + JOINTS)])


def _joint_line(path: Path, lines: list[str], position: int) -> list[float]:
    cells = lines[position].split() if position < len(lines) else []
    if position >= len(lines) - 1 and len(cells) < JOINT_VALUES:
        raise _wrong(path, min(position, len(lines) - 1), "the file ends within a body")
    if len(cells) != JOINT_VALUES:
        raise _wrong(path, position, f"a joint must have {JOINT_VALUES} values, found {len(cells)}")
    try:
        values = [_number(cell) for cell in cells]
    except ValueError:
        raise _wrong(path, position, "a joint must have numbers only") from None
    if values[-1] not in (0, 1, 2):
        raise _wrong(path, position, f"a joint's state must be 0, 1 or 2, found {cells[-1]}")
    return values


def _number(text: str) -> float:
    if "#" in text:  # how old Windows runtimes print what is not a number: -1.#IND, 1.#QNAN, -1.#INF
        return float("-inf" if text.startswith("-") else "inf") if "INF" in text else float("nan")
    return float(text)


def _body(path: Path, position: int, lines: list[str], joints: np.ndarray) -> Body:
    """A body from its line and its (25, 12) joint values."""
    numbers, lean = _body_values(path, lines, position)
    details = BodyDetails(
        depth_px=_unless_nan(joints[:, 3:5]),
        color_px=_unless_nan(joints[:, 5:7]),
        orientation=_unless_nan(joints[:, 7:11]),
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


def _unless_nan(values: np.ndarray) -> np.ndarray | None:
    """None for what was written as unknown."""
    return None if np.isnan(values).all() else values


def _is_empty(details: BodyDetails) -> bool:
    return all(getattr(details, name) is None for name in ("depth_px", "color_px", "orientation")) and all(
        getattr(details, name) == getattr(NO_DETAILS, name)
        for name in ("lean", "hand_confidence", "is_restricted", "tracking_state")
    )


def _wrong(path: Path, position: int, what: str) -> RecordingError:
    return RecordingError(f"{path}, line {position + 1}: {what}.")


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
