"""``python run_app.py --check``: a table of what the app needs and what this computer has.

A row is printed as soon as it is known, because the sensor takes seconds to answer. Nothing is asked of Qt but
whether it can be loaded, so the table comes where a window cannot.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from app import preflight
from app.packages import INSTALL, Package, packages
from skeleton.errors import AppError, ModelError, SourceError

if TYPE_CHECKING:  # numpy may be what is missing
    from live.recognizer import Recognizer
    from live.sources.base import Source
    from skeleton.frames import BodyFrame

NEWEST_PYTHON = (3, 13)
"""The newest one that was tried; an older one than 3.10 does not come so far."""
DEMO_PACKAGES = ("numpy", "opencv", "PyQt5", "onnxruntime")
"""Beginnings of the names without which not even the demo starts."""
PEOPLE = (1, 6)
RUNS = 15
"""Timed runs of the model, of which the median counts; the first of each size was made before."""
LISTEN_S = 2.0
READ_S = 0.1
SLOWEST_SHARE = 0.9
"""Of the frames that a sensor should send."""
USB = (
    "Plug the sensor into a USB 3 port of its own (Intel or Renesas controller) and close other programs that use it."
)
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
FONT_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb"}


class State(Enum):
    """What was found."""

    OK = "ok"
    WARNING = "warning"  # there, but not as it should be
    MISSING = "missing"
    NOT_HERE = "not here"  # not to be had on this computer, or not asked for; nothing to repair


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What was looked for.
        state: What was found.
        detail: The finding in words: a version, a rate, a reason.
        remedy: What helps; may be empty.
        is_needed: Whether the app cannot start without it.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""
    is_needed: bool = False


def print_check(model: Path, *, provider: str = "auto") -> int:
    """Prints the table; returns 0 when the app would start here, be it with the demo, and 1 when not."""
    rows = []
    for row in examine(model, provider=provider):
        print("\n".join(_lines(row)), flush=True)
        rows.append(row)
    print(f"\n{conclusion(rows)}")
    return int(bool(_obstacles(rows)))


def examine(
    model: Path,
    *,
    provider: str = "auto",
    make_kinect: Callable[[], Source] | None = None,
    listen_s: float = LISTEN_S,
) -> Iterator[Row]:
    """Yields the rows; the last ones come late where a sensor is plugged in.

    Args:
        model: The model file that the app would load.
        provider: "auto", "cuda" or "cpu".
        make_kinect: Makes the source to listen to; None is the app's own.
        listen_s: How long body frames are counted, seconds.
    """
    yield _python()
    yield from map(_package_row, packages())
    yield from _recognition(model, provider)
    yield from _window()
    yield from _kinect(make_kinect, listen_s)


def conclusion(rows: Iterable[Row]) -> str:
    """Returns the sentence below the table."""
    rows = list(rows)
    obstacles = _obstacles(rows)
    if obstacles:
        return f"The app cannot start here: {', '.join(obstacles)}."
    has_sensor = any(row.name == "body frames" and row.state in (State.OK, State.WARNING) for row in rows)
    return "The app starts here" + (", with the Kinect." if has_sensor else ": recordings and the demo, no Kinect.")


def _obstacles(rows: Iterable[Row]) -> list[str]:
    return [row.name for row in rows if row.is_needed and row.state is State.MISSING]


def _lines(row: Row) -> list[str]:
    indent = " " * 34
    lines = [f"{row.name:23} {row.state.value:9} {row.detail}"]
    return lines + ([f"{indent}{row.remedy}"] if row.remedy and row.state is not State.OK else [])


def _python() -> Row:
    bits = 64 if sys.maxsize > 2**32 else 32
    detail = f"{platform.python_version()}, {bits} bits, on {platform.system()} {platform.release()}"
    if sys.version_info[:2] > NEWEST_PYTHON:
        return Row("Python", State.WARNING, detail, "3.10 to 3.13 were tested.")
    return Row("Python", State.OK, detail)


def _package_row(package: Package) -> Row:
    name, pinned, installed = package
    if not installed:
        return Row(name, State.MISSING, f"{pinned} is pinned", INSTALL, is_needed=name.startswith(DEMO_PACKAGES))
    if installed != pinned:
        return Row(name, State.WARNING, f"{installed}, but {pinned} is pinned and was tested", INSTALL)
    return Row(name, State.OK, installed)


def _recognition(model: Path, provider: str) -> Iterator[Row]:
    """The model, the graphics card and the time of an inference."""
    try:
        from live.recognizer import Recognizer

        recognizer = Recognizer(model, provider=provider)
    except ImportError as error:
        yield Row("model", State.MISSING, f"not tried: {error}", INSTALL, is_needed=True)
        return
    except AppError as error:
        yield Row("model", State.MISSING, error.message, error.remedy, is_needed=True)
        return
    yield _model_row(recognizer)
    yield _graphics_row(recognizer, provider)
    times = " and ".join(
        f"{_inference_ms(recognizer, people):.1f} ms for {people} {'person' if people == 1 else 'people'}"
        for people in PEOPLE
    )
    yield Row("inference", State.OK, f"{times} on the {recognizer.provider}")


def _model_row(recognizer: Recognizer) -> Row:
    from live.engine import fitting_joints
    from skeleton.layout import KINECT_V2

    card = recognizer.card
    detail = (
        f"{recognizer.file}: {len(card.actions)} actions, {len(card.joints)} joints of {card.layout}, "
        f"{card.frames} frames over {card.span_s:g} s"
    )
    try:
        fitting_joints(card, KINECT_V2)
    except ModelError as error:
        return Row("model", State.WARNING, detail, str(error))
    return Row("model", State.OK, detail)


def _graphics_row(recognizer: Recognizer, provider: str) -> Row:
    from live.recognizer import CUDA_REMEDY

    if recognizer.provider == "CUDA":
        return Row("graphics card", State.OK, "CUDA runs the model")
    if provider == "cpu":
        return Row("graphics card", State.NOT_HERE, "not asked for, because of --provider cpu")
    return Row(
        "graphics card", State.NOT_HERE, recognizer.warning or "CUDA is not used", f"Not needed. {CUDA_REMEDY}"
    )


def _inference_ms(recognizer: Recognizer, people: int) -> float:
    """Median time of one run for so many people."""
    import numpy as np

    from skeleton.window import Window

    card = recognizer.card
    joints = np.random.default_rng(people).normal(size=(1, card.frames, len(card.joints), 3)).astype(np.float32)
    seen = np.ones(joints.shape[:-1], dtype=bool)
    windows = [Window(body_ids=(person,), end_s=0.0, joints=joints, seen=seen) for person in range(people)]
    recognizer.recognize(windows)
    times_s = []
    for _ in range(RUNS):
        start_s = time.perf_counter()
        recognizer.recognize(windows)
        times_s.append(time.perf_counter() - start_s)
    return float(np.median(times_s)) * 1e3


def _window() -> Iterator[Row]:
    """Display, system libraries, Qt and fonts: what a window needs, or a video where no window is possible."""
    display = preflight.find_display()
    if display.is_open:
        name = display.name or display.platform or "the system's own"
        yield Row("display", State.OK, name)
    elif display.name:
        remedy = "Set DISPLAY to a running X server, or add --headless to render into a video."
        yield Row(
            "display", State.MISSING, f"'{display.name}' does not open: {display.reason}", remedy, is_needed=True
        )
    else:
        yield Row("display", State.NOT_HERE, f"{display.reason}: the app renders a video instead of a window")
    yield from _qt(display)
    if sys.platform.startswith("linux"):
        yield _fonts()


def _qt(display: preflight.Display) -> Iterator[Row]:
    lacking = preflight.missing_libraries((display.platform or "xcb") if display.is_open else "offscreen")
    if lacking:
        remedy = preflight.install_command(lacking)
        yield Row("system libraries", State.MISSING, ", ".join(lacking), remedy, is_needed=True)
        return
    if sys.platform.startswith("linux"):
        yield Row("system libraries", State.OK, "all that Qt links against")
    try:
        from PyQt5 import QtCore, QtWidgets

        del QtWidgets
    except ImportError as error:
        yield Row("Qt", State.MISSING, f"cannot be loaded: {error}", INSTALL, is_needed=True)
        return
    yield Row("Qt", State.OK, f"{QtCore.qVersion()} can be loaded")


def _fonts() -> Row:
    for folder in FONT_FOLDERS:
        if any(file.suffix.lower() in FONT_SUFFIXES for file in Path(folder).expanduser().rglob("*")):
            return Row("fonts", State.OK, f"in {folder}")
    command = preflight.install_command([preflight.FONT_PACKAGE])
    return Row("fonts", State.MISSING, "none found, so texts cannot be drawn", command)


def _kinect(make_source: Callable[[], Source] | None, listen_s: float) -> Iterator[Row]:
    """The Kinect's runtime, the sensor, its bodies and its pictures; the first that fails is the last to be asked."""
    try:
        from live.sources import kinect_v2
        from live.sources.table import SOURCES, SourceOptions
    except ImportError as error:
        yield Row("Kinect runtime", State.NOT_HERE, f"not tried: {error}", INSTALL)
        return
    if kinect_v2.SYSTEM != "Windows":
        for name in ("Kinect runtime", "sensor", "body frames"):
            yield Row(name, State.NOT_HERE, f"not Windows ({kinect_v2.SYSTEM})")
        return
    source = (make_source or (lambda: SOURCES["kinect"](SourceOptions())))()
    name = "Kinect runtime"
    try:
        kinect_v2.load_binding()
        yield Row(name, State.OK, "Kinect20.dll is there, and pykinect2 can be used")
        name = "sensor"
        info = source.open()
        has_map = "maps joints to its color picture" if info.color_map else "gives no color map yet"
        yield Row(name, State.OK, f"{info.name} answers and {has_map}")
        name = "body frames"
        yield from _frames(source, listen_s, wanted_hz=info.rate_hz)
    except SourceError as error:
        yield Row(name, State.MISSING, error.message, error.remedy)
    finally:
        source.close()


