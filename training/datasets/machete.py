"""Machete, the Kinect training gestures: 17 gestures by ten people, five times each.

Taranta, Pittman, Maghoumi, Maslych, Moolenaar, LaViola: "Machete: Easy, Efficient, and Precise Continuous Custom
Gesture Segmentation", ACM TOCHI 28(1), 2021; https://github.com/ISUE/Machete. Binary files; the recorder polled three
times faster than the sensor delivers and stored a poll without a new frame as zeros, which are dropped here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2_21, TRACKED
from training.datasets.archive import open_files
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions, Refusal

LABELS = (
    "backflip",
    "cartwheel_left",
    "cartwheel_right",
    "duck",
    "fly_eagle",
    "golf_swing",
    "hook_left",
    "hook_right",
    "kick_left",
    "kick_right",
    "left_right_left_combo",
    "push",
    "right_left_right_combo",
    "sidekick_left",
    "sidekick_right",
    "uppercut_left",
    "uppercut_right",
)
MIRRORED = (
    ("cartwheel_left", "cartwheel_right"),
    ("hook_left", "hook_right"),
    ("kick_left", "kick_right"),
    ("left_right_left_combo", "right_left_right_combo"),
    ("sidekick_left", "sidekick_right"),
    ("uppercut_left", "uppercut_right"),
)
_MEMBER = re.compile(r"(?:^|/)Sub_u(\d{3})/([a-z_]+)/ex_(\d)_[a-z]+$")
_VALUES = 3 * len(KINECT_V2_21)


def parse(content: bytes, *, where: str) -> tuple[str, np.ndarray, np.ndarray]:
    """Reads one file.

    Args:
        content: The bytes of the file.
        where: Its name, for messages.

    Returns:
        The gesture's name, times (F,) float64 seconds from 0 and joints (F, 21, 3) float32 meters, without the
        all-zero frames.

    Raises:
        TrainingDataError: The bytes are not such a file.
    """

    def problem(text: str) -> TrainingDataError:
        return TrainingDataError(f"{where}: {text}.", remedy="Download the archive again.")

    if len(content) < 1 or len(content) < 1 + content[0] + 12:
        raise problem(f"the file must begin with a name and three numbers, but has only {len(content)} bytes")
    header = 1 + content[0]
    name = content[1:header].decode("ascii", errors="replace")
    _, frames, values = struct.unpack_from("<3i", content, header)
    expected = header + 12 + 4 * frames * values + 4 + 4 * frames
    if values != _VALUES or frames < 0 or len(content) != expected:
        raise problem(
            f"the file must hold {_VALUES} values a frame and {expected} bytes for its {frames} frames, found "
            f"{values} values and {len(content)} bytes"
        )
    joints = np.frombuffer(content, "<f4", frames * values, header + 12).reshape(frames, -1, 3)
    (stamps,) = struct.unpack_from("<i", content, header + 12 + 4 * frames * values)
    times_s = np.frombuffer(content, "<f4", frames, len(content) - 4 * frames).astype(np.float64)
    if stamps != frames:
        raise problem(f"the file must have one time stamp for each of its {frames} frames, found {stamps}")
    is_new = joints.any(axis=(1, 2))
    joints, times_s = joints[is_new], times_s[is_new]
    if len(times_s) < 2 or not np.isfinite(joints).all() or not (np.diff(times_s) > 0).all():
        raise problem("the file must hold at least two frames of finite numbers with increasing times")
    return name, times_s - times_s[0], joints


def look(path: Path, options: NoOptions) -> Listing:
    """Lists the 850 recordings of the archive or folder, sorted by path.

    Raises:
        TrainingDataError: Not Machete.
    """
    del options
    with open_files(path) as files:
        members = files.matches(_MEMBER)
        items = [
            Item(
                name=name,
                label=LABELS.index(match[2]),
                subject=int(match[1]),
                repetition=int(match[3]),
                group=group,
                size=files.sizes[name],
            )
            for group, (name, match) in enumerate(members.items())
            if match[2] in LABELS
        ]
    if not items:
        raise TrainingDataError(
            f"{path} must hold files like 'Sub_u015/backflip/ex_0_moderate', found none.",
            remedy="Give the folder datasets/kinect/training of Machete, or a zip archive of it.",
        )
    unknown = [
        Refusal(name, f"'{match[2]}' is no gesture") for name, match in members.items() if match[2] not in LABELS
    ]
    return Listing(DESCRIPTION, tuple(items), tuple(unknown))


@contextmanager
def reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Opens the archive or folder; gives the function that reads one recording."""
    del options, description
    with open_files(path) as files:

        def load(item: Item) -> Clip:
            where = f"{path}: '{item.name}'"
            gesture, times_s, joints = parse(files.read(item.name), where=where)
            if gesture != LABELS[item.label]:
                raise TrainingDataError(f"{where} must hold the gesture of its folder, found '{gesture}'.")
            state = np.full((len(joints), 1, len(KINECT_V2_21)), TRACKED)
            return Clip(item=item, times_s=times_s, joints=joints[:, None], state=state)

        yield load


DESCRIPTION = Description(
    name="machete",
    layout=KINECT_V2_21,
    labels=LABELS,
    mirrored_labels=MIRRORED,
    license="MIT, for academic and research purposes",
)
MACHETE = DataSet(
    name=DESCRIPTION.name,
    title="Machete, 17 full-body gestures (Kinect training part)",
    source="the folder datasets/kinect/training, or a zip of it",
    look=look,
    reader=reader,
    description=DESCRIPTION,
)
