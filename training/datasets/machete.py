"""Machete, the Kinect training gestures: 17 gestures by ten people, five times each.

Taranta, Pittman, Maghoumi, Maslych, Moolenaar, LaViola: "Machete: Easy, Efficient, and Precise Continuous Custom
Gesture Segmentation", ACM TOCHI 28(1), 2021; https://github.com/ISUE/Machete. Binary files; the recorder polled three
times faster than the sensor delivers and stored a poll without a new frame as zeros, which are dropped here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.layout import KINECT_V2_21, TRACKED
from training.datasets.archive import open_archive
from training.datasets.base import Clip, DataSet

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


def read(path: Path) -> Iterator[Clip]:
    """Yields the 850 clips of the archive, sorted by path.

    Raises:
        TrainingDataError: Not the archive, or a file in it that is damaged.
    """
    with open_archive(path) as archive:
        members = archive.matches(_MEMBER)
        if not members:
            raise TrainingDataError(
                f"{path} must hold files like 'Sub_u015/backflip/ex_0_moderate', found none.",
                remedy="Give the folder datasets/kinect/training of Machete as a zip archive.",
            )
        for group, (name, match) in enumerate(members.items()):
            gesture, times_s, joints = parse(archive.read(name), where=f"{path}: '{name}'")
            if gesture != match[2] or gesture not in LABELS:
                raise TrainingDataError(f"{path}: '{name}' must hold the gesture of its folder, found '{gesture}'.")
            yield Clip(
                label=LABELS.index(gesture),
                subject=int(match[1]),
                repetition=int(match[3]),
                times_s=times_s,
                joints=joints[:, None],
                state=np.full((len(joints), 1, len(KINECT_V2_21)), TRACKED),
                group=group,
            )


MACHETE = DataSet(
    name="machete",
    title="Machete, 17 full-body gestures (Kinect training part)",
    layout=KINECT_V2_21,
    labels=LABELS,
    read=read,
    mirrored_labels=MIRRORED,
    license="MIT, for academic and research purposes",
)
