"""Time from starting the process to the first painted body frame, under Xvfb: the demo with the usual model.

    python -m benchmarks.startup [--runs N]

The clock starts before Python does. The app writes the time of the end of its first ``paintEvent`` that had a body
frame to show into the file that ``KAR_FIRST_PAINT`` names. The first run is cold (files not yet in memory) only
right after a restart of the machine. Aim on two cores: 1.5 s.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe
from skeleton import command_line
from skeleton.errors import AppError
from tests.app.display import virtual_display

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> int:
    """Prints every run and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=command_line.positive, default=5, metavar="N")
    options = parser.parse_args()
    return command_line.run(lambda: _measure(options.runs), is_verbose=False)


def _measure(runs: int) -> None:
    print(describe())
    with virtual_display() as display, tempfile.TemporaryDirectory() as folder:
        times_s = [first_paint_s(display, Path(folder) / f"{run}") for run in range(runs)]
    print("first painted frame after", ", ".join(f"{time_s:.2f}" for time_s in times_s), "s")
    print(f"median {statistics.median(times_s):.2f} s")


def first_paint_s(display: str, note: Path) -> float:
    """Starts the app, waits until it has closed itself, and returns when it first painted, seconds."""
    environment = {**os.environ, "DISPLAY": display, "KAR_FIRST_PAINT": str(note)}
    command = [sys.executable, "run_app.py", "--source", "demo", "--duration", "4"]
    began = time.time()
    code = subprocess.run(command, cwd=REPOSITORY, env=environment, check=False, stdout=subprocess.DEVNULL).returncode
    if code:
        raise AppError(f"The app must end with exit code 0, but ended with {code}.")
    return float(note.read_text(encoding="utf-8")) - began


if __name__ == "__main__":
    sys.exit(main())
