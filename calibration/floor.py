"""Where the floor is: from the planes that the sensor reports, or from a standing person's feet.

A floor plane (x, y, z, w) has n·p + w = 0 for every point p of the floor, n = (x, y, z) the unit vector up and w the
sensor's height in meters; all zeros mean that no floor was seen. The sensor's planes tremble, so about a second of
them is averaged and then kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.errors import CalibrationError
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2, Layout

Plane = tuple[float, float, float, float]

AVERAGE_S = 1.0
"""Planes of so long are averaged: 30 of them, with which trembling of a degree falls below a fifth of one."""
FEWEST_PLANES = 5
LONGEST_MEMORY = 300
"""Planes, and people standing, that are remembered at most while too few are good."""
FEWEST_STOOD = 30
"""Frames with a standing person: a second of them, since one pose leans."""
MOST_SURVEYED = 18_000
"""Frames: ten minutes say no more than one."""
STEEPEST_DEG = 60.0
"""A plane further than this from the sensor's own horizontal is a wall."""
HIGHEST_M = 5.0
"""Sensors see nothing from higher up."""
OUTLIER_DEG = 5.0
"""A plane that differs from the others by more saw a table, or half a floor."""
STRAIGHT_DEG = 155.0
"""Angle of hip, knee and ankle of a leg that stands."""
UPRIGHT_DEG = 35.0
"""Largest angle between a standing body and the sensor's vertical: its tilt and the person's lean together."""
SOLE_M = 0.03
"""Foot joints lie in the shoe, a few centimeters above the floor."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor in the sensor's axes.

    Attributes:
        normal: Unit vector up.
        height_m: Height of the sensor above the floor.
        is_measured: True when the sensor saw the floor, False when it was estimated from feet.
    """

    normal: tuple[float, float, float]
    height_m: float
    is_measured: bool = True

    @classmethod
    def from_plane(cls, plane: Sequence[float], *, is_measured: bool = True) -> Floor:
        """Returns the floor of a plane (x, y, z, w).

        Raises:
            CalibrationError: All zeros, not finite, a wall, or at an impossible height.
        """
        values = np.asarray(plane, dtype=np.float64)
        length = float(np.linalg.norm(values[:3])) if values.shape == (4,) else math.nan
        if not (np.isfinite(values).all() and 0.5 < length < 2.0):
            raise CalibrationError(f"A floor plane must be a unit vector and a height, found {tuple(plane)}.")
        x, y, z, height_m = (values / length).tolist()
        if y < math.cos(math.radians(STEEPEST_DEG)) or not 0 < height_m < HIGHEST_M:
            raise CalibrationError(
                f"A floor must lie below the sensor, found its normal at ({x:.2f}, {y:.2f}, {z:.2f}) and the sensor "
                f"{height_m:.2f} m above it."
            )
        return cls((x, y, z), height_m, is_measured)

    @property
    def plane(self) -> Plane:
        """The plane (x, y, z, w) with n·p + w = 0."""
        return (*self.normal, self.height_m)

    @property
    def tilt_deg(self) -> float:
        """How far the sensor looks down, degrees; negative is up."""
        return math.degrees(math.atan2(-self.normal[2], self.normal[1]))

    @property
    def roll_deg(self) -> float:
        """How far the sensor leans to its side, degrees."""
        return math.degrees(math.atan2(self.normal[0], self.normal[1]))


def turn_up(normal: tuple[float, float, float]) -> np.ndarray:
    """Returns the (3, 3) float64 rotation that takes a unit vector, which points up (y > 0), to (0, 1, 0)."""
    x, y, z = normal
    # Rodrigues: R = I + [v] + [v]² / (1 + cos) with v = n × (0, 1, 0) = (-z, 0, x), multiplied out.
    xx, xz, zz = x * x / (1.0 + y), x * z / (1.0 + y), z * z / (1.0 + y)
    return np.array([[1.0 - xx, -x, -xz], [x, y, z], [-xz, -z, 1.0 - zz]])