def _frames(source: Source, listen_s: float, *, wanted_hz: float) -> Iterator[Row]:
    """Counts what comes in the seconds after the first body frame."""
    while (first := source.read(READ_S)) is None:
        continue  # read raises SourceLost when none comes
    frames: list[BodyFrame] = []
    picture, pictures, end_s = source.color(), 0, time.perf_counter() + listen_s
    while time.perf_counter() < end_s:
        frame = source.read(READ_S)
        if frame is not None:
            frames.append(frame)
        newest = source.color()
        if newest is not picture:
            picture, pictures = newest, pictures + 1
    # The first one may have waited a while to be read, and those behind it with it.
    elapsed_s = time.perf_counter() - first.arrival_s
    rate_hz = len(frames) / elapsed_s
    people = max(len(frame.bodies) for frame in [first, *frames])
    floor = "floor in view" if any(frame.floor for frame in frames) else "no floor in view"
    detail = f"{rate_hz:.1f} a second over {listen_s:g} s, {source.frames_lost} lost, {people} in view, {floor}"
    is_slow = rate_hz < SLOWEST_SHARE * wanted_hz
    yield Row("body frames", State.WARNING if is_slow else State.OK, detail, USB)
    if picture is None:
        yield Row("color pictures", State.MISSING, f"none came in {listen_s:g} s", USB)
    else:
        size = f"{picture.shape[1]} x {picture.shape[0]}"
        yield Row("color pictures", State.OK, f"{size}, {pictures / elapsed_s:.1f} a second")
