"""A real X server without a screen, on a display number that nobody uses."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

from app.preflight import find_display


def has_virtual_display() -> bool:
    """Whether Xvfb is installed."""
    return shutil.which("Xvfb") is not None


@contextlib.contextmanager
def virtual_display(size: str = "1280x800x24") -> Iterator[str]:
    """Starts Xvfb, which picks a free number itself, and gives the display's name once it answers."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            name = f":{answer.readline().strip()}"
        assert find_display({"DISPLAY": name}).is_open, f"Xvfb does not answer on {name}"
        yield name
    finally:
        server.terminate()
        server.wait(60)
