"""Files as KinectMultiTrack has them: joints in the order of the alphabet, two sensors with clocks of their own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skeleton.layout import KINECT_V2
from tests.recordings import STANDING

ONE_PERSON = (
    "Study, KinectConfig, Scenario, Tracker_Time, Person#, Skeleton#, Skeleton_Time, Skeleton_Init_Angle, "
    "Skeleton_Init_Dist, Kinect#, Kinect_Tilt_Angle, Kinect_Height"
)
TWO_PEOPLE = (
    "Study_Id, Kinect_Config, Scenario_Id, Tracker_Time, Person_Id, Skeleton_Id, Skeleton_Time, "
    "Skeleton_Init_Angle, Skeleton_Init_Dist, Kinect_Id, Kinect_Tilt_Angle, Kinect_Height"
)
ALPHABETICAL = sorted(KINECT_V2.joints)
BEGIN_MS = 63_562_194_000_000
"""17 March 2015, 13:00, in milliseconds since the beginning of year 1."""
CLOCKS_S = (100.0, 7000.0)
"""What the sensors of skeletons 0 and 1 show when the recording begins."""


def header(facts: str = ONE_PERSON) -> str:
    return ", ".join([facts, *(f"{joint}_{axis}" for joint in ALPHABETICAL for axis in "XYZ")])


def row(
    time_s: float,
    *,
    person: int = 0,
    skeleton: int = 0,
    scenario: int = 3,
    joints: np.ndarray | None = None,
    sensor: str = "",
    study: int = 4,
) -> str:
    """A line; ``joints`` (25, 3) in the order of the Kinect's SDK, by default somebody who stands 2.5 m away."""
    joints = standing() if joints is None else joints
    cells = [study, 2, scenario, BEGIN_MS + round(1000 * time_s), person, skeleton]
    cells += [round(1e7 * (CLOCKS_S[skeleton] + time_s)), 0.2, 2.5, sensor or f"sensor-{2 - skeleton}", 0, 100]
    ordered = [joints[KINECT_V2.index(joint)] for joint in ALPHABETICAL]
    return ", ".join([*map(str, cells), *(repr(float(value)) for point in ordered for value in point)])


def standing(x: float = 0.0) -> np.ndarray:
    """(25, 3) float32 meters: somebody at ``x``, no two joints at one point."""
    return STANDING + np.array([x, 0.0, 2.5], dtype=np.float32)


def text(rows: Iterable[str], facts: str = ONE_PERSON) -> str:
    return "\n".join([header(facts), *rows]) + "\n"


def walk(count: int, *, start_s: float = 0.0, speed_m_s: float = 0.6, **facts: int) -> list[str]:
    """Lines of somebody who walks to the sensor's left, 30 a second."""
    times_s = start_s + np.arange(count) / 30
    return [row(float(time_s), joints=standing(speed_m_s * float(time_s)), **facts) for time_s in times_s]
