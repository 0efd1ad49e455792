"""UI-PRMD, the Kinect part: ten rehabilitation exercises by ten people, done correctly and incorrectly.

Vakanski, Jun, Paul, Baker: "A Data Set of Human Body Movements for Physical Rehabilitation Exercises", Data 2018,
3(1), 2; https://webpages.uidaho.edu/ui-prmd/. The files hold no joint positions: each joint is an offset from its
parent in the parent's turned frame, in centimeters, with three angles in degrees. :func:`absolute_joints` chains
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2_19, TRACKED
from training.datasets.archive import Files, open_files
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions, Refusal

RATE_HZ = 30.0
"""The files have no time stamps; the sensor's rate."""

SOURCE_JOINTS = (
    "Waist", "Spine", "Chest", "Neck", "Head", "HeadTip",
    "LCollar", "LUpperArm", "LForearm", "LHand",
    "RCollar", "RUpperArm", "RForearm", "RHand",
    "LUpperLeg", "LLowerLeg", "LFoot", "LToes",
    "RUpperLeg", "RLowerLeg", "RFoot", "RToes",
)  # fmt: skip
"""The 22 joints of the files, in their order."""

_PARENTS = (-1, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)

SOURCE_OF = {
    "SpineBase": "Waist", "SpineMid": "Spine", "SpineShoulder": "Chest", "Neck": "Head", "Head": "HeadTip",
    "ShoulderLeft": "LUpperArm", "ElbowLeft": "LForearm", "WristLeft": "LHand",
    "ShoulderRight": "RUpperArm", "ElbowRight": "RForearm", "WristRight": "RHand",
    "HipLeft": "LUpperLeg", "KneeLeft": "LLowerLeg", "AnkleLeft": "LFoot", "FootLeft": "LToes",
    "HipRight": "RUpperLeg", "KneeRight": "RLowerLeg", "AnkleRight": "RFoot", "FootRight": "RToes",
}  # fmt: skip
"""Kinect name -> name in the files, by bone length: their names are shifted against the SDK's (their "Head" is its
neck). Their own Neck (7 mm above Chest) and collars have no counterpart."""

LABELS = (
    "deep squat",
    "hurdle step",
    "inline lunge",
    "side lunge",
    "sit to stand",
    "standing active straight leg raise",
    "standing shoulder abduction",
    "standing shoulder extension",
    "standing shoulder internal-external rotation",
    "standing shoulder scaption",
)

_POSITIONS = re.compile(r"(?:^|/)Kinect/Positions/m(\d\d)_s(\d\d)_e(\d\d)_positions(_inc)?\.txt$")
_TURN = np.array([-1.0, 1.0, -1.0])
"""Half a turn about the vertical: the files face the other way."""
_COLUMNS = 3 * len(SOURCE_JOINTS)
FLOOR = (0.0, 1.0, 0.0, 0.0)
"""Heights are measured from the floor."""


def absolute_joints(offsets_cm: np.ndarray, angles_deg: np.ndarray) -> np.ndarray:
    """Chains offsets and angles to joint positions.

    Every joint turns by Rz * Rx * Ry relative to its parent (Y first). The order Rz * Ry * Rx also gives a believable
    standing skeleton, but lets the planted feet of a squat wander by 14 cm.

    Args:
        offsets_cm: (F, 22, 3) offset from the parent in the parent's frame; joint 0 is absolute.
        angles_deg: (F, 22, 3) rotations about X, Y and Z.

    Returns:
        (F, 22, 3) meters, camera axes, y = 0 near the floor.
    """
    x, y, z = np.moveaxis(np.radians(angles_deg), 2, 0)
    sx, cx, sy, cy, sz, cz = np.sin(x), np.cos(x), np.sin(y), np.cos(y), np.sin(z), np.cos(z)
    own = np.stack(
        [
            np.stack([cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy], axis=-1),
            np.stack([sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy], axis=-1),
            np.stack([-cx * sy, sx, cx * cy], axis=-1),
        ],
        axis=-2,
    )  # (F, 22, 3, 3)
    positions, turned = np.array(offsets_cm, dtype=np.float64), own.copy()
    for joint, parent in enumerate(_PARENTS):
        if parent >= 0:
            positions[:, joint] = positions[:, parent] + np.einsum(
                "fij,fj->fi", turned[:, parent], offsets_cm[:, joint]
            )
            turned[:, joint] = turned[:, parent] @ own[:, joint]
    return positions / 100 * _TURN


