"""What is installed, against what requirements-app.txt pins. Standard library only: numpy may be what lacks."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-app.txt"
INSTALL = "Run 'pip install -r requirements-app.txt'."
LINE = re.compile(
    r"""(?P<name>[\w.-]+)==(?P<pinned>[\w.+-]+)\s*
        (;\s*(?P<variable>\w+)\s*(?P<relation>==|!=|<|>=)\s*"(?P<value>[^"]*)")?""",
    re.VERBOSE,
)
"""A pin, and the one condition it may have."""
SAME_MODULES = {
    "onnxruntime-gpu": ("onnxruntime", "onnxruntime-directml", "onnxruntime-openvino"),
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
"""Packages that bring the same modules under other names."""


class Package(NamedTuple):
    """One package that the app wants.

    Attributes:
        name: As it is installed, or as it is pinned where it is not.
        pinned: The version that was tested.
        installed: The version that is there; empty where none is.
    """

    name: str
    pinned: str
    installed: str


def packages(requirements: Path = REQUIREMENTS) -> list[Package]:
    """Returns the packages that ``requirements`` pins for this system and Python, in its order.

    Raises:
        OSError: The file is not there.
        ValueError: A line that is no pin.
    """
    found = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        pin = LINE.fullmatch(text)
        if pin is None:
            raise ValueError(f"{requirements.name} must hold pins such as 'numpy==2.2.6', found '{text}'")
        if _applies(pin["variable"], pin["relation"], pin["value"]):
            found.append(_package(pin["name"], pin["pinned"]))
    return found


def _package(name: str, pinned: str) -> Package:
    for candidate in (name, *SAME_MODULES.get(name, ())):
        try:
            return Package(candidate, pinned, str(metadata.version(candidate)))
        except metadata.PackageNotFoundError:
            continue
    return Package(name, pinned, "")


def _applies(variable: str | None, relation: str, value: str) -> bool:
    """Whether a pin's condition holds here."""
    if variable is None:
        return True
    if variable == "python_version":
        here, there = sys.version_info[:2], tuple(int(part) for part in value.split("."))
        return {"==": here == there, "!=": here != there, "<": here < there, ">=": here >= there}[relation]
    if variable == "sys_platform" and relation in ("==", "!="):
        return (sys.platform == value) == (relation == "==")
    raise ValueError(f"a pin's condition must be on sys_platform or python_version, found {variable} {relation}")
