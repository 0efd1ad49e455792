"""Sign30: 30 words of Indian sign language by ten people, nine times each, whole bodies of a Kinect v1.

Roy, Bhattacharya, Roy, Pal: "Position and Rotation Invariant Sign Language Recognition from 3D Kinect Data with
Recurrent Neural Networks", arXiv 2010.12669. One ``.npz`` file holds all recordings. Repetitions 1 to 3 face the
sensor, 4 to 6 are turned by about 45 degrees, 7 to 9 by about 65: the set-up is 1, 2, 3 for these. The file has no
tracking states; a hand that the body hides is a guess of the sensor's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skeleton.errors import RecordingError, TrainingDataError
from skeleton.formats.npz import read_arrays
from skeleton.layout import KINECT_V1, TRACKED
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions

RATE_HZ = 30.0
"""The file has no time stamps; the sensor's rate."""
LABELS = (
    "afternoon", "baby", "big", "born", "bye", "calendar", "child", "cloud", "come", "daily", "dance", "dark", "day",
    "enjoy", "go", "hello", "home", "love", "my", "name", "no", "rain", "sorry", "strong", "study", "thankyou",
    "welcome", "wind", "yes", "you",
)  # fmt: skip
SOURCE_JOINTS = (
    "Head", "ShoulderCenter", "ShoulderLeft", "ShoulderRight", "ElbowLeft", "ElbowRight", "WristLeft", "WristRight",
    "HandLeft", "HandRight", "Spine", "HipCenter", "HipLeft", "HipRight", "KneeLeft", "KneeRight", "AnkleLeft",
    "AnkleRight", "FootLeft", "FootRight",
)  # fmt: skip
"""The order in the file; neither that of the Kinect v1 nor that of the Kinect v2."""
REPETITIONS_A_SETUP = 3
_FIELDS = {"xyz": "f4", "start": "i8", "length": "i4", "label": "i4", "subject": "i4"}


def look(path: Path, options: NoOptions) -> Listing:
    """Lists the recordings of the file.

    Raises:
        TrainingDataError: Not the file.
    """
    del options
    arrays = _arrays(path)
    starts, subjects, labels = arrays["start"], arrays["subject"].tolist(), arrays["label"].tolist()
    seen: dict[tuple[int, int], int] = {}
    items = []
    for index, (label, subject) in enumerate(zip(labels, subjects)):
        repetition = seen[label, subject] = seen.get((label, subject), 0) + 1
        items.append(
            Item(
                name=f"{LABELS[label]}/{subject}_{repetition}",
                label=label,
                subject=subject,
                repetition=repetition,
                group=index,
                setup=(repetition - 1) // REPETITIONS_A_SETUP + 1,
                size=int(arrays["length"][index]) * len(SOURCE_JOINTS) * 12,
                place=(int(starts[index]), int(starts[index] + arrays["length"][index])),
            )
        )
    return Listing(_DESCRIPTION, tuple(items))


@contextmanager
def reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Opens the file and gives the function that reads one recording."""
    del options, description
    xyz = _arrays(path)["xyz"]
    order = [SOURCE_JOINTS.index(joint) for joint in KINECT_V1.joints]

    def load(item: Item) -> Clip:
        first, end = (int(place) for place in item.place)
        joints = xyz[first:end, None, order]
        if len(joints) < 2 or not np.isfinite(joints).all():
            raise TrainingDataError(f"{path}: '{item.name}' must hold at least two frames of finite numbers.")
        return Clip(
            item=item,
            times_s=np.arange(len(joints)) / RATE_HZ,
            joints=joints,
            state=np.full(joints.shape[:3], TRACKED),
        )

    yield load


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_arrays(path)
    except RecordingError as error:
        raise TrainingDataError(error.message, remedy="Give the file sign30.npz.") from None
    problem = _problem(arrays)
    if problem:
        raise TrainingDataError(f"{path} must be the file sign30.npz, but {problem}.")
    return arrays


def _problem(arrays: dict[str, np.ndarray]) -> str:
    """What is wrong with the arrays, or an empty string."""
    for name, kind in _FIELDS.items():
        if name not in arrays or arrays[name].dtype != np.dtype(kind):
            return f"its '{name}' is missing or of another type"
    xyz, start, length = arrays["xyz"], arrays["start"], arrays["length"].astype(np.int64)
    if xyz.ndim != 3 or xyz.shape[1:] != (len(SOURCE_JOINTS), 3):
        return f"its joints must have shape (F, {len(SOURCE_JOINTS)}, 3), found {xyz.shape}"
    if len({arrays[name].shape for name in _FIELDS if name != "xyz"}) != 1 or start.ndim != 1 or not len(start):
        return "its recordings are not listed one by one"
    if (start < 0).any() or (length < 0).any() or (start > len(xyz)).any() or (start + length > len(xyz)).any():
        return "it names frames that are not there"
    if tuple(arrays.get("label_names", np.array([])).tolist()) != LABELS:
        return "its words are others"
    if not np.isin(arrays["label"], range(len(LABELS))).all() or (arrays["subject"] < 0).any():
        return "a word or a person has an impossible number"
    return ""


_DESCRIPTION = Description(
    name="sign30",
    layout=KINECT_V1,
    labels=LABELS,
    license="MIT on the repository that holds the data; not certain that it was meant for the data",
)

SIGN30 = DataSet(
    name="sign30",
    title="30 words of Indian sign language (Kinect v1, 20 joints)",
    source="the file sign30.npz",
    look=look,
    reader=reader,
    description=_DESCRIPTION,
)