def look(path: Path, options: NoOptions) -> Listing:
    """Lists the 2000 recordings of the official archive, or of a folder that it was unpacked to, sorted by path.

    Raises:
        TrainingDataError: Not UI-PRMD.
    """
    del options
    with open_files(path) as files:
        members = files.matches(_POSITIONS)
        items = [
            Item(
                name=name,
                label=int(match[1]) - 1,
                subject=int(match[2]),
                repetition=int(match[3]),
                group=group,
                is_correct=match[4] is None,
                size=2 * files.sizes[name],  # its angles have about as many
            )
            for group, (name, match) in enumerate(members.items())
            if 1 <= int(match[1]) <= len(LABELS)
        ]
    if not items:
        raise TrainingDataError(
            f"{path} must hold files like 'Kinect/Positions/m01_s01_e01_positions.txt', found none.",
            remedy="Give the Kinect part of UI-PRMD.",
        )
    listed = {item.name for item in items}
    unknown = [Refusal(name, f"there is no movement above {len(LABELS)}") for name in members if name not in listed]
    return Listing(DESCRIPTION, tuple(items), tuple(unknown))


@contextmanager
def reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Opens the archive or folder; gives the function that reads one recording."""
    del options, description
    order = [SOURCE_JOINTS.index(SOURCE_OF[joint]) for joint in KINECT_V2_19.joints]
    with open_files(path) as files:

        def load(item: Item) -> Clip:
            angles_name = item.name.replace("/Positions/", "/Angles/").replace("_positions", "_angles")
            offsets_cm, angles_deg = _numbers(files, item.name), _numbers(files, angles_name)
            if offsets_cm.shape != angles_deg.shape:
                raise TrainingDataError(
                    f"{path}: '{item.name}' and its angles must have equally many lines, found {len(offsets_cm)} and "
                    f"{len(angles_deg)}."
                )
            joints = absolute_joints(offsets_cm, angles_deg)[:, None, order]
            return Clip(
                item=item,
                times_s=np.arange(len(joints)) / RATE_HZ,
                joints=joints,
                state=np.full(joints.shape[:3], TRACKED),
                floor=FLOOR,
            )

        yield load


def _numbers(files: Files, name: str) -> np.ndarray:
    """(F, 22, 3) numbers of one text file."""
    where = f"{files.path}: '{name}'"
    lines = files.read(name).decode("ascii", errors="replace").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = list(map(float, line.split(",")))
        except ValueError:
            row = []
        if len(row) != _COLUMNS:
            raise TrainingDataError(f"{where} must have {_COLUMNS} numbers a line, but line {number} has not.")
        rows.append(row)
    table = np.array(rows, dtype=np.float64).reshape(-1, len(SOURCE_JOINTS), 3)
    if len(table) < 2 or not np.isfinite(table).all():
        raise TrainingDataError(f"{where} must hold at least two lines of finite numbers.")
    return table


DESCRIPTION = Description(
    name="ui-prmd",
    layout=KINECT_V2_19,
    labels=LABELS,
    license="ODC PDDL 1.0 (public domain)",
)
UI_PRMD = DataSet(
    name=DESCRIPTION.name,
    title="UI-PRMD, ten rehabilitation exercises (Kinect part)",
    source="the zip file as downloaded, or its folder",
    look=look,
    reader=reader,
    description=DESCRIPTION,
)
