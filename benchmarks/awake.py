"""Keeps the processor's cores awake while a benchmark runs: ``python -m benchmarks.awake benchmarks.long_run ...``.

The app works for 10 to 20 ms after each frame and then waits, thirty times a second. A core that falls asleep in
between wakes up slow: its clock has fallen, and on a rented machine the host has given it to somebody else. So one
program for each core turns in a circle, at a priority below everything else: whatever wants the core gets it at once.
Say it beside the numbers.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from skeleton import command_line
from skeleton.errors import ConfigError

TURNER = """
import os, sys, threading
if hasattr(os, "sched_setscheduler"):
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {int(sys.argv[1])})
elif hasattr(os, "nice"):
    os.nice(19)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
rest = getattr(os, "sched_yield", int)
while True:
    rest()
"""
"""Makes way at every turn, since Linux gives even the lowest priority a share now and then, of 4 ms at a time. Ends
when its standard input does: with the program that started it, however that one ends."""


@contextlib.contextmanager
def kept_awake() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keeps all cores awake that this program may use; gives the programs that do."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    turners = [
        subprocess.Popen(
            [sys.executable, "-c", TURNER, str(core)],
            stdin=subprocess.PIPE,
            creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),
        )
        for core in cores
    ]
    try:
        yield turners
    finally:
        for turner in turners:
            turner.kill()
            turner.communicate()


def main(arguments: list[str]) -> int:
    """Runs ``python -m`` with the arguments, and ends as that does."""
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError("The name of a benchmark must follow, such as benchmarks.long_run.")
    with kept_awake() as turners:
        print(f"{len(turners)} cores kept awake by programs of the lowest priority", flush=True)
        return subprocess.run([sys.executable, "-m", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(command_line.run(lambda: main(sys.argv[1:]), is_verbose=False))
