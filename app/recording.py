"""Recording as the window and the rendering offer it: where it goes, what the mark says, how it ended. No Qt."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from live.view import PipelineView, RecordingView
from skeleton.errors import RecordingError

FOLDER = "recordings"
"""In the user's documents."""
NO_VIDEO = "no video: this source has no color picture"
"""Said of a recording with the color video asked for, of a source that has none."""


def new_recording(documents: Path) -> Path:
    """Returns a name with today's date and time in the recordings folder, which is made where it is missing.

    Raises:
        RecordingError: The folder cannot be made.
    """
    folder = documents / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"Recordings go to the folder '{folder}', but it cannot be made: {error.strerror or error}.",
            remedy="Start the app with --record FILE.mcap to record elsewhere.",
        ) from None
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    number, path = 1, folder / f"{name}.mcap"
    while path.exists() or path.with_suffix(".mkv").exists():
        number += 1
        path = folder / f"{name}-{number}.mcap"
    return path


def mark(view: RecordingView | None) -> str:
    """Returns what stands beside the red dot while it is being recorded; empty when it is not."""
    if view is None or not view.is_running:
        return ""
    minutes, seconds = divmod(int(view.seconds), 60)
    what = "skeletons and video" if view.video else "skeletons"
    return f"REC {minutes}:{seconds:02d} · {what}" + _lost(view)


def outcome(view: RecordingView, *, is_replaced: bool = False, lacks_video: bool = False) -> str:
    """Returns the sentence about a recording that has ended.

    Args:
        view: The recording.
        is_replaced: Whether it ended because something else was opened.
        lacks_video: Whether the color video was asked for, of a source that has none.
    """
    why = " because something else was opened" if is_replaced else ""
    if not view.frames:
        return f"Nothing was recorded{why}: no frame came."
    video = f" and {view.video.name}" if view.video else ""
    kept = f"{view.path}{video}{_lost(view)}" + (f" · {NO_VIDEO}" if lacks_video and not view.video else "")
    return f"Recorded {view.seconds:.1f} s to {kept}" + (f"; ended{why}." if why else ".")


def _lost(view: RecordingView) -> str:
    frames = f" · {view.lost} frames lost" if view.lost else ""
    return frames + (f" · {view.pictures_lost} pictures lost" if view.pictures_lost else "")


def while_recording(
    views: Iterator[PipelineView], path: Path, *, with_video: bool = False
) -> Generator[PipelineView, None, None]:
    """Yields the views of a rendering and records each one's frame and picture; never faster than the disk.

    Raises:
        RecordingError: The path cannot be a recording, or the disk is full.
    """
    from live.recording_file import RecordingFile  # cv2 takes a tenth of a second that a window need not wait for

    with RecordingFile(path, with_video=with_video) as file, contextlib.closing(views):
        for view in views:
            if view.source is not None and view.frame is not None:
                image = view.image if with_video else None
                file.append(view.source, view.frame, image, received_s=time.perf_counter())
            yield view