def apart(one: Floor, other: Floor) -> tuple[float, float]:
    """Returns how far two floors of one sensor differ: in the sensor's height, meters, and in the normal, degrees."""
    return abs(one.height_m - other.height_m), _angle_deg(np.array(one.normal), np.array(other.normal))


def average(planes: Iterable[Sequence[float]], *, is_measured: bool = True) -> Floor:
    """Returns the floor that most of the planes agree on.

    Planes that are no floor, and those that differ from the others, are left out.

    Raises:
        CalibrationError: None of them is a floor.
    """
    found = np.array([floor.plane for floor in map(_floor_or_none, planes) if floor is not None])
    if not len(found):
        raise CalibrationError(
            "The floor must be in view, but no frame holds a floor plane.",
            remedy="Tilt the sensor until it sees the floor, or let a person stand upright in view.",
        )
    middle = np.median(found, axis=0)
    middle[:3] /= np.linalg.norm(middle[:3])
    near = found[found[:, :3] @ middle[:3] >= math.cos(math.radians(OUTLIER_DEG))]
    return Floor.from_plane(near.mean(axis=0) if len(near) else middle, is_measured=is_measured)


class FloorAverage:
    """Watches frames until it knows the floor, and then keeps it.

    Args:
        span_s: Seconds of planes to average.
        layout: Joints of the bodies, which stand in where the sensor sees no floor.

    Attributes:
        floor: What is known so far.
        refused: What is wrong with the newest plane that was no floor, or an empty string.
    """

    def __init__(self, *, span_s: float = AVERAGE_S, layout: Layout = KINECT_V2) -> None:
        self._span_s, self._layout = span_s, layout
        self._seen: list[tuple[float, Plane]] = []
        self._stood: list[tuple[float, Plane]] = []
        self.floor: Floor | None = None
        self.refused = ""

    def add(self, frame: BodyFrame, *, needs_people: bool = True) -> Floor | None:
        """Returns the floor once it is known.

        A floor that the sensor reports comes first, and from then on it stays the same. Where for twice the time none
        was reported, a standing person decides, until the sensor has seen the floor after all.

        Args:
            frame: The next frame.
            needs_people: Whether standing people are worth looking at.
        """
        if self.floor is None or not self.floor.is_measured:
            self._see(frame)
        if self.floor is None and needs_people:
            self._look_at_people(frame)
        return self.floor

    def _see(self, frame: BodyFrame) -> None:
        if frame.floor is None or not any(frame.floor):  # all zeros: the sensor's way to say that it sees none
            return
        try:
            Floor.from_plane(frame.floor)
        except CalibrationError as error:
            self.refused = error.message
            return
        _remember(self._seen, frame.time_s, frame.floor)
        if self._covers(self._seen, self._span_s):
            self.floor = average([plane for _, plane in self._seen])

    def _look_at_people(self, frame: BodyFrame) -> None:
        plane = standing_plane(frame, layout=self._layout)
        if plane is None:
            return
        _remember(self._stood, frame.time_s, plane)
        is_floor_seen = bool(self._seen) and abs(frame.time_s - self._seen[-1][0]) < 2 * self._span_s
        if not is_floor_seen and self._covers(self._stood, 2 * self._span_s):
            self.floor = average([plane for _, plane in self._stood], is_measured=False)

    def _covers(self, planes: list[tuple[float, Plane]], span_s: float) -> bool:
        return len(planes) >= FEWEST_PLANES and planes[-1][0] - planes[0][0] >= span_s - 1e-6


def measure(frames: Iterable[BodyFrame], *, layout: Layout = KINECT_V2) -> Floor | None:
    """Returns the floor of a recording: from its first second of planes, else from people who stand; None without."""
    watching = FloorAverage(layout=layout)
    for frame in frames:
        if watching.add(frame) is not None:
            break
    return watching.floor


