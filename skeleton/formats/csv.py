"""CSV recordings: one line per body and frame, a time column, then (x, y, z[, state]) for every joint.

Three kinds are read:
- ours, with a header: ``time_s,tracking_id,SpineBase_x_m,SpineBase_y_m,SpineBase_z_m,SpineBase_state,...``;
  an empty line of cells after the time is a frame without bodies, an empty coordinate is NaN;
- other files with a header that names joints and axes, in any order of joints;
- files without a header, or with one that names no joints: a time, then 25 Kinect v2 joints in the SDK's order,
  as LabanotationSuite writes them.

The unit of time is the header's (``time_s``, ``time_ms``, ``time_100ns``); where the header does not say, the
median step decides: below 1 seconds, below 5000 milliseconds, otherwise the sensor's own 100 ns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, read_lines
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, LAYOUTS, TRACKED, Layout
from skeleton.recording import LATEST_S, Recording, RecordingInfo

UNITS = {"s": 1.0, "ms": 1e3, "100ns": 1e7}
"""Steps per second of each unit of time."""
MILLISECONDS_FROM, TICKS_FROM = 1.0, 5000.0
"""Median step from which a time without a unit counts as milliseconds, and as 100 ns."""
MOST_JOINTS = 256
LONGEST_NAME = 256
"""Characters. A header's cell that is longer names no joint."""
_JOINT_COLUMN = re.compile(r"(?P<joint>.*?)[ _.:\-]*(?P<axis>x|y|z|state)(_m)?", re.IGNORECASE)
_TIME_COLUMN = re.compile(r"(time|timestamp)(_(?P<unit>s|ms|100ns))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a line holds what: cell numbers."""

    layout: Layout
    count: int
    coordinates: np.ndarray  # (V, 3)
    states: np.ndarray | None  # (V,)
    tracking_id: int | None


def sniff(head: bytes, path: Path) -> bool:
    """Tells a CSV recording: a first line of numbers with a joint's commas, or a header that names a time."""
    del path
    cells = head.split(b"\n", 1)[0].decode("latin-1").rstrip(", \r").split(",")
    if _TIME_COLUMN.fullmatch(cells[0].strip()):
        return len(cells) > 1
    return len(cells) >= 4 and _is_number(cells[0])


def read(path: Path) -> Recording:
    """Reads a CSV recording.

    Raises:
        RecordingError: A line that has another number of cells, holds something else than numbers, or goes back
            in time; the sentence names the line.
    """
    lines = read_lines(path)
    has_header = bool(lines[0].strip()) and not _is_number(lines[0].split(",")[0])
    header_unit = _header_unit(path, lines[0]) if has_header else None
    columns = _header_columns(path, lines[0]) if has_header else None
    times: list[float] = []
    bodies: list[list[Body]] = []
    for number, line in enumerate(lines[has_header:], start=1 + has_header):
        if not line.strip():
            continue
        columns = columns or _plain_columns(path, line, number)
        time, body = _line(path, number, line, columns)
        if not times or time > times[-1]:
            times.append(time)
            bodies.append([])
        elif time < times[-1] or columns.tracking_id is None:
            raise _wrong(path, number, f"time must increase, found {time:g} after {times[-1]:g}")
        if body is not None:
            bodies[-1].append(body)
        if len(bodies[-1]) > MOST_BODIES:
            raise _wrong(path, number, f"a frame has at most {MOST_BODIES} bodies, found more")
    layout = columns.layout if columns else KINECT_V2
    unit = header_unit or _unit(np.array(times))
    times_s = np.array(times, dtype=np.float64) / UNITS[unit]
    frames = [BodyFrame(index=k, time_s=float(t), bodies=tuple(b)) for k, (t, b) in enumerate(zip(times_s, bodies))]
    return Recording(
        RecordingInfo(format="csv", path=path, layout=layout, rate_hz=_rate_hz(times_s)), times_s, frames
    )


def _line(path: Path, number: int, line: str, columns: _Columns) -> tuple[float, Body | None]:
    """Time in the file's unit, and the body; None for a frame without bodies."""
    cells = line.rstrip("\r").split(",")
    if len(cells) == columns.count + 1 and not cells[-1].strip():
        cells.pop()  # every value is followed by a comma
    if len(cells) != columns.count:
        raise _wrong(path, number, f"a line must have {columns.count} cells, found {len(cells)}")
    try:
        time = float(cells[0])
        values = np.array([float(cell) if cell.strip() else np.nan for cell in cells[1:]])
        identity = cells[columns.tracking_id].strip() if columns.tracking_id else "0"
        tracking_id = int(identity) if identity else None
    except ValueError:
        raise _wrong(path, number, "a line must hold numbers only") from None
    if not np.isfinite(time) or abs(time) > LATEST_S or not -(2**63) <= (tracking_id or 0) < 2**64:
        raise _wrong(path, number, "the time must be finite and a tracking id must have 64 bits")
    if tracking_id is None:
        if np.isfinite(values).any():
            raise _wrong(path, number, "a body must have a tracking id")
        return time, None
    with np.errstate(over="ignore"):
        joints = values[columns.coordinates - 1].astype(np.float32)
    return time, Body(tracking_id=tracking_id, joints=joints, state=_states(path, number, values, columns))


def _states(path: Path, number: int, values: np.ndarray, columns: _Columns) -> np.ndarray:
    if columns.states is None:
        return np.full(len(columns.layout), TRACKED)
    states = values[columns.states - 1]
    if not np.isin(states, (0, 1, 2)).all():
        raise _wrong(path, number, "a joint's state must be 0, 1 or 2")
    return states.astype(np.int8)


def _plain_columns(path: Path, line: str, number: int) -> _Columns:
    """The columns of a file whose joints stand in the SDK's order."""
    cells = line.rstrip("\r").split(",")
    count = len(cells) - (not cells[-1].strip())
    width = {1 + 3 * len(KINECT_V2): 3, 1 + 4 * len(KINECT_V2): 4}.get(count)
    if width is None:
        raise _wrong(
            path, number, f"a line must have a time and 25 joints of 3 or 4 values (76 or 101), found {count}"
        )
    first = 1 + width * np.arange(len(KINECT_V2))
    return _Columns(
        layout=KINECT_V2,
        count=count,
        coordinates=first[:, None] + np.arange(3),
        states=first + 3 if width == 4 else None,
        tracking_id=None,
    )


def _header_unit(path: Path, header: str) -> str | None:
    """The unit that the time's column names, or None."""
    name = header.split(",")[0].strip().strip('"')
    time = _TIME_COLUMN.fullmatch(name)
    if time is None:
        raise _wrong(path, 1, f"the first column must be a time, found '{name[:30]}'")
    return (time["unit"] or "").lower() or None


def _header_columns(path: Path, header: str) -> _Columns | None:
    """The columns that a header names; None when it names no joints."""
    cells = [cell.strip().strip('"') for cell in header.rstrip(", \r").split(",")]
    found: dict[str, dict[str, int]] = {}
    for column, cell in enumerate(cells):
        # Its length is bounded, because the expression's time grows with the square of it.
        match = _JOINT_COLUMN.fullmatch(cell) if len(cell) <= LONGEST_NAME else None
        if column and match and match["joint"]:
            found.setdefault(match["joint"], {})[match["axis"].lower()] = column
    if not found:
        return None
    if len(found) > MOST_JOINTS or any(not {"x", "y", "z"} <= set(axes) for axes in found.values()):
        raise _wrong(path, 1, f"each of at most {MOST_JOINTS} joints must have the columns x, y and z")
    has_state = ["state" in axes for axes in found.values()]
    if any(has_state) and not all(has_state):
        raise _wrong(path, 1, "either all joints must have a state column, or none")
    layout = _layout(tuple(found))
    axes = [found[name] for name in layout.joints]
    names = [cell.lower() for cell in cells]
    return _Columns(
        layout=layout,
        count=len(cells),
        coordinates=np.array([[each[axis] for axis in "xyz"] for each in axes]),
        states=np.array([each["state"] for each in axes]) if all(has_state) else None,
        tracking_id=names.index("tracking_id") if "tracking_id" in names else None,
    )


def _layout(joints: tuple[str, ...]) -> Layout:
    """The known layout of these joints, in the same order or any other; without bones where none is known."""
    for layout in LAYOUTS.values():
        if layout.joints == joints:
            return layout
    for layout in LAYOUTS.values():
        if set(layout.joints) == set(joints):
            return layout
    return Layout(name="csv", joints=joints, bones=(), mirror=(), measured=(True,) * len(joints))


def _unit(times: np.ndarray) -> str:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return "s" if step < MILLISECONDS_FROM else "ms" if step < TICKS_FROM else "100ns"


def _rate_hz(times_s: np.ndarray) -> float:
    """The nominal rate: the median step, rounded to whole frames a second; 30 where nothing can be said."""
    step = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    return float(max(1, round(1 / step))) if 1e-3 < step < 1 else 30.0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(path: Path, number: int, what: str) -> RecordingError:
    return RecordingError(f"{path}, line {number}: {what}.")


def write(recording: Recording, path: Path) -> None:
    """Writes a CSV recording with a header; see the module's docstring."""
    joints = recording.info.layout.joints
    if any("," in name or '"' in name or name.splitlines() != [name] for name in joints):
        raise RecordingError("Joint names in a CSV file must be free of commas, quotes and line ends.")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        names = [f"{joint}_{axis}" for joint in joints for axis in ("x_m", "y_m", "z_m", "state")]
        print("time_s", "tracking_id", *names, sep=",", file=file)
        for time_s, frame in zip(recording.times_s.tolist(), recording.frames):
            file.writelines(f"{line}\n" for line in _lines(time_s, frame, len(joints)))


def _lines(time_s: float, frame: BodyFrame, joint_count: int) -> Iterable[str]:
    if not frame.bodies:
        yield f"{time_s!r}{',' * (1 + 4 * joint_count)}"
    for body in frame.bodies:
        cells = [str(time_s), str(body.tracking_id)]
        # The text of a float32 is the shortest that reads back as the same float32.
        for position, state in zip(body.joints.astype("U").tolist(), body.state.tolist()):
            cells += [*("" if text == "nan" else text for text in position), str(state)]
        yield ",".join(cells)


def lost(recording: Recording) -> tuple[str, ...]:
    """Names what a CSV file cannot hold of this recording."""
    info = recording.info
    bodies = [body for frame in recording.frames for body in frame.bodies]
    found = {
        "pixels and orientations": any(body.details is not None for body in bodies),
        "hand states": any(any(body.hands) for body in bodies),
        "clipped edges": any(body.clipped_edges for body in bodies),
        "the floor": info.floor is not None or any(frame.floor is not None for frame in recording.frames),
        "the color map": info.color_map is not None,
        "the sensor's name": bool(info.sensor_id),
        "labels": bool(info.labels),
        "bones": bool(info.layout.bones) and info.layout.joints not in [known.joints for known in LAYOUTS.values()],
    }
    return tuple(name for name, is_lost in found.items() if is_lost)
