"""One line that says what a number was measured on: processor, cores, load, versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np


def describe() -> str:
    """Returns such as "AMD EPYC 7B13, 2 cores, load 0.3, Linux 6.1, Python 3.11.7, numpy 2.2.6"."""
    system = f"{platform.system()} {platform.release()}"
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{_processor()}, {os.cpu_count()} cores, load {load():.1f}, {system}, {versions}"


def load() -> float:
    """Returns how many programs wanted a core over the last minute; NaN where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
