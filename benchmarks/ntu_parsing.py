"""Times the NTU reader against a plain line-by-line parser: ``python -m benchmarks.ntu_parsing``.

The file is a synthetic 100-frame recording of one person with 7 significant digits per number, as NTU RGB+D has
(about 260 kB). The plain parser does the least that such a parser can: it splits each line, turns each cell into a
float and makes one array per body; it checks nothing. The reader's time includes all its checks. "with frames" also
builds every body frame, which the reader otherwise does when a frame is asked for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import machine
from skeleton import command_line
from skeleton.formats import ntu

FRAMES = 100
ENDS = [3, 15, 19, 21, 22, 23, 24]
"""Head, feet, hand tips and thumbs: the sensor gives the ends of limbs no orientation."""
REPETITIONS = 200


def main() -> int:
    """Prints the machine, the best time of each parser, and their ratio (the aim is at most 0.5)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    return command_line.run(_measure, is_verbose=False)


def _measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "S001C001P001R001A001.skeleton"
        path.write_bytes(synthetic_file().encode())
        plain_s, reader_s, frames_s = best_times_s(
            lambda: plain_parse(path),
            lambda: ntu.read(path),
            lambda: list(ntu.read(path).frames),
        )
        print(f"machine      {machine.describe()}")
        print(f"file         {FRAMES} frames, {path.stat().st_size / 1000:.0f} kB; best of {REPETITIONS}, in turns")
        print(f"plain        {plain_s * 1e3:6.2f} ms")
        for name, time_s in (("reader", reader_s), ("with frames", frames_s)):
            print(f"{name:12} {time_s * 1e3:6.2f} ms   {time_s / plain_s:.2f} of plain")


def synthetic_file() -> str:
    """Returns the text of a one-body NTU file with Windows line ends."""
    random = np.random.default_rng(60)
    lines = [str(FRAMES)]
    for _ in range(FRAMES):
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
        position = random.uniform(-1, 1, (25, 3)) + (0, 0, 3)
        pixels = random.uniform(100, 400, (25, 2)), random.uniform(200, 900, (25, 2))
        orientation = random.uniform(-1, 1, (25, 4))
        orientation[ENDS] = 0
        rows = np.hstack([position, *pixels, orientation])
        lines += [" ".join(f"{value:.7g}" for value in row) + " 2" for row in rows]
    return "\r\n".join(lines) + "\r\n"


def plain_parse(path: Path) -> list[list[tuple[list[float], np.ndarray]]]:
    """The line-by-line parser that the reader is measured against."""
    with path.open(encoding="ascii") as file:
        frames = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                identity, *rest = file.readline().split()
                facts = [int(identity), *map(float, rest)]
                joints = [[float(cell) for cell in file.readline().split()] for _ in range(int(file.readline()))]
                bodies.append((facts, np.array(joints, dtype=np.float32)))
            frames.append(bodies)
    return frames


def best_times_s(*works: Callable[[], object]) -> list[float]:
    """Returns each work's shortest run, the one disturbed least; in turns, so that all meet the same load."""
    best = [float("inf")] * len(works)
    for _ in range(REPETITIONS):
        for place, work in enumerate(works):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.exit(main())
