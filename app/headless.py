"""The same picture into a video file, and the events into a table: no window, no display, the same on every run."""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PyQt5.QtCore import QRectF
from PyQt5.QtGui import QImage, QPainter

from app.event_file import write_events
from app.painting import ScenePainter
from app.presenter import Presenter, ended
from app.video_panel import paint_panel
from live.heat_kinds import DEFAULT_HEAT, HeatKind
from live.sources.color_video import opencv_can_name
from live.view import ActionEvent, PipelineView
from skeleton.errors import RecordingError
from skeleton.replacing import replacing

SIZE = (1280, 720)
PANEL_WIDTH = 296
PICTURE = QRectF(0, 0, SIZE[0] - PANEL_WIDTH, SIZE[1])
PANEL = QRectF(SIZE[0] - PANEL_WIDTH, 0, PANEL_WIDTH, SIZE[1])
"""The picture on the left, what the window's side panels say on the right."""
RATE_HZ = 30
CODEC = "mp4v"
LONGEST_STILL_S = 5.0
"""A gap in the recording is shown for at most so long: sensors pause, and files lie."""
LEAST_DISK = 32 << 20
"""Bytes. Rendering ends before the disk is full: the video's index is written last and needs some room."""
CHECK_EVERY = 60
PROGRESS_EVERY_S = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Rendered:
    """What came of it.

    Attributes:
        frames: Pictures in the video.
        source_s: Seconds of the source that were rendered: a gap as long as it is shown, a loop's passes together.
        position_s: Where the last picture is on the source's own clock, seconds since its first frame.
        events: Actions, those that went on at the end included.
        is_interrupted: Whether a signal ended it, such as Ctrl-C.
    """

    frames: int = 0
    source_s: float = 0.0
    position_s: float = 0.0
    events: list[ActionEvent] = field(default_factory=list)
    is_interrupted: bool = False

    @property
    def video_s(self) -> float:
        """Length of the video, seconds."""
        return self.frames / RATE_HZ


def render(
    views: Iterable[PipelineView],
    output: Path,
    *,
    events: Path | None = None,
    duration_s: float | None = None,
    speed: float = 1.0,
    progress: Callable[[str], None] | None = None,
    heat: HeatKind = DEFAULT_HEAT,
) -> Rendered:
    """Paints ``views`` into a video; a frame is shown from its own time until the next one's.

    Args:
        views: One for each frame of the source, such as ``live.offline.run`` yields.
        output: The video, replaced when it exists; what was rendered before Ctrl-C is kept.
        events: The table of events, or None.
        duration_s: Seconds of the source to render, gaps as long as they are shown; None is all of it.
        speed: The video is so many times as fast as the source.
        progress: Told about once a second how far it is.
        heat: What the joints' color says.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
        RecordingError: The video cannot be made, or the source holds no frame.
    """
    result = Rendered()
    with replacing(output) as temporary:
        with _Video(temporary) as video, contextlib.closing(_until_interrupted(views, result)) as source:
            try:
                presenter = Presenter(most_events=None)
                presenter.heat_kind = heat
                _render_all(source, video, result, presenter, duration_s=duration_s, speed=speed, progress=progress)
            except KeyboardInterrupt:
                result.is_interrupted = True
            video.repeat(1)  # the last frame lasts as long as one
            result.frames = video.count
        if not result.frames:
            raise RecordingError("There must be a frame to render, but the source gave none.")
        _check_video(temporary, result.frames, output)
    result.events = [ended(event, at_s=result.position_s) for event in result.events]
    if events is not None:
        write_events(events, result.events)
    return result


def _render_all(
    views: Iterator[PipelineView],
    video: _Video,
    result: Rendered,
    presenter: Presenter,
    *,
    duration_s: float | None,
    speed: float,
    progress: Callable[[str], None] | None,
) -> None:
    canvas = _Canvas()
    first_s: float | None = None
    last_s: float | None = None
    reported_s = 0.0
    for view in views:
        if view.frame is None:
            continue
        source_s = result.source_s + min(_step(last_s, view.frame.time_s), LONGEST_STILL_S)
        if duration_s is not None and source_s > duration_s:
            break
        last_s = view.frame.time_s
        first_s = last_s if first_s is None else first_s
        # The picture before this one stays until now; half a frame early is nearer than half a frame late.
        video.repeat(math.floor(source_s / speed * RATE_HZ + 0.5) - result.frames)
        result.source_s, result.position_s = source_s, last_s - first_s
        presenter.take(view)
        result.events = list(presenter.events)
        video.show(functools.partial(canvas.paint, presenter, view))
        result.frames = video.count
        if progress is not None and result.source_s - reported_s >= PROGRESS_EVERY_S:
            reported_s = result.source_s
            progress(_progress(result, view, duration_s))


