"""One line that says what a number was measured on: ``python -m benchmarks.machine`` prints it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skeleton import command_line

LOOKED_S, HELD_UP_S = 2.0, 0.002
"""A program that does nothing but look at the clock is held up when it misses so much of it."""
STEAL = 8
"""Word of the first line of /proc/stat."""


def describe() -> str:
    """Returns such as "AMD EPYC 7B13, 2 cores, load 0.3, held up 0.1% of the time, at most 3 ms, Linux 6.1, ..."."""
    system = f"{platform.system()} {platform.release()}"
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    share, longest_s = held_up()
    held = f"held up {share:.1%} of the time, at most {longest_s * 1e3:.0f} ms"
    return f"{_processor()}, {os.cpu_count()} cores, load {load():.1f}, {held}, {system}, {versions}"


def held_up(seconds: float = LOOKED_S, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """Returns for what share of the time this program stood still, and the longest time, seconds.

    Others on the same processor take it, of whom a virtual machine's own load says nothing. Where it is more than a
    percent, a latency that one frame in a hundred exceeds is theirs.
    """
    begin_s = last_s = clock()
    lost_s = longest_s = 0.0
    while last_s - begin_s < seconds:
        now_s = clock()
        step_s, last_s = now_s - last_s, now_s
        if step_s > HELD_UP_S:
            lost_s, longest_s = lost_s + step_s, max(longest_s, step_s)
    return lost_s / (last_s - begin_s), longest_s


def load() -> float:
    """Returns how many programs wanted a core over the last minute; NaN where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def stolen_s(statistics: Path = Path("/proc/stat")) -> float:
    """Returns for how long, since the start, the host had this virtual machine's cores elsewhere while they had work.

    Seconds of all cores together; 0 where the system does not tell.
    """
    if not statistics.is_file() or not hasattr(os, "sysconf"):
        return 0.0
    # cpu user nice system idle iowait irq softirq steal ...
    ticks = int(statistics.read_text(encoding="ascii").split(maxsplit=9)[STEAL])
    return ticks / os.sysconf("SC_CLK_TCK")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> int:
    """Prints the line."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    return command_line.run(lambda: print(describe()), is_verbose=False)


if __name__ == "__main__":
    sys.exit(main())
