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
from tests.app.display import virtual_display

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Prints every run and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
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
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    return float(note.read_text(encoding="utf-8")) - began


if __name__ == "__main__":
    main()
