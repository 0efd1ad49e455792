"""CSV recordings of KinectMultiTrack, read only: one or two people seen by two Kinects v2 at once.

Wu: "KinectMultiTrack", University of St Andrews, 2015; https://github.com/chijuiwu/KinectMultiTrack. A header, then
a line for each person and each sensor at each poll of the recorder, 87 cells:

    Study, KinectConfig, Scenario, Tracker_Time, Person#, Skeleton#, Skeleton_Time, Skeleton_Init_Angle,
    Skeleton_Init_Dist, Kinect#, Kinect_Tilt_Angle, Kinect_Height, AnkleLeft_X, AnkleLeft_Y, AnkleLeft_Z, ...

(``Study_Id, Kinect_Config, ... Kinect_Id`` in the files with two people.) Skeleton 0 of a person is as its sensor saw
it. Skeleton 1 is the other sensor's, which the recorder turned about the vertical axis and moved into the first
one's camera space. ``read`` shows what the first sensor saw, skeletons 0, by that sensor's own clock;
``view`` gives either.

A poll happens when either sensor has a frame, so a sensor's frame can stand in the file twice, and now and then two
neighbors stand in the wrong order: frames are taken once, in the order of the sensor's clock. There are no tracking
states. A lost joint was (0, 0, 0) before it was moved; joints of a body at one and the same point are lost ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, FramesOnDemand, read_lines
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, NOT_TRACKED, TRACKED
from skeleton.recording import Recording, RecordingInfo

RATE_HZ = 30.0
TICKS_A_SECOND = 10_000_000
LARGEST_TIME = 1 << 53
"""Milliseconds or ticks: what a float holds exactly."""
MOST_SKELETONS = 6
"""Sensors that may see a person; the recordings have two."""
LONGEST_NAME = 64
"""Characters of a sensor's name."""
FACTS = 12
"""Cells before the joints."""
COLUMNS = FACTS + 3 * len(KINECT_V2)
SCENARIOS = {
    1: "standing still",
    2: "stepping",
    3: "walking",
    4: "circling each other",
    5: "changing places",
    6: "walking round an obstacle",
    8: "circling each other",
}
"""What people do. In 4 the first passes and circles the second, in 8 the second the first; there is no 7."""
FILE_NAME = re.compile(r"(?:^|/)Study_(\d{1,6})_Kinect_(\d{1,6})_[^/]*\.csv$", re.IGNORECASE)
"""Study and arrangement of the sensors. The study in the file itself is wrong at least once."""
_HEADER = re.compile(rb"Study(_Id)?, *Kinect_?Config, *Scenario(_Id)?, *Tracker_Time, *Person", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The lines of a file, in its order.

    Attributes:
        study: Number of the study that the first line names.
        scenario: (R,) int64, see ``SCENARIOS``.
        poll_ms: (R,) int64 when the recorder asked, milliseconds since the beginning of year 1, UTC.
        person: (R,) int64 from 0.
        skeleton: (R,) int64: 0 as its sensor saw it, above 0 moved there.
        ticks: (R,) int64 clock of the row's sensor, 100 ns.
        sensor: (R,) names of sensors.
        joints: (R, 25, 3) float32 meters, in the order of ``KINECT_V2``.
        seen: (R, 25) bool.
    """

    study: int
    scenario: np.ndarray
    poll_ms: np.ndarray
    person: np.ndarray
    skeleton: np.ndarray
    ticks: np.ndarray
    sensor: np.ndarray
    joints: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one sensor saw.

    Attributes:
        sensor: Its name; empty where there are no frames.
        times_s: (F,) float64 its clock, strictly increasing, seconds.
        scenario: (F,) int64.
        joints: (F, M, 25, 3) float32 meters; place m is person m of the file.
        state: (F, M, 25) int8; 0 throughout for a person who is not seen.
    """

    sensor: str
    times_s: np.ndarray
    scenario: np.ndarray
    joints: np.ndarray
    state: np.ndarray


def sniff(head: bytes, path: Path) -> bool:
    """Tells a recording of KinectMultiTrack by its header, in either spelling."""
    del path
    return _HEADER.match(head) is not None


def read(path: Path) -> Recording:
    """Reads what the first sensor saw.

    Raises:
        RecordingError: A line that is damaged; the sentence names it.
    """
    rows = parse(read_lines(path), where=str(path))
    seen = view(rows, int(rows.skeleton.min(initial=MOST_SKELETONS)))

    def build(index: int) -> BodyFrame:
        joints, state = seen.joints[index], seen.state[index]
        bodies = tuple(
            Body(tracking_id=person, joints=joints[person], state=state[person])
            for person in np.flatnonzero(state.any(axis=1)).tolist()
        )
        return BodyFrame(index=index, time_s=float(seen.times_s[index]), bodies=bodies)

    info = RecordingInfo(
        format="multitrack",
        path=path,
        layout=KINECT_V2,
        rate_hz=RATE_HZ,
        sensor_id=seen.sensor,
        created=_created(rows),
        labels=_labels(path, rows.study, seen),
    )
    return Recording(info, seen.times_s, FramesOnDemand(len(seen.times_s), build))


def parse(lines: Sequence[str], *, where: str) -> Rows:
    """Reads the lines of a file.

    Args:
        lines: All of them, the header first.
        where: The file, for sentences.

    Raises:
        RecordingError: A line that is damaged; the sentence names it.
    """
    order = _joint_columns(lines[0], where)
    facts: list[tuple[int, ...]] = []
    sensors: list[str] = []
    values: list[np.ndarray] = []
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            cells = line.split(",")
            if len(cells) != COLUMNS:
                raise _wrong(where, number, f"a line must have {COLUMNS} cells, found {len(cells)}")
            facts.append(_facts(cells, where, number))
            sensors.append(cells[9].strip()[:LONGEST_NAME])
            values.append(_numbers(cells[FACTS:], where, number))
    table = np.array(facts, dtype=np.int64).reshape(-1, 7)
    joints = np.array(values, dtype=np.float32).reshape(-1, len(order))[:, order].reshape(-1, len(KINECT_V2), 3)
    return Rows(
        study=int(table[0, 0]) if len(table) else 0,
        scenario=table[:, 2],
        poll_ms=table[:, 3],
        person=table[:, 4],
        skeleton=table[:, 5],
        ticks=table[:, 6],
        sensor=np.array(sensors, dtype=np.str_),
        joints=joints,
        seen=_seen(joints),
    )


def view(rows: Rows, skeleton: int) -> View:
    """Returns the frames of the sensor that skeletons of this number are from.

    Where a frame stands in the file more than once, its first lines count.
    """
    chosen = np.flatnonzero(rows.skeleton == skeleton)
    sensor = str(rows.sensor[chosen[0]]) if len(chosen) else ""
    chosen = chosen[rows.sensor[chosen] == sensor]  # another sensor has another clock
    ticks, first, frame = np.unique(rows.ticks[chosen], return_index=True, return_inverse=True)
    people = int(rows.person[chosen].max(initial=0)) + 1
    joints = np.zeros((len(ticks), people, len(KINECT_V2), 3), dtype=np.float32)
    state = np.zeros(joints.shape[:3], dtype=np.int8)
    for row, place in zip(chosen[::-1], frame.reshape(-1)[::-1]):  # backward: the first of several stays
        joints[place, rows.person[row]] = rows.joints[row]
        state[place, rows.person[row]] = np.where(rows.seen[row], TRACKED, NOT_TRACKED)
    return View(sensor, ticks / TICKS_A_SECOND, rows.scenario[chosen][first], joints, state)


def stretches(is_cut: np.ndarray) -> list[slice]:
    """Returns the stretches that F frames fall into, by (F - 1,) bool: whether there is a cut after a frame."""
    edges = [0, *(np.flatnonzero(is_cut) + 1).tolist(), len(is_cut) + 1]
    return [slice(start, end) for start, end in pairwise(edges)]


def _joint_columns(header: str, where: str) -> np.ndarray:
    """(75,) for x, y, z of each joint in our order the place among the file's coordinates."""
    names = [name.strip() for name in header.split(",")]
    wanted = [f"{joint}_{axis}" for joint in KINECT_V2.joints for axis in "XYZ"]
    if not _HEADER.match(header.encode("utf-8", errors="replace")) or sorted(names[FACTS:]) != sorted(wanted):
        raise _wrong(where, 1, f"the header must name {FACTS} facts and then X, Y and Z of {len(KINECT_V2)} joints")
    return np.array([names.index(name) - FACTS for name in wanted])


def _facts(cells: list[str], where: str, number: int) -> tuple[int, ...]:
    """The first seven cells: study, arrangement, scenario, poll, person, skeleton, ticks."""
    try:
        facts = tuple(int(cell) for cell in cells[:7])
    except ValueError:
        raise _wrong(where, number, "the first seven cells must be whole numbers") from None
    person, skeleton = facts[4:6]
    if not all(0 <= fact <= LARGEST_TIME for fact in facts):
        raise _wrong(where, number, f"the first seven cells must be from 0 to {LARGEST_TIME}")
    if person >= MOST_BODIES or skeleton >= MOST_SKELETONS:
        raise _wrong(
            where,
            number,
            f"a person must be below {MOST_BODIES} and a skeleton below {MOST_SKELETONS}, found {person} and "
            f"{skeleton}",
        )
    return facts


def _numbers(cells: list[str], where: str, number: int) -> np.ndarray:
    """(75,) float32; what that cannot hold becomes infinite, and counts as not seen."""
    try:
        with np.errstate(over="ignore"):
            return np.array([float(cell) for cell in cells], dtype=np.float32)
    except ValueError:
        raise _wrong(where, number, "coordinates must be numbers") from None


def _seen(joints: np.ndarray) -> np.ndarray:
    """(R, 25): finite, and not at the same point as another joint of the body, where lost ones are."""
    seen: np.ndarray = np.isfinite(joints).all(axis=-1)
    for joint in range(joints.shape[1]):  # all pairs at once would take 25 times the memory
        is_same = (joints == joints[:, joint : joint + 1]).all(axis=-1)  # (R, 25), itself included
        seen[:, joint] &= is_same.sum(axis=1) <= 1
    return seen


def _created(rows: Rows) -> str:
    """Date and time of the first poll; empty where it is none."""
    try:
        return (datetime(1, 1, 1) + timedelta(milliseconds=int(rows.poll_ms[0]))).isoformat(timespec="seconds") + "Z"
    except (IndexError, OverflowError):
        return ""


def _labels(path: Path, study: int, seen: View) -> dict[str, str]:
    """Who, and which scenario when, in seconds from the first frame."""
    if not len(seen.times_s):
        return {}
    named = FILE_NAME.search(path.name)
    since_s = seen.times_s - seen.times_s[0]
    scenes = [
        f"{SCENARIOS.get(int(seen.scenario[part.start]), 'unknown')} {since_s[part.start]:.1f} to "
        f"{since_s[part.stop - 1]:.1f} s"
        for part in stretches(np.diff(seen.scenario) != 0)
    ]
    return {"subject": named[1] if named else str(study), "scenarios": "; ".join(scenes)}


def _wrong(where: str, number: int, what: str) -> RecordingError:
    return RecordingError(f"{where}, line {number}: {what}.")
