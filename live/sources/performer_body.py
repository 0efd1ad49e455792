"""The body of a synthetic performer: sizes of people, bone directions to joints, feet that stay on the floor.

A posture is one unit vector per bone of :data:`skeleton.layout.KINECT_V2` (24 of them, parent first), so bones
cannot change their length. The body's own frame has the person's right at +x, up at +y and the front at -z: a
person who faces the sensor needs no turn at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeleton.layout import KINECT_V2

BONES = KINECT_V2.bones
BONE_OF = {child: index for index, (_, child) in enumerate(BONES)}
"""Index of the bone that ends in a joint."""

LEFT, RIGHT = 0, 1
HIPS, KNEES, ANKLES = (12, 16), (13, 17), (14, 18)
"""Joint indices, left and right."""

# Bone lengths as shares of a person's height: medians over the people of UI-PRMD (hands: over IRDS).
_SHARES = {
    "SpineMid": 0.178, "SpineShoulder": 0.130, "Neck": 0.043, "Head": 0.091,
    "Shoulder": 0.100, "Elbow": 0.148, "Wrist": 0.139, "Hand": 0.042, "HandTip": 0.045, "Thumb": 0.034,
    "Hip": 0.048, "Knee": 0.218, "Ankle": 0.215, "Foot": 0.068,
}  # fmt: skip
_LIMBS = (
    ("SpineMid", "SpineShoulder", "Neck", "Head"),
    ("Shoulder", "Hip"),
    ("Elbow", "Wrist", "Hand", "HandTip", "Thumb"),
    ("Knee", "Ankle", "Foot"),
)
"""Bones that are long or short together."""
_PROPORTION_SD = 0.03
HEIGHT_RANGE_M = (1.50, 1.95)
ANKLE_SHARE = 0.045
"""Height of the ankle above the floor as a share of the person's height."""

# How freely a person's posture differs from the table's, radians; the trunk less than the arms.
_HABIT_SD = 0.07
_TRUNK_HABIT_SD = 0.02
_TRUNK_BONES = tuple(
    BONE_OF[KINECT_V2.index(n)] for n in ("SpineMid", "SpineShoulder", "Neck", "HipLeft", "HipRight")
)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A body and its habits.

    Attributes:
        height_m: Standing height.
        lengths_m: (24,) bone lengths, in the order of ``BONES``.
        habits: (24, 3) what is added to the table's bone directions; a person keeps it.
        tempo: Times as long as usual that a movement takes.
        range: Share of the table's range of motion that the person reaches.
        sway_phases: (8,) radians, where the slow sway of a standing person begins.
    """

    height_m: float
    lengths_m: np.ndarray
    habits: np.ndarray
    tempo: float
    range: float
    sway_phases: np.ndarray


def random_person(rng: np.random.Generator) -> Person:
    """Draws a person: 1.50 to 1.95 m tall, limb proportions within about 3 % (one standard deviation)."""
    height_m = float(rng.uniform(*HEIGHT_RANGE_M))
    shares: dict[str, float] = {}
    for limb in _LIMBS:
        factor = 1 + _PROPORTION_SD * float(np.clip(rng.standard_normal(), -2, 2))
        shares |= {name: _SHARES[name] * factor for name in limb}
    lengths = [shares[_without_side(KINECT_V2.joints[child])] * height_m for _, child in BONES]
    habits = rng.normal(0.0, _HABIT_SD, (len(BONES), 3))
    habits[list(_TRUNK_BONES)] *= _TRUNK_HABIT_SD / _HABIT_SD
    return Person(
        height_m=height_m,
        lengths_m=np.array(lengths),
        habits=habits,
        tempo=float(rng.uniform(0.85, 1.3)),
        range=float(rng.uniform(0.93, 1.06)),
        sway_phases=rng.uniform(0, 2 * np.pi, 8),
    )


def _without_side(joint: str) -> str:
    return joint.removesuffix("Left").removesuffix("Right")


def unit(vectors: np.ndarray) -> np.ndarray:
    """Returns (..., 3) vectors scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def direction(raised_deg: float, swung_deg: float, side: int) -> np.ndarray:
    """Returns the (3,) direction of a limb.

    Args:
        raised_deg: 0 hangs down, 90 is level, 180 points up.
        swung_deg: 0 points to the front, 90 out to the limb's own side, 180 to the back.
        side: LEFT or RIGHT, which way "out" is.
    """
    raised, swung = np.radians(raised_deg), np.radians(swung_deg)
    out = np.sin(raised) * np.sin(swung)
    return np.array([out if side == RIGHT else -out, -np.cos(raised), -np.sin(raised) * np.cos(swung)])


def joints_from(directions: np.ndarray, person: Person) -> np.ndarray:
    """Forward kinematics: (F, 24, 3) bone directions to (F, 25, 3) joints, SpineBase at the origin, meters."""
    return _PATHS @ (directions * person.lengths_m[:, None])


def _paths() -> np.ndarray:
    """(25, 24) which bones lie between SpineBase and each joint."""
    paths = np.zeros((len(KINECT_V2), len(BONES)))
    for bone, (parent, child) in enumerate(BONES):
        paths[child] = paths[parent]
        paths[child, bone] = 1.0
    return paths


_PATHS = _paths()


def turned(directions: np.ndarray, yaw_deg: float) -> np.ndarray:
    """Returns (..., 3) directions or points turned about the vertical, toward the person's right."""
    cos, sin = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    return directions @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def stand_on_floor(joints: np.ndarray, person: Person) -> np.ndarray:
    """Returns ``joints`` (F, 25, 3) raised so that the lower ankle is at its height above the floor, y = 0."""
    lift = np.zeros((len(joints), 1, 3))
    lift[:, 0, 1] = ANKLE_SHARE * person.height_m - joints[:, ANKLES, 1].min(axis=1)
    return joints + lift


def plant(joints: np.ndarray, person: Person, side: int, ankle: np.ndarray) -> None:
    """Moves one leg of ``joints`` in place so that its ankle is at ``ankle`` (F, 3): a two-bone chain.

    The knee keeps pointing where it pointed. An ankle out of reach is approached as far as the leg is long.
    """
    hip, knee, foot = HIPS[side], KNEES[side], ANKLES[side] + 1
    thigh, shin = person.lengths_m[BONE_OF[knee]], person.lengths_m[BONE_OF[ANKLES[side]]]
    reach = ankle - joints[:, hip]
    distance = np.linalg.norm(reach, axis=1)
    axis = reach / distance[:, None]
    distance = np.clip(distance, abs(thigh - shin) + 1e-3, (thigh + shin) * 0.9995)
    along = (thigh**2 - shin**2 + distance**2) / (2 * distance)
    across = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    bend = joints[:, knee] - joints[:, hip] + np.array([0.0, 0.0, -1e-3])
    bend = unit(bend - (bend * axis).sum(axis=1, keepdims=True) * axis)
    moved = joints[:, hip] + axis * distance[:, None] - joints[:, ANKLES[side]]
    joints[:, knee] = joints[:, hip] + axis * along[:, None] + bend * across[:, None]
    joints[:, [ANKLES[side], foot]] += moved[:, None]
