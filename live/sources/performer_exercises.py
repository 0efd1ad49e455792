"""The choreography: the ten exercises of UI-PRMD as key poses in degrees, one table entry each.

An exercise leads from its start pose to its peak and back. A limb is a chain of bones, each given as
``(raised, swung)`` in degrees: raised 0 hangs down, 90 is level, 180 points up; swung 0 points to the front,
90 out to the limb's own side, 180 to the back. ``arm`` and ``leg`` are the working side's, ``other_arm`` and
``other_leg`` the other side's (the same when left out). The numbers are medians over the correct repetitions of
the ten people of UI-PRMD, rounded. To add an exercise, add an entry to :data:`EXERCISES`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from live.sources.performer_body import BONE_OF, BONES, LEFT, RIGHT, direction, turned, unit
from skeleton.layout import KINECT_V2

Angle = tuple[float, float]
"""(raised, swung), degrees."""
Arm = tuple[Angle, Angle]
"""Upper arm, forearm."""
Leg = tuple[Angle, Angle, Angle]
"""Thigh, shin, foot."""

HANGING: Arm = ((10, 95), (15, 15))
STRAIGHT: Leg = ((7, 130), (7, 160), (75, 10))


@dataclass(frozen=True, slots=True)
class Pose:
    """A posture in degrees.

    Attributes:
        lean: How far the trunk leans to the front.
        arm: The working side's arm.
        other_arm: The other arm; None for the same.
        leg: The working side's leg.
        other_leg: The other leg; None for the same.
        bend: How far the trunk leans to the working side.
        turn: How far the whole body turns so that the working side comes to the front.
    """

    lean: float = 1
    arm: Arm = HANGING
    other_arm: Arm | None = None
    leg: Leg = STRAIGHT
    other_leg: Leg | None = None
    bend: float = 0
    turn: float = 0

    def directions(self, side: int) -> np.ndarray:
        """Returns the (24, 3) bone directions with ``side`` (LEFT or RIGHT) as the working side."""
        result = np.zeros((len(BONES), 3))
        toward = 1 if side == RIGHT else -1
        for joint, extra, share in (
            ("SpineMid", 0, 1.0),
            ("SpineShoulder", 2, 1.0),
            ("Neck", 4, 1.0),
            ("Head", 1, 0.15),
        ):
            lean, bend = np.radians(self.lean * share + extra), np.radians(self.bend * share) * toward
            result[_bone(joint)] = unit(np.array([np.tan(bend), 1.0, -np.tan(lean)]))
        for this in (LEFT, RIGHT):
            works = this == side
            self._write_arm(result, self.arm if works or self.other_arm is None else self.other_arm, this)
            leg = self.leg if works or self.other_leg is None else self.other_leg
            result[_bone("Hip", this)] = direction(90, 64, this)
            for joint, angle in zip(("Knee", "Ankle", "Foot"), leg):
                result[_bone(joint, this)] = direction(*angle, this)
        return turned(result, -self.turn * toward)

    def _write_arm(self, result: np.ndarray, arm: Arm, side: int) -> None:
        upper, fore = arm
        # A raised arm lifts its shoulder, and a leaning trunk carries it to the front.
        result[_bone("Shoulder", side)] = direction(72 + 0.2 * upper[0], 88 - 0.3 * self.lean, side)
        result[_bone("Elbow", side)] = direction(*upper, side)
        result[_bone("Wrist", side)] = result[_bone("Hand", side)] = direction(*fore, side)
        result[_bone("HandTip", side)] = direction(*fore, side)
        inward = np.array([0.5 if side == LEFT else -0.5, 0.0, -0.5])
        result[_bone("Thumb", side)] = unit(direction(*fore, side) + inward)


def _bone(joint: str, side: int | None = None) -> int:
    return BONE_OF[KINECT_V2.index(joint + ("" if side is None else ("Left", "Right")[side]))]


@dataclass(frozen=True, slots=True)
class Timing:
    """When a repetition moves, as shares of its duration: still, to the peak, held there, back, still."""

    leaves_start: float = 0.05
    reaches_peak: float = 0.48
    leaves_peak: float = 0.54
    reaches_start: float = 0.95

    def progress(self, share: np.ndarray) -> np.ndarray:
        """Returns how far the movement is, 0 at the start pose and 1 at the peak, for each share of its duration."""
        there = minimum_jerk((share - self.leaves_start) / (self.reaches_peak - self.leaves_start))
        back = minimum_jerk((share - self.leaves_peak) / (self.reaches_start - self.leaves_peak))
        return there - back

    def varied(self, rng: np.random.Generator) -> Timing:
        """Returns a timing whose moments differ by up to a few hundredths of the duration."""
        return Timing(*(float(moment + rng.uniform(-0.03, 0.03)) for moment in astuple(self)))


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """Returns the smoothest way from 0 to 1, as hands and feet take it (Flash and Hogan 1985, equation 3)."""
    share = np.clip(share, 0.0, 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    Attributes:
        start: Where it begins and ends.
        peak: Its farthest pose.
        halfway: A pose on the way, where the way is not straight; None otherwise.
        has_sides: Whether it is done with the left or the right side.
        lifts_leg: Whether the working leg leaves the floor.
        duration_s: Usual duration of a repetition.
        timing: When it moves.
    """

    start: Pose
    peak: Pose
    halfway: Pose | None = None
    has_sides: bool = True
    lifts_leg: bool = False
    duration_s: float = 2.5
    timing: Timing = Timing()


