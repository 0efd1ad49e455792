"""Joints in axes that stand on the floor: the function that turns them, and which floor a source's joints stand on.

Training and live level with the same :func:`level`. What it is given there is the clip's own floor; live it is what
a :class:`Leveler` finds for the source (docs/decisions/0007 says in which order, and why).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import store
from calibration.floor import MOST_SURVEYED, Floor, FloorAverage, apart, turn_up
from skeleton.errors import CalibrationError
from skeleton.frames import BodyFrame
from skeleton.layout import Layout
from skeleton.recording import Recording

MOVED_M, MOVED_DEG = 0.30, 10.0
"""Two floors of one sensor that differ by more: it was moved in between. A plane that the sensor sees and one that is
measured on a standing person differ by less (see ``floor.standing_plane``)."""


def level(joints: np.ndarray, plane: Sequence[float]) -> np.ndarray:
    """Returns joints in axes that stand on the floor: y is the height above it; x and z turn by the least rotation.

    Args:
        joints: (..., 3) meters, in the axes that the plane is given in; any value where a joint was not seen.
        plane: (x, y, z, w), n·p + w = 0 on the floor, n pointing up; scaled to a unit vector here.

    Returns:
        (..., 3) of the same floating type.

    Raises:
        ValueError: A plane whose normal does not point up.
    """
    *normal, height_m = (float(number) for number in plane)
    length = math.hypot(*normal)
    if not (math.isfinite(height_m) and length > 0 and normal[1] > 0):
        raise ValueError(f"a floor's normal must point up, found the plane {tuple(plane)}")
    joints = np.asarray(joints)
    turn = turn_up((normal[0] / length, normal[1] / length, normal[2] / length))
    # One product of two matrices that lie in order in memory: any other way takes three to five times as long.
    with np.errstate(invalid="ignore"):  # a joint that is infinite becomes NaN
        result: np.ndarray = joints.reshape(-1, 3) @ np.ascontiguousarray(turn.T, dtype=joints.dtype)
    result[:, 1] += height_m / length
    return result.reshape(joints.shape)


@dataclass(frozen=True, slots=True)
class Leveling:
    """What is known of a source's floor at one frame.

    Attributes:
        floor: The floor to level by; None while none is known.
        trouble: A sentence about a calibration or a plane that could not be used, or an empty string.
    """

    floor: Floor | None = None
    trouble: str = ""


class Leveler:
    """Finds the floor of one source and keeps it.

    The stored calibration of the sensor comes first, then the floor that a recording states for all of its frames,
    then the planes of the frames averaged over a second, then a standing person. A floor that the sensor sees, or
    that the recording states, overrules a stored one far from it: the sensor was moved since.

    Args:
        sensor_id: The sensor's serial number or name; empty when unknown.
        layout: Joints of the bodies.
        recorded: Plane that holds for the whole recording, or None.
    """

    def __init__(self, *, sensor_id: str, layout: Layout, recorded: Sequence[float] | None = None) -> None:
        self._trouble = ""
        self._stored = self._loaded(sensor_id)
        self._recorded = self._checked(recorded)
        self._average = FloorAverage(layout=layout)
        self._averaged: Floor | None = None
        self._leveling = self._chosen()

    def add(self, frame: BodyFrame) -> Leveling:
        """Takes in a frame and returns what is known now; the same object as long as nothing changes."""
        floor = self._average.add(frame, needs_people=self._leveling.floor is None)
        if floor is not self._averaged or (self._leveling.floor is None and self._average.refused):
            self._averaged = floor
            leveling = self._chosen()
            if leveling != self._leveling:
                self._leveling = leveling
        return self._leveling

    @property
    def is_settled(self) -> bool:
        """Whether no later frame can change what is known."""
        return self._averaged is not None and self._averaged.is_measured

    def _chosen(self) -> Leveling:
        averaged = self._averaged
        witness = averaged if averaged is not None and averaged.is_measured else self._recorded
        known = [floor for floor in (self._stored, self._recorded) if floor is not None]
        fitting = [floor for floor in known if witness is None or not _is_moved(floor, witness)]
        floor = fitting[0] if fitting else witness or averaged
        trouble = self._trouble
        if known and witness is not None and floor is not known[0]:
            trouble = _moved(known[0], witness, is_stored=known[0] is self._stored)
        elif floor is None and self._average.refused:
            trouble = f"{self._average.refused} Such planes are left out."
        return Leveling(floor, trouble)

    def _loaded(self, sensor_id: str) -> Floor | None:
        try:
            found = store.load(sensor_id)
        except CalibrationError as error:  # everything else works without it, and the file is left as it is
            self._trouble = str(error)
            return None
        return found.floor if found is not None else None

    def _checked(self, plane: Sequence[float] | None) -> Floor | None:
        try:
            return None if plane is None else Floor.from_plane(plane)
        except CalibrationError as error:
            self._trouble = f"The recording's floor is left out: {error.message}"
            return None


def floor_of(recording: Recording) -> Floor | None:
    """Returns the floor that a recording is leveled by when it is replayed to its end; None where none is known."""
    info = recording.info
    leveler = Leveler(sensor_id=info.sensor_id, layout=info.layout, recorded=info.floor)
    floor: Floor | None = None
    for frame in itertools.islice(recording.frames, MOST_SURVEYED):
        floor = leveler.add(frame).floor
        if leveler.is_settled:
            break
    return floor


def _is_moved(floor: Floor, other: Floor) -> bool:
    distance_m, angle_deg = apart(floor, other)
    return distance_m > MOVED_M or angle_deg > MOVED_DEG


def _moved(known: Floor, witness: Floor, *, is_stored: bool) -> str:
    distance_m, angle_deg = apart(known, witness)
    what = "when it was calibrated" if is_stored else "the recording says"
    return (
        f"The sensor stands otherwise than {what}: the floor that it sees is {distance_m:.2f} m and {angle_deg:.0f}° "
        "away from that one and is used instead. Calibrate the sensor again."
    )