@dataclass(frozen=True, slots=True)
class Survey:
    """What all frames of a recording say of the floor.

    Attributes:
        seen: From the planes that the sensor reports, or None.
        stood: From people who stand upright, or None.
        refused: What is wrong with a plane that was no floor, or an empty string.
        has_people: Whether anybody was in view.
    """

    seen: Floor | None
    stood: Floor | None
    refused: str
    has_people: bool


def survey(frames: Iterable[BodyFrame], *, layout: Layout = KINECT_V2) -> Survey:
    """Returns the floor of a sensor that stands still, from the first :data:`MOST_SURVEYED` frames."""
    seen: list[Plane] = []
    stood: list[Plane] = []
    refused, has_people = "", False
    for frame in itertools.islice(frames, MOST_SURVEYED):
        has_people = has_people or bool(frame.bodies)
        if frame.floor is not None and any(frame.floor):
            try:
                seen.append(Floor.from_plane(frame.floor).plane)
            except CalibrationError as error:
                refused = error.message
        plane = standing_plane(frame, layout=layout)
        if plane is not None:
            stood.append(plane)
    return Survey(
        seen=average(seen) if len(seen) >= FEWEST_PLANES else None,
        stood=average(stood, is_measured=False) if len(stood) >= FEWEST_STOOD else None,
        refused=refused,
        has_people=has_people,
    )


def standing_plane(frame: BodyFrame, *, layout: Layout = KINECT_V2) -> Plane | None:
    """Returns the plane under the first person who stands upright on both feet, or None.

    Up is the line from between the ankles to the neck. Over 15 recordings of people who walk about (from the data set
    kinect-multitrack) the median of these planes differs from the plane through all their steps by 1° and 4 cm
    (median), 5° and 18 cm at most: enough to draw a floor by, no match for one that the sensor sees.
    """
    for body in frame.bodies:
        if len(body.joints) != len(layout):
            continue
        plane = _under(np.asarray(body.joints, dtype=np.float64), body.seen, layout)
        if plane is not None:
            return plane
    return None


def _under(joints: np.ndarray, seen: np.ndarray, layout: Layout) -> Plane | None:
    names = [f"{part}{side}" for side in ("Left", "Right") for part in ("Hip", "Knee", "Ankle", "Foot")]
    chest = "SpineShoulder" if "SpineShoulder" in layout.joints else "ShoulderCenter"
    if any(name not in layout.joints for name in [*names, chest]):
        return None
    index = [layout.index(name) for name in [*names, chest]]
    if not seen[index].all():
        return None
    legs, neck = joints[index[:8]].reshape(2, 4, 3), joints[index[8]]
    if min(_angle_deg(hip - knee, ankle - knee) for hip, knee, ankle, _ in legs) < STRAIGHT_DEG:
        return None
    up = neck - legs[:, 2].mean(axis=0)
    if _angle_deg(up, np.array([0.0, 1.0, 0.0])) > UPRIGHT_DEG:
        return None
    up /= np.linalg.norm(up)
    height_m = SOLE_M - float((legs[:, 3] @ up).min())
    x, y, z = up.tolist()
    return (x, y, z, height_m) if _floor_or_none((x, y, z, height_m)) is not None else None


def _angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return math.degrees(math.acos(min(1.0, max(-1.0, float(one @ other) / lengths)))) if lengths > 0 else 0.0


def _floor_or_none(plane: Sequence[float]) -> Floor | None:
    try:
        return Floor.from_plane(plane)
    except CalibrationError:
        return None


def _remember(planes: list[tuple[float, Plane]], time_s: float, plane: Plane) -> None:
    """Keeps the latest planes; a clock that steps back starts anew."""
    if planes and time_s <= planes[-1][0]:
        planes.clear()
    planes.append((time_s, plane))
    del planes[:-LONGEST_MEMORY]
