"""Makes a tree of NTU RGB+D files that nobody recorded: real names, realistic lengths, digits and bodies.

Names are taken evenly from S001..S017 x cameras 1-3 x people 1-40 x repetitions 1-2 x actions 1-60, but for the
published list of missing files, which CTR-GCN's list of names leaves out as well. Lengths follow a
log-normal with the published mean of about 84 frames, 300 at most. The two-person actions (50-60) show two people; a
tenth of the other files has a second body as the tracker makes them up: a few frames long, or as wide as a table. In
some files nobody is in the first frames, or a person returns under another id. Numbers have seven digits, as the real
ones. Every action is a movement of its own, so that a network has something to learn. ``python -m benchmarks.ntu_tree
FOLDER COUNT`` writes one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from skeleton import command_line
from training.datasets.ntu_names import INCOMPLETE

MEAN_FRAMES, LONGEST, SHORTEST = 84, 300, 26
SPREAD = 0.42
"""Of the logarithm of the length."""
TWO_PERSON_ACTIONS = range(50, 61)
ENDS = [3, 15, 19, 21, 22, 23, 24]
"""Head, feet, hand tips and thumbs: the sensor gives the ends of limbs no orientation."""
FIRST_ID = 72057594037931101
STANDING_M = np.array(
    [
        (0, -0.3), (0, 0), (0, 0.3), (0, 0.45), (-0.17, 0.2), (-0.22, -0.05), (-0.25, -0.25), (-0.25, -0.32),
        (0.17, 0.2), (0.22, -0.05), (0.25, -0.25), (0.25, -0.32), (-0.08, -0.3), (-0.1, -0.7), (-0.1, -1.05),
        (-0.1, -1.1), (0.08, -0.3), (0.1, -0.7), (0.1, -1.05), (0.1, -1.1), (0, 0.24), (-0.25, -0.4), (-0.22, -0.33),
        (0.25, -0.4), (0.22, -0.33),
    ]
)  # fmt: skip


def names(count: int) -> list[str]:
    """Returns ``count`` names of NTU RGB+D 60, sorted: every set-up, camera, person and action among them."""
    known = [
        (setup, camera, person, repetition, action)
        for setup in range(1, 18)
        for camera in (1, 2, 3)
        for person in range(1, 41)
        for repetition in (1, 2)
        for action in range(1, 61)
        if (setup, camera, person, repetition, action) not in INCOMPLETE
    ]
    chosen = np.linspace(0, len(known) - 1, count).round().astype(int)
    return ["S{:03}C{:03}P{:03}R{:03}A{:03}".format(*known[index]) for index in chosen]


def write_tree(folder: Path, count: int, *, seed: int = 60) -> tuple[int, int]:
    """Writes ``count`` files and returns how many frames and bytes they have."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    frames_total = bytes_total = 0
    for name in names(count):
        frames, text = _file(random, action=int(name[-3:]))
        path = folder / f"{name}.skeleton"
        path.write_bytes(text.encode("ascii"))
        frames_total += frames
        bytes_total += len(text)
    return frames_total, bytes_total


def _file(random: np.random.Generator, *, action: int) -> tuple[int, str]:
    mean = np.log(MEAN_FRAMES) - SPREAD**2 / 2
    frames = int(np.clip(random.lognormal(mean, SPREAD), SHORTEST, LONGEST))
    start = int(random.integers(1, 5)) if random.random() < 0.05 else 0
    bodies = [(FIRST_ID, start, frames, _person(random, frames, action))]
    if random.random() < 0.03:  # lost and found again: another id
        cut = frames // 2
        bodies = [(FIRST_ID, start, cut, bodies[0][3]), (FIRST_ID + 7, cut, frames, bodies[0][3])]
    if action in TWO_PERSON_ACTIONS:
        bodies.append((FIRST_ID + 1, start, frames, _person(random, frames, action) + np.array([0.9, 0, 0])))
    elif random.random() < 0.1:
        is_short = random.random() < 0.5
        end = min(frames, 8) if is_short else frames
        wide = _person(random, frames, action) * (np.array([1, 1, 1]) if is_short else np.array([4, 0.3, 1]))
        bodies.append((FIRST_ID + 3, 0, end, wide))
    return frames, _text(random, frames, bodies)


def gesture(number: int) -> np.ndarray:
    """Returns (25, 3) meters: how far each joint goes in movement ``number``; another for every number."""
    return np.random.default_rng(number).normal(0, 0.08, (25, 3))


def _person(random: np.random.Generator, frames: int, action: int) -> np.ndarray:
    """(F, 25, 3) meters: somebody who sways and moves as the action is, with the sensor's noise."""
    time = np.arange(frames) / 30
    pose = np.zeros((frames, 25, 3))
    pose[:, :, :2] = STANDING_M
    pose += np.sin(2 * np.pi * random.uniform(0.3, 1.5) * time)[:, None, None] * gesture(action)
    pose[:, :, 0] += 0.05 * np.sin(time)[:, None]
    pose += (random.uniform(-0.5, 0.5), 0.0, random.uniform(2.2, 4.0))
    return pose + random.normal(0, 0.004, pose.shape)


def _text(random: np.random.Generator, frames: int, bodies: list[tuple[int, int, int, np.ndarray]]) -> str:
    blocks = {identity: _rows(random, joints) for identity, _, _, joints in bodies}
    lines = [str(frames)]
    for frame in range(frames):
        present = [identity for identity, start, end, _ in bodies if start <= frame < end]
        lines.append(str(len(present)))
        for identity in present:
            lines += [f"{identity} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25", *blocks[identity][frame]]
    return "\r\n".join(lines) + "\r\n"


def _rows(random: np.random.Generator, joints: np.ndarray) -> list[list[str]]:
    """Text of each joint line, by frame."""
    frames = len(joints)
    depth = 256 + 365 * joints[..., :2] / joints[..., 2:]
    color = 960 + 1080 * joints[..., :2] / joints[..., 2:]
    orientation = random.uniform(-1, 1, (frames, 25, 4))
    orientation[:, ENDS] = 0
    state = np.where(random.random((frames, 25, 1)) < 0.05, 1, 2)
    table = np.concatenate([joints, depth, color, orientation, state], axis=2).reshape(-1, 12)
    form = " ".join(["%.7g"] * 11) + " %d"
    texts = [form % tuple(row) for row in table.tolist()]
    return [texts[start : start + 25] for start in range(0, len(texts), 25)]


def main() -> int:
    """Writes a tree, and prints how large it is."""
    options = flags(__doc__).parse_args()

    def write() -> None:
        frames, size = write_tree(options.folder, options.count)
        print(f"{frames} frames, {size} bytes")

    return command_line.run(write, is_verbose=False)


def flags(description: str) -> argparse.ArgumentParser:
    """Returns the flags of a command that writes a tree."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to; it is made")
    parser.add_argument("count", metavar="COUNT", type=command_line.positive, help="files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
