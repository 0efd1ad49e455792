"""Calibrates a sensor's place with a person's help: takes body frames, says what to do next, keeps the result. No Qt.

    assistant = CalibrationAssistant(sensor_id=info.sensor_id)
    advice = assistant.take(frame)      # at each frame: show advice.text and advice.progress
    if advice.step is Step.DONE: assistant.save()

One person stands upright in view and still for two seconds. Meanwhile the floor planes of the sensor are averaged;
where it sees no floor, the person's legs stand in for it. Where both are there they must agree: a table in front of
the sensor is a plane as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from calibration import store
from calibration.color_map import MOST_FRAMES, ColorMap, Residuals, fit, pixels_of
from calibration.floor import FEWEST_PLANES, Floor, Plane, average, standing_plane
from skeleton.errors import CalibrationError
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, Layout

STILL_S = 2.0
"""So long a person stands still: 60 planes, of which each trembles by a degree."""
STILL_M = 0.05
"""The trunk of a person who stands still sways by 1 to 2 cm, and the sensor adds one."""
LONGEST_GAP_S = 0.5
"""After a longer pause of the sensor the measurement begins anew."""
LARGEST_DIFFERENCE_M = 0.30
LARGEST_DIFFERENCE_DEG = 10.0
"""A standing person shows the floor to 18 cm and 5° at worst (see ``standing_plane``): beyond that the sensor's plane
is something else."""
TRUNK = ("Head", "ShoulderLeft", "ShoulderRight", "HipLeft", "HipRight")
LEGS = tuple(f"{part}{side}" for side in ("Left", "Right") for part in ("Hip", "Knee", "Ankle", "Foot"))
ORIGIN = "a person standing in view"


UNMEASURED = {"residual_px": None, "largest_residual_px": None, "points": 0}
"""What is kept beside a color map that nobody has compared with pixels."""


class Step(Enum):
    """Where the calibration stands."""

    NOBODY = "nobody"
    CROWD = "crowd"
    OUT_OF_VIEW = "out of view"
    NOT_UPRIGHT = "not upright"
    MOVING = "moving"
    MEASURING = "measuring"
    CONFLICT = "conflict"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to show.

    Attributes:
        step: Where the calibration stands.
        text: What the person should do, or the result; one sentence or two.
        progress: Share of the measurement that is done, 0..1.
    """

    step: Step
    text: str
    progress: float = 0.0


