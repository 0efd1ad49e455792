"""Records while the pipeline runs: a thread that writes what the source's thread puts into its queue.

Body frames are facts: none is left out, and a queue that is full ends the recording. Pictures are as large as a
minute of skeletons: only a few wait, what does not fit is counted, and a computer that loses too many is told so.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from live.board import Board
from live.recognizer_thread import internal_error
from live.sources.base import SourceInfo
from live.view import Banner, RecordingView, Severity
from skeleton.errors import AppError, RecordingError
from skeleton.frames import BodyFrame

IDLE_S = 0.5
"""When nothing comes for so long, what was written is handed to the operating system."""
MOST_FRAMES = 150
"""Five seconds of body frames: a disk that stands still for longer is too slow."""
MOST_PICTURES = 16
"""Half a second of pictures, 100 MB: a disk or processor that stumbles."""
PICTURES_LOST = 90
"""Three seconds of pictures; so many lost, and more than half of all, is no stumbling any more."""
BANNER = "recording"


class WritesRecording(Protocol):
    """What the recorder asks of ``live.recording_file.RecordingFile``."""

    @property
    def video(self) -> Path | None: ...

    @property
    def frames(self) -> int: ...

    @property
    def kept(self) -> int: ...

    @property
    def pictures(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    def append(
        self, info: SourceInfo, frame: BodyFrame, picture: np.ndarray | None, *, received_s: float
    ) -> bool: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """A running recording. ``put`` belongs to the source's thread; nobody ever waits for the disk.

    Args:
        path: A new ``.mcap`` file in a folder that exists.
        board: Where troubles go.
        with_video: Whether color pictures are kept beside it.
        logger: For tracebacks.
        log_file: Named in the banner of an unexpected error.
        open_file: Makes the writer: a test's own, or ``RecordingFile``.
        most_frames: Frames that may wait.
        most_pictures: Those of them that may have a picture.

    Raises:
        RecordingError: The path cannot be a recording.
    """

    def __init__(
        self,
        path: Path,
        board: Board,
        *,
        with_video: bool = False,
        logger: logging.Logger,
        log_file: Path | None = None,
        open_file: Callable[..., WritesRecording] | None = None,
        most_frames: int = MOST_FRAMES,
        most_pictures: int = MOST_PICTURES,
    ) -> None:
        self.path, self.with_video = path, with_video
        self._file = (open_file or _open_file)(path, with_video=with_video)
        self._board, self._logger, self._log_file = board, logger, log_file
        self._most_frames, self._most_pictures = most_frames, most_pictures
        self._changed = threading.Condition()
        self._waiting: deque[tuple[SourceInfo, BodyFrame, np.ndarray | None, float]] = deque()
        self._pictures_waiting = 0
        self._latest_picture: np.ndarray | None = None
        self._is_running, self._is_closed = True, False
        self._offered = self._repeated = self._pictures_offered = self._pictures_lost = 0
        # No daemon: a program that ends waits until the file is closed; that it ends is noticed in ``_take``.
        self.thread = threading.Thread(target=self._run, name="recorder", daemon=False)

    @property
    def is_running(self) -> bool:
        """Whether it takes frames."""
        return self._is_running

    def put(self, info: SourceInfo, frame: BodyFrame, picture: np.ndarray | None, *, received_s: float) -> None:
        """Queues a frame and its picture; never waits.

        Args:
            info: The source as it is open now.
            frame: The frame.
            picture: (H, W, 3) uint8 RGB that nobody changes, or None; the same one again is kept once.
            received_s: When the frame arrived.
        """
        error: RecordingError | None = None
        with self._changed:
            if not self._is_running:
                return
            self._offered += 1
            kept = self._admitted(picture)
            if len(self._waiting) >= self._most_frames:
                error = self._too_slow(f"{len(self._waiting)} frames wait")
            elif self._pictures_lost > max(PICTURES_LOST, self._pictures_offered // 2):
                error = self._too_slow(f"{self._pictures_lost} of {self._pictures_offered} pictures found no place")
            if len(self._waiting) < self._most_frames:
                self._waiting.append((info, frame, kept, received_s))
                self._pictures_waiting += kept is not None
            self._is_running = error is None
            self._changed.notify()
        if error is not None:
            self._tell(error)

    def stop(self) -> None:
        """Takes no more frames; the thread writes those that wait, closes the file and ends. Does not wait."""
        with self._changed:
            self._is_running = False
            self._changed.notify()

    def view(self) -> RecordingView:
        """Returns how far it is."""
        file = self._file
        is_closed = self._is_closed
        return RecordingView(
            path=self.path,
            video=file.video if file.pictures else None,
            is_running=self._is_running,
            is_closed=is_closed,
            seconds=file.seconds,
            frames=file.kept if is_closed else file.frames,
            lost=self._offered - self._repeated - file.kept if is_closed else 0,
            pictures=file.pictures,
            pictures_lost=self._pictures_offered - file.pictures if is_closed else self._pictures_lost,
        )

    def _admitted(self, picture: np.ndarray | None) -> np.ndarray | None:
        """The picture, where it is a new one and there is room for it."""
        if picture is None or picture is self._latest_picture:
            return None
        self._latest_picture = picture
        self._pictures_offered += 1
        if self._pictures_waiting < self._most_pictures:
            return picture
        self._pictures_lost += 1
        return None

    def _too_slow(self, found: str) -> RecordingError:
        remedy = "Record to a faster disk" + (", or without the color video." if self.with_video else ".")
        return RecordingError(
            f"The computer must write the recording {self.path} as fast as the sensor sends, but {found}.",
            remedy=remedy,
        )

    # The thread.

    def _run(self) -> None:
        try:
            while self._write_next():
                continue
            self._file.close()
        except (AppError, OSError) as error:
            self._fail(error)
        except Exception:  # the one handler of this thread
            self._logger.exception("the recording stopped")
            self._board.set_banner(BANNER, internal_error("The recording", self._log_file))
        finally:
            self.stop()
            self._close_what_is_left()
            self._is_closed = True

    def _write_next(self) -> bool:
        """Writes the oldest frame that waits; returns False when there will be none."""
        item = self._take()
        if item is None:
            self._file.flush()
            return self._is_running or bool(self._waiting)
        info, frame, picture, received_s = item
        if not self._file.append(info, frame, picture, received_s=received_s):
            self._repeated += 1
        return True

    def _take(self) -> tuple[SourceInfo, BodyFrame, np.ndarray | None, float] | None:
        if not threading.main_thread().is_alive():  # nobody is left who could stop the recording
            self.stop()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._is_running, IDLE_S)
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            self._pictures_waiting -= item[2] is not None
            return item

    def _fail(self, error: Exception) -> None:
        self._logger.warning("the recording stopped: %s", error)
        remedy = error.remedy if isinstance(error, AppError) else ""
        kept = remedy or f"It has stopped; its first {max(self._file.seconds, 0.0):.0f} s are kept."
        self._tell(RecordingError(error.message if isinstance(error, AppError) else f"{error}.", remedy=kept))

    def _tell(self, error: RecordingError) -> None:
        self._board.set_banner(BANNER, Banner(Severity.ERROR, str(error)))

    def _close_what_is_left(self) -> None:
        """After an error: on a full disk the other file cannot be finished either, but both can be read."""
        with self._changed:
            self._waiting.clear()
            self._pictures_waiting, self._latest_picture = 0, None
        try:
            self._file.close()
        except (AppError, OSError) as error:
            self._logger.warning("the recording was not closed: %s", error)


def _open_file(path: Path, *, with_video: bool) -> WritesRecording:
    from live.recording_file import RecordingFile  # cv2 and mcap load when something is recorded, not with the window

    return RecordingFile(path, with_video=with_video)
