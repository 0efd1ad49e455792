"""Makes a tree of UESTC files that nobody recorded: real names, realistic lengths, and a movement for every action.

Names are taken evenly from 40 actions x 118 people x directions 1-8 x cameras 1-2. Directions turn the person by 45
degrees each, a camera 1 sees everybody from in front. Every second file is a MATLAB file, as in the second form in
which the set is given out. ``python -m benchmarks.uestc_tree FOLDER COUNT`` writes one.
"""

from __future__ import annotations

import struct
import sys
import zlib
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.ntu_tree import STANDING_M, flags, gesture
from skeleton import command_line

MEAN_FRAMES, LONGEST, SHORTEST = 180, 600, 60
SPREAD = 0.3
"""Of the logarithm of the length."""
VARYING_FRAMES = 57 * 30
"""Of a recording of the moving camera, direction 8."""
RATE_HZ = 30


def names(count: int) -> list[str]:
    """Returns ``count`` names, sorted by action: every action, direction, camera and most people among them."""
    known = list(product(range(40), range(1, 119), range(1, 9), (1, 2)))
    chosen = np.linspace(0, len(known) - 1, count).round().astype(int)
    return [
        f"a{action}_d{direction}_p{person:0{2 if action < 10 else 3}}_c{camera}"
        for action, person, direction, camera in (known[index] for index in chosen)
    ]


def write_tree(folder: Path, count: int, *, seed: int = 40) -> int:
    """Writes ``count`` files and returns how many frames they have."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    total = 0
    for number, name in enumerate(names(count)):
        action, direction, _, camera = (int(part[1:]) for part in name.split("_"))
        mean = MEAN_FRAMES if direction < 8 else VARYING_FRAMES
        turn_rad = 0.0 if camera == 1 else direction * np.pi / 4
        joints = _joints(random, action=action, turn_rad=turn_rad, mean_frames=mean)
        if number % 2:
            (folder / f"{name}_skeleton.mat").write_bytes(as_matrix(joints))
        else:
            (folder / f"{name}_skeleton.txt").write_bytes(as_text(joints))
        total += len(joints)
    return total


def as_text(joints: np.ndarray) -> bytes:
    """The text form of joints (F, 25, 3): three lines a joint, in meters, the color and the depth picture."""
    color = 960 + 1080 * joints[..., :2] / joints[..., 2:]
    depth = 256 + 365 * joints[..., :2] / joints[..., 2:]
    table = np.concatenate([joints, color, depth], axis=2)
    form = "%.6g %.6g %.6g 0\r\n%.6g %.6g 1\r\n%.6g %.6g 2\r\n"
    return "".join("#\r\n" + "".join(form % tuple(row) for row in frame) for frame in table.tolist()).encode("ascii")


def as_matrix(joints: np.ndarray) -> bytes:
    """The MATLAB form of joints (F, 25, 3): one packed matrix "v" of 75 columns (MAT-file format, level 5)."""
    columns = joints.reshape(len(joints), -1).astype("<f8")
    parts = [
        struct.pack("<IIII", 6, 8, 6, 0),  # flags: an array of doubles
        struct.pack("<IIii", 5, 8, *columns.shape),
        struct.pack("<II", 1, 1) + b"v".ljust(8, b"\0"),
        struct.pack("<II", 9, columns.nbytes) + columns.tobytes("F"),
    ]
    body = b"".join(parts)
    packed = zlib.compress(struct.pack("<II", 14, len(body)) + body)
    return (
        b"MATLAB 5.0 MAT-file".ljust(124)
        + struct.pack("<H", 0x0100)
        + b"IM"
        + struct.pack("<II", 15, len(packed))
        + packed
    )


def _joints(random: np.random.Generator, *, action: int, turn_rad: float, mean_frames: int) -> np.ndarray:
    """(F, 25, 3) meters."""
    mean = np.log(mean_frames) - SPREAD**2 / 2
    longest = LONGEST * mean_frames // MEAN_FRAMES
    frames = int(np.clip(random.lognormal(mean, SPREAD), SHORTEST, longest))
    pose = np.zeros((frames, 25, 3))
    pose[:, :, :2] = STANDING_M * random.uniform(0.9, 1.1)
    phase = 2 * np.pi * (random.uniform(0.4, 0.8) * np.arange(frames) / RATE_HZ + random.uniform())
    pose += np.sin(phase)[:, None, None] * gesture(100 + action)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    pose = pose @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    return pose + (random.uniform(-0.3, 0.3), 0.0, random.uniform(2.5, 3.5)) + random.normal(0, 0.004, pose.shape)


def main() -> int:
    """Writes a tree, and prints how large it is."""
    options = flags(__doc__).parse_args()
    return command_line.run(lambda: print(f"{write_tree(options.folder, options.count)} frames"), is_verbose=False)


if __name__ == "__main__":
    sys.exit(main())