class CalibrationAssistant:
    """Watches body frames until it knows where the sensor stands.

    Args:
        sensor_id: Whose calibration it is; empty where the sensor has none, and then it cannot be saved.
        layout: Joints of the bodies.
        origin: What it is measured on: a recording's name; by default a person.
        color_map: The sensor's color map, to be kept with the floor; None keeps the one that is stored.
        still_s: How long the person stands still, seconds.
        only_person: Whether the planes that the sensor reports are left out.
    """

    def __init__(
        self,
        *,
        sensor_id: str,
        layout: Layout = KINECT_V2,
        origin: str = ORIGIN,
        color_map: ColorMap | None = None,
        still_s: float = STILL_S,
        only_person: bool = False,
    ) -> None:
        self._only_person = only_person
        self.sensor_id, self._layout, self._still_s = sensor_id, layout, still_s
        self._origin, self._color_map = origin[: store.LONGEST_TEXT], color_map
        self._trunk = layout.select([name for name in TRUNK if name in layout.joints])
        self._legs = layout.select([name for name in LEGS if name in layout.joints])
        self._began_s: float | None = None
        self._last_s = 0.0
        self._pose: np.ndarray | None = None
        self._seen: list[Plane] = []
        self._stood: list[Plane] = []
        self._conflict = ""
        self._pixels: list[tuple[np.ndarray, np.ndarray]] = []
        self._is_fit_tried = False
        self.floor: Floor | None = None

    def take(self, frame: BodyFrame) -> Advice:
        """Takes in a frame and returns what to do; once done it stays done."""
        if self.floor is not None:
            return Advice(Step.DONE, described(self.floor), 1.0)
        if len(self._pixels) < MOST_FRAMES:
            self._pixels += pixels_of([frame])
        is_gap = self._began_s is not None and not 0 < frame.time_s - self._last_s <= LONGEST_GAP_S
        self._last_s = frame.time_s
        if is_gap:
            self._begin_anew()
        problem = self._problem(frame)
        if problem is not None:
            self._begin_anew()
            return problem
        (body,) = frame.bodies
        stood = standing_plane(frame, layout=self._layout)
        if stood is None:
            self._begin_anew()
            return Advice(Step.NOT_UPRIGHT, "Stand upright on both feet and face the sensor.")
        return self._measure(frame, body, stood)

    def save(self) -> Path:
        """Keeps the floor, and the color map, under the sensor's id; what else is known of the sensor stays.

        Raises:
            CalibrationError: Nothing is measured yet, or the sensor has no id.
            OSError: The folder cannot be written.
        """
        if self.floor is None:
            raise CalibrationError("The floor must be measured before it can be kept.", remedy="Stand still in view.")
        known: dict[str, Any] = {"floor": self.floor, "origin": self._origin}
        found = self.color_map
        if found is not None:
            residuals = self.residuals
            known |= {"color_map": found, **(residuals.facts if residuals is not None else UNMEASURED)}
        return store.update(self.sensor_id, **known)[1]

    @property
    def color_map(self) -> ColorMap | None:
        """The color map: the sensor's own, else the one that the color pixels of the frames give, else None."""
        if self._color_map is None and self._pixels and not self._is_fit_tried:
            self._is_fit_tried = True
            with contextlib.suppress(CalibrationError):  # too few, or pixels of another picture: the floor is enough
                self._color_map = fit(*_joined(self._pixels))
        return self._color_map

    @property
    def residuals(self) -> Residuals | None:
        """What the color map gets wrong on the color pixels of the frames; None where they hold none."""
        found = self.color_map
        if found is None or not self._pixels:
            return None
        residuals = Residuals.of(found, *_joined(self._pixels))
        return residuals if len(residuals.points) else None

    def _problem(self, frame: BodyFrame) -> Advice | None:
        """What keeps the frame from being measured, worst first."""
        if not frame.bodies:
            return Advice(Step.NOBODY, "Stand in front of the sensor, 2 to 4 m away, so that all of you is in view.")
        if len(frame.bodies) > 1:
            return Advice(Step.CROWD, f"One person alone must be in view, but {len(frame.bodies)} are.")
        (body,) = frame.bodies
        if len(body.joints) != len(self._layout):
            raise ValueError(f"bodies must have {len(self._layout)} joints, found {len(body.joints)}")
        if not body.seen[self._legs].all():
            return Advice(Step.OUT_OF_VIEW, "Step back, or tilt the sensor down, until your feet are in view.")
        if not body.seen[self._trunk].all() or body.clipped_edges:
            return Advice(Step.OUT_OF_VIEW, "Step to the middle and back, until all of you is in view.")
        return None

    def _measure(self, frame: BodyFrame, body: Body, stood: Plane) -> Advice:
        trunk = body.joints[self._trunk]
        if self._pose is None or np.linalg.norm(trunk - self._pose, axis=1).max() > STILL_M:
            was_still = self._began_s is not None
            self._begin_anew()
            self._began_s, self._pose = frame.time_s, trunk
            if was_still:
                return Advice(Step.MOVING, "Stand still.")
        assert self._began_s is not None
        self._stood.append(stood)
        if frame.floor is not None and not self._only_person:
            self._seen.append(frame.floor)
        elapsed_s = frame.time_s - self._began_s
        if elapsed_s < self._still_s - 1e-6:
            text = f"{self._conflict} Stand still.".strip()
            return Advice(Step.CONFLICT if self._conflict else Step.MEASURING, text, elapsed_s / self._still_s)
        return self._finish()

    def _finish(self) -> Advice:
        legs = average(self._stood, is_measured=False)
        seen = _average_or_none(self._seen)
        self._conflict = difference(seen, legs) if seen is not None else ""
        self._begin_anew()
        if self._conflict:
            return Advice(Step.CONFLICT, self._conflict)
        self.floor = seen or legs
        return Advice(Step.DONE, described(self.floor), 1.0)

    def _begin_anew(self) -> None:
        self._began_s = self._pose = None
        self._seen, self._stood = [], []


def _joined(pixels: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    points, found = zip(*pixels)
    return np.concatenate(points), np.concatenate(found)


def described(floor: Floor) -> str:
    """Returns the result in a sentence, such as "Done: the sensor is 0.93 m above the floor, looking down 3.1°.\" """
    tilt = f"looking {'down' if floor.tilt_deg >= 0 else 'up'} {abs(floor.tilt_deg):.1f}°"
    lean = f", leaning {abs(floor.roll_deg):.1f}°" if abs(floor.roll_deg) >= 0.5 else ""
    how = "" if floor.is_measured else " It sees no floor, so this is measured on you, to about 5 cm and 1°."
    return f"Done: the sensor is {floor.height_m:.2f} m above the floor, {tilt}{lean}.{how}"


def difference(seen: Floor, legs: Floor) -> str:
    """Returns a sentence where the plane that the sensor sees cannot be the floor that a person stands on."""
    apart_m = legs.height_m - seen.height_m
    cosine = float(np.clip(np.dot(seen.normal, legs.normal), -1.0, 1.0))
    if abs(apart_m) <= LARGEST_DIFFERENCE_M and np.degrees(np.arccos(cosine)) <= LARGEST_DIFFERENCE_DEG:
        return ""
    where = f"{abs(apart_m):.1f} m {'above' if apart_m > 0 else 'below'} your feet"
    return f"The sensor takes something else for the floor, {where}: clear what stands before it, or turn it."


def _average_or_none(planes: Sequence[Plane]) -> Floor | None:
    """The floor of the sensor's planes; None where it saw none, or too rarely to trust them."""
    if len(planes) < FEWEST_PLANES:
        return None
    try:
        return average(planes)
    except CalibrationError:
        return None
