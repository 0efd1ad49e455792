"""NTU RGB+D files of bodies that a test describes: which id stands where in which frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BIG = 72057594037931104
"""Such ids are above 2**53: as floats, BIG and BIG + 1 are one number."""
assert float(BIG) == float(BIG + 1)


def body(*, x_m: float = 0.0, width_m: float = 0.5) -> np.ndarray:
    """(25, 3) meters: somebody 1.5 m tall at 3 m."""
    share = np.linspace(0, 1, 25)
    return np.stack([x_m + width_m * (share - 0.5), 1.5 * share - 0.8, np.full(25, 3.0)], axis=1)


def text(frames: Sequence[Mapping[int, np.ndarray]], *, repeat: int = 0) -> bytes:
    """The file of these frames: id -> (25, 3) meters; the body ``repeat`` stands twice in each of its frames."""
    lines = [f"{len(frames)}"]
    for frame in frames:
        bodies = [row for row in frame.items() for _ in range(1 + (row[0] == repeat))]
        lines.append(f"{len(bodies)}")
        for identity, joints in bodies:
            lines += [f"{identity} 0 1 1 1 1 0 0.02 0.05 2", "25"]
            lines += [f"{x:.7g} {y:.7g} {z:.7g} 1 2 3 4 0.1 0.2 0.3 0.4 2" for x, y, z in joints.tolist()]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def walk(
    frames: int, *, identity: int = BIG, step_m: float = 0.01, width_m: float = 0.5
) -> list[dict[int, np.ndarray]]:
    """Frames of one body that goes sideways."""
    return [{identity: body(x_m=step_m * frame, width_m=width_m)} for frame in range(frames)]


def together(*tracks: Sequence[Mapping[int, np.ndarray]]) -> list[dict[int, np.ndarray]]:
    """Frames with the bodies of all tracks, as long as the longest."""
    longest = max(map(len, tracks))
    return [
        {identity: joints for track in tracks if frame < len(track) for identity, joints in track[frame].items()}
        for frame in range(longest)
    ]
