"""IntelliRehabDS (IRDS) text files, read only: Kinect v2 with tracking states and depth pixels.

    Version0.1
    8028,5,18432,(SpineBase,Tracked,-0.3805821,0.008953178,2.14976,193.3354,205.4242), ... 25 groups

The three counters are the frame number, a constant, and the time in milliseconds. A group is joint, state, x, y, z
in meters, and column and row in the 512 x 424 depth image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import FramesOnDemand, read_lines
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import INFERRED, KINECT_V2, NOT_TRACKED, TRACKED
from skeleton.recording import Recording, RecordingInfo

FIRST_LINE = "Version0.1"
RATE_HZ = 30.0
STATES = {"NotTracked": NOT_TRACKED, "Inferred": INFERRED, "Tracked": TRACKED}
GROUP_VALUES = 7
LARGEST_TIME_MS = 1 << 53


def sniff(head: bytes, path: Path) -> bool:
    """Tells an IRDS file: its version line, and after it, if anything, a line with a group of joints."""
    del path
    first, _, rest = head.partition(b"\n")
    return first.strip() == FIRST_LINE.encode() and (not rest.strip() or b"(" in rest)


def read(path: Path) -> Recording:
    """Reads an IRDS file.

    Raises:
        RecordingError: A line that is damaged; the sentence names it.
    """
    lines = [line.strip() for line in read_lines(path)]
    times: list[int] = []
    positions: list[np.ndarray] = []
    states: list[np.ndarray] = []
    for number, line in enumerate(lines[1:], start=2):
        if line:
            time_ms, values, state = _line(path, number, line)
            if times and time_ms <= times[-1]:
                raise _wrong(path, number, f"time must increase, found {time_ms} ms after {times[-1]} ms")
            times.append(time_ms)
            positions.append(values)
            states.append(state)
    times_s = np.array(times, dtype=np.float64) / 1000

    def build(index: int) -> BodyFrame:
        values = positions[index]
        body = Body(0, joints=values[:, :3], state=states[index], details=BodyDetails(depth_px=values[:, 3:]))
        return BodyFrame(index=index, time_s=float(times_s[index]), bodies=(body,))

    info = RecordingInfo(format="irds", path=path, layout=KINECT_V2, rate_hz=RATE_HZ)
    return Recording(info, times_s, FramesOnDemand(len(times), build))


def _line(path: Path, number: int, line: str) -> tuple[int, np.ndarray, np.ndarray]:
    """Time in milliseconds, (25, 5) float32 x, y, z, column and row, and 25 states."""
    counters, opening, rest = line.partition(",(")
    groups = [group.split(",") for group in rest.removesuffix(")").split("),(")] if opening else []
    joints = KINECT_V2.joints
    if len(groups) != len(joints) or not rest.endswith(")"):
        raise _wrong(path, number, f"a frame must have {len(joints)} whole groups of joints, found {len(groups)}")
    for joint, group in zip(joints, groups):
        if len(group) != GROUP_VALUES or group[0] != joint or group[1] not in STATES:
            raise _wrong(
                path, number, f"a group ({joint},state and five numbers) must stand where '{group[0][:30]}' is"
            )
    try:
        _, _, time_ms = (int(text) for text in counters.split(","))
        if abs(time_ms) > LARGEST_TIME_MS:
            raise ValueError
        values = np.array([[float(text) for text in group[2:]] for group in groups])
    except ValueError:
        raise _wrong(path, number, "three whole numbers and then numbers must stand here") from None
    with np.errstate(over="ignore"):
        return time_ms, values.astype(np.float32), np.array([STATES[group[1]] for group in groups])


def _wrong(path: Path, number: int, what: str) -> RecordingError:
    return RecordingError(f"{path}, line {number}: {what}.")
