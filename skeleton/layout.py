"""Joint layouts: which joints a skeleton has, how they are connected, and which are mirror images.

A layout is a value. The Kinect v2 layout has 25 joints in the order of the SDK's ``JointType``; a data set that
measured fewer joints has a *subset* of it, and a model that was trained on a subset takes exactly those joints
out of a live skeleton by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.errors import ModelContractError

NOT_TRACKED, INFERRED, TRACKED = 0, 1, 2
"""Joint states, as the Kinect SDK numbers them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The joints of a skeleton.

    Attributes:
        name: Short name, also written into model cards and recordings.
        joints: V joint names; Kinect SDK names without spaces.
        bones: Pairs of joint indices to draw and to measure.
        mirror: Pairs (left, right) of joint indices that change places in a mirror image.
        measured: V flags; False where a recording fills the joint in without having measured it.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror: tuple[tuple[int, int], ...]
    measured: tuple[bool, ...]

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise ValueError(f"layout {self.name}: joint names must differ")
        if len(self.measured) != count:
            raise ValueError(f"layout {self.name}: {len(self.measured)} measured flags for {count} joints")
        if any(not 0 <= index < count for pair in self.bones + self.mirror for index in pair):
            raise ValueError(f"layout {self.name}: a bone or mirror pair names a joint outside 0..{count - 1}")

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Returns the index of a joint name; raises ``ValueError`` when the layout lacks it."""
        return self.joints.index(joint)

    def mirror_order(self) -> np.ndarray:
        """Returns (V,) indices that swap left and right joints: ``joints[:, order]`` has the sides exchanged."""
        order = np.arange(len(self))
        for left, right in self.mirror:
            order[left], order[right] = right, left
        return order

    def subset(self, name: str, joints: Sequence[str]) -> Layout:
        """Returns the layout with only ``joints``, in the order given; bones with a missing end are dropped."""
        old = [self.index(joint) for joint in joints]
        new = {source: position for position, source in enumerate(old)}
        pairs = {"bones": self.bones, "mirror": self.mirror}
        kept = {
            key: tuple((new[a], new[b]) for a, b in value if a in new and b in new) for key, value in pairs.items()
        }
        return Layout(
            name=name,
            joints=tuple(joints),
            bones=kept["bones"],
            mirror=kept["mirror"],
            measured=tuple(self.measured[i] for i in old),
        )

    def select(self, wanted: Sequence[str]) -> np.ndarray:
        """Returns the indices of ``wanted`` joints in this layout.

        Raises:
            ModelContractError: This layout lacks, or did not measure, a wanted joint.
        """
        missing = [name for name in wanted if name not in self.joints or not self.measured[self.index(name)]]
        if missing:
            raise ModelContractError(
                f"The model needs joints that the skeleton layout '{self.name}' does not measure: "
                f"{', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}.",
                remedy="Choose a model trained on this layout or a subset of it.",
            )
        return np.array([self.index(name) for name in wanted], dtype=np.int64)


_KINECT_V2_JOINTS = (
    "SpineBase", "SpineMid", "Neck", "Head",
    "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft",
    "ShoulderRight", "ElbowRight", "WristRight", "HandRight",
    "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft",
    "HipRight", "KneeRight", "AnkleRight", "FootRight",
    "SpineShoulder", "HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight",
)  # fmt: skip

KINECT_V2 = Layout(
    name="kinect-v2",
    joints=_KINECT_V2_JOINTS,
    # The SDK's bone hierarchy, parent first.
    bones=(
        (0, 1), (1, 20), (20, 2), (2, 3),
        (20, 4), (4, 5), (5, 6), (6, 7), (7, 21), (6, 22),
        (20, 8), (8, 9), (9, 10), (10, 11), (11, 23), (10, 24),
        (0, 12), (12, 13), (13, 14), (14, 15),
        (0, 16), (16, 17), (17, 18), (18, 19),
    ),
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    measured=(True,) * 25,
)  # fmt: skip
"""All 25 joints in the order of the SDK's ``JointType``."""

KINECT_V2_19 = KINECT_V2.subset(
    "kinect-v2-19",
    [joint for joint in _KINECT_V2_JOINTS if not joint.startswith(("Hand", "Thumb"))],
)
"""The 19 joints that UI-PRMD measured: no hands, hand tips or thumbs."""

KINECT_V2_21 = KINECT_V2.subset("kinect-v2-21", _KINECT_V2_JOINTS[:21])
"""The 21 joints that Machete measured: no hand tips or thumbs."""

KINECT_V1 = Layout(
    name="kinect-v1",
    joints=(
        "HipCenter", "Spine", "ShoulderCenter", "Head",
        "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft",
        "ShoulderRight", "ElbowRight", "WristRight", "HandRight",
        "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft",
        "HipRight", "KneeRight", "AnkleRight", "FootRight",
    ),
    bones=(
        (0, 1), (1, 2), (2, 3),
        (2, 4), (4, 5), (5, 6), (6, 7),
        (2, 8), (8, 9), (9, 10), (10, 11),
        (0, 12), (12, 13), (13, 14), (14, 15),
        (0, 16), (16, 17), (17, 18), (18, 19),
    ),
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    measured=(True,) * 20,
)  # fmt: skip
"""The 20 joints of the first Kinect, in the order of its SDK."""

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (KINECT_V2, KINECT_V2_21, KINECT_V2_19, KINECT_V1)}


@dataclass(frozen=True, slots=True)
class BodyAxes:
    """The joints that fix a body's own axes: indices into a layout.

    Attributes:
        center: The joint put at the origin (SpineBase, or HipCenter on Kinect v1).
        chest: Upper end of the torso (SpineShoulder, or ShoulderCenter).
        left_shoulder: ShoulderLeft.
        right_shoulder: ShoulderRight.
    """

    center: int
    chest: int
    left_shoulder: int
    right_shoulder: int


def body_axes(joints: Sequence[str]) -> BodyAxes:
    """Returns which of ``joints`` fix the body's axes.

    Raises:
        ModelContractError: One of them is missing.
    """

    def first(*names: str) -> int:
        for name in names:
            if name in joints:
                return list(joints).index(name)
        raise ModelContractError(f"A layout must hold {' or '.join(names)}, which gives the body its axes.")

    return BodyAxes(
        center=first("SpineBase", "HipCenter"),
        chest=first("SpineShoulder", "ShoulderCenter"),
        left_shoulder=first("ShoulderLeft"),
        right_shoulder=first("ShoulderRight"),
    )