STANDING = Pose()
STRIDE = Pose(
    lean=3,
    arm=((20, 165), (12, 130)),
    other_arm=((20, 20), (38, 5)),
    leg=((25, 0), (8, 0), (85, 0)),
    other_leg=((13, 180), (38, 180), (50, 0)),
)
"""Walking, with the working side's leg in front."""
PASSING = Pose(lean=3, leg=((3, 0), (3, 180), (75, 0)), other_leg=((22, 0), (45, 180), (60, 0)))
"""Walking, with the working side's leg carrying the body and the other passing it."""

EXERCISES: dict[str, Exercise] = {
    "deep squat": Exercise(
        start=Pose(lean=4, arm=((137, 79), (154, 70)), leg=((10, 110), (10, 120), (60, 5))),
        halfway=Pose(lean=25, arm=((131, 69), (152, 57)), leg=((60, 25), (17, 180), (62, 0))),
        peak=Pose(lean=31, arm=((124, 62), (147, 47)), leg=((97, 27), (26, 184), (53, 17))),
        has_sides=False,
        duration_s=2.7,
    ),
    "hurdle step": Exercise(
        start=Pose(lean=1, arm=((46, 106), (155, 69))),
        halfway=Pose(lean=2, arm=((46, 107), (155, 67)),
                     leg=((51, 8), (25, 174), (45, 6)), other_leg=((4, -130), (8, -140), (75, 0))),
        peak=Pose(lean=1, arm=((46, 107), (155, 69)),
                  leg=((93, 11), (18, 173), (59, 4)), other_leg=((8, -114), (9, -143), (75, 0))),
        lifts_leg=True,
        duration_s=2.4,
        timing=Timing(0.12, 0.49, 0.54, 0.9),
    ),
    "inline lunge": Exercise(
        start=Pose(lean=2, arm=((95, 87), (167, -12)), other_arm=((100, 93), (162, 23)),
                   leg=((24, 0), (20, 5), (72, -14)), other_leg=((26, 160), (36, 185), (72, 11))),
        halfway=Pose(lean=0, arm=((105, 89), (168, -20)), other_arm=((100, 90), (164, 17)),
                     leg=((52, -4), (9, 189), (55, -16)), other_leg=((19, 140), (60, 180), (74, 12))),
        peak=Pose(lean=0, arm=((110, 90), (166, -19)), other_arm=((99, 90), (163, 17)),
                  leg=((79, -5), (20, 184), (70, -14)), other_leg=((20, 145), (80, 177), (74, 12))),
        duration_s=2.6,
    ),
    "side lunge": Exercise(
        start=Pose(lean=5, arm=((93, 84), (162, 0)), other_arm=((91, 85), (156, 22)),
                   leg=((24, 92), (27, 96), (72, 0)), other_leg=((24, 96), (22, 108), (72, 0))),
        halfway=Pose(lean=22, arm=((96, 81), (155, -10)), other_arm=((93, 78), (152, 10)),
                     leg=((48, 29), (13, 145), (65, 0)), other_leg=((48, 74), (31, 92), (65, 0))),
        peak=Pose(lean=35, arm=((94, 74), (151, -17)), other_arm=((85, 76), (145, 9)),
                  leg=((69, 17), (22, 185), (52, 6)), other_leg=((64, 74), (40, 86), (62, 0))),
        duration_s=2.8,
    ),
    "sit to stand": Exercise(
        start=Pose(lean=3, arm=((95, 84), (163, 5)), leg=((9, 112), (7, 138), (74, 0))),
        halfway=Pose(lean=28, arm=((96, 77), (159, -4)), leg=((71, 16), (18, 176), (58, 5))),
        peak=Pose(lean=10, arm=((95, 77), (158, -6)), leg=((89, 15), (18, 186), (52, 12))),
        has_sides=False,
        duration_s=2.9,
        timing=Timing(0.07, 0.5, 0.52, 0.93),
    ),
    "standing active straight leg raise": Exercise(
        start=Pose(lean=-2, arm=((83, 91), (165, 22)), other_arm=((92, 89), (160, 24))),
        halfway=Pose(lean=-2, arm=((83, 90), (162, 24)), other_arm=((96, 90), (159, 15)),
                     leg=((51, 5), (38, 7), (75, -5)), other_leg=((3, -100), (9, -136), (74, 0))),
        peak=Pose(lean=-4, arm=((80, 91), (163, 22)), other_arm=((97, 88), (158, 9)),
                  leg=((96, 3), (83, 5), (110, -6)), other_leg=((7, -56), (11, -153), (74, 0))),
        lifts_leg=True,
        duration_s=2.1,
        timing=Timing(0.14, 0.49, 0.54, 0.88),
    ),
    "standing shoulder abduction": Exercise(
        start=Pose(lean=0, arm=((11, 100), (13, 38)), other_arm=((13, 105), (18, 12))),
        halfway=Pose(lean=0, arm=((85, 84), (95, 73)), other_arm=((13, 103), (18, 13))),
        peak=Pose(lean=-1, arm=((156, 69), (170, 52)), other_arm=((13, 100), (18, 9))),
        duration_s=2.4,
    ),
    "standing shoulder extension": Exercise(
        start=Pose(turn=35, lean=-2, arm=((18, 67), (25, 0)), other_arm=((5, 110), (10, 23)), bend=2),
        halfway=Pose(turn=35, lean=-1, arm=((30, 135), (15, 125)), other_arm=((5, 108), (8, 22)), bend=3),
        peak=Pose(turn=35, lean=-1, arm=((60, 149), (47, 150)), other_arm=((5, 121), (7, 30)), bend=3),
        duration_s=2.2,
    ),
    "standing shoulder internal-external rotation": Exercise(
        start=Pose(lean=0, arm=((97, 87), (165, 122)), other_arm=((14, 101), (18, 13))),
        halfway=Pose(lean=0, arm=((94, 86), (126, 5)), other_arm=((14, 102), (18, 10))),
        peak=Pose(lean=-1, arm=((98, 84), (72, 6)), other_arm=((13, 102), (17, 10))),
        duration_s=2.4,
    ),
    "standing shoulder scaption": Exercise(
        start=Pose(lean=-1, arm=((10, 60), (16, 20)), other_arm=((10, 83), (19, 4))),
        halfway=Pose(lean=-1, arm=((55, 46), (68, 38)), other_arm=((11, 81), (19, 3))),
        peak=Pose(lean=-2, arm=((106, 45), (113, 41)), other_arm=((12, 82), (19, 5))),
        duration_s=2.2,
    ),
}  # fmt: skip
"""Labels and exercises; the labels are those of the pretrained model."""