def _step(last_s: float | None, now_s: float) -> float:
    """Seconds since the frame before; a recording that starts again goes on with the next picture."""
    if last_s is None:
        return 0.0
    return now_s - last_s if now_s > last_s else 1.0 / RATE_HZ


class _Canvas:
    """A picture in memory that Qt paints and OpenCV reads."""

    def __init__(self) -> None:
        width, height = SIZE
        self._image = QImage(width, height, QImage.Format_RGB32)
        memory = self._image.bits()
        memory.setsize(self._image.sizeInBytes())
        self._pixels = np.frombuffer(memory, np.uint8).reshape(height, width, 4)
        self._painter = ScenePainter()

    def paint(self, presenter: Presenter, view: PipelineView) -> np.ndarray:
        """Returns (height, width, 3) uint8 BGR."""
        painter = QPainter(self._image)
        self._painter.paint(painter, PICTURE, presenter.scene(view))
        paint_panel(painter, PANEL, presenter, view)
        painter.end()
        return cv2.cvtColor(self._pixels, cv2.COLOR_BGRA2BGR)


class _Video:
    """A video file being written: ``show`` says how to paint the picture, ``repeat`` paints it once and writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._paint: Callable[[], np.ndarray] | None = None
        self._picture: np.ndarray | None = None
        self.count = 0

    def __enter__(self) -> _Video:
        if not opencv_can_name(self._path):
            raise RecordingError(
                f"The folder of a video must have a name in UTF-8, but {str(self._path.parent)!a} is none."
            )
        self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter_fourcc(*CODEC), float(RATE_HZ), SIZE)
        if not self._writer.isOpened():
            raise RecordingError(f"A video ({CODEC}) must be writable with this OpenCV, but '{self._path}' is not.")
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.release()

    def show(self, paint: Callable[[], np.ndarray]) -> None:
        """Sets what is written from now on; nothing is painted that no video frame falls on."""
        self._paint, self._picture = paint, None

    def repeat(self, times: int) -> None:
        """Writes the picture so many times; OpenCV does not report a full disk, so it is asked here."""
        for _ in range(times if self._paint is not None else 0):
            if self._picture is None:
                self._picture = self._paint()
            if self.count % CHECK_EVERY == 0 and shutil.disk_usage(self._path.parent).free < LEAST_DISK:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path.parent))
            self._writer.write(self._picture)
            self.count += 1


def _check_video(path: Path, frames: int, output: Path) -> None:
    capture = cv2.VideoCapture(str(path))
    found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    if found != frames:
        raise RecordingError(f"The video must have {frames} frames, but '{output}' got {found}.")


def _until_interrupted(views: Iterable[PipelineView], result: Rendered) -> Iterator[PipelineView]:
    """Yields the views until Ctrl-C or SIGTERM, which take effect between two frames, never inside Qt or the encoder.

    A second signal is the usual ``KeyboardInterrupt``.
    """

    def note(number: int, frame: object) -> None:
        result.is_interrupted = True
        signal.signal(number, signal.default_int_handler)

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in STOP_SIGNALS} if in_main_thread else {}
    try:
        for view in views:
            if result.is_interrupted:
                return
            yield view
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(result: Rendered, view: PipelineView, duration_s: float | None) -> str:
    total_s = duration_s or (view.source.duration_s if view.source else None)
    share = f" of {total_s:.0f} s ({min(1.0, result.source_s / total_s):.0%})" if total_s else " s"
    return f"rendered {result.source_s:.0f}{share}"


def print_progress(text: str) -> None:
    """Writes progress to stderr: over the last line on a terminal, line by line in a log."""
    is_terminal = sys.stderr.isatty()
    print(f"\r{text} " if is_terminal else text, end="" if is_terminal else "\n", file=sys.stderr, flush=True)
