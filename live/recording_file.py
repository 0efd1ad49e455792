"""A recording on disk: skeletons in MCAP, color pictures in Matroska beside it, one time for both. No thread.

The sensor's clock is the recording's, as long as it goes on. Where it starts again (the sensor was plugged in anew)
or jumps, the recording goes on after the time that really passed, and after at least a second: such a gap is what
a reader sees of it.
"""

from __future__ import annotations

import datetime
import logging
import math
from pathlib import Path
from types import TracebackType

import numpy as np

from calibration import store
from live.picture_file import SUFFIX as VIDEO_SUFFIX
from live.picture_file import PictureWriter
from live.sources.base import SourceInfo
from live.steady_time import SteadyTime
from skeleton.errors import CalibrationError, RecordingError
from skeleton.formats.mcap import RecordingWriter
from skeleton.frames import BodyFrame
from skeleton.recording import RecordingInfo

LOGGER = logging.getLogger(__name__)
SUFFIX = ".mcap"
LEAP_S = 10.0
"""A live source whose clock steps so much further than the time that passed has jumped."""


class RecordingClock:
    """Turns the sensor's time into the recording's, which only increases."""

    def __init__(self) -> None:
        self._time = SteadyTime()

    def time_of(
        self, frame: BodyFrame, *, received_s: float, is_live: bool, is_reopened: bool = False
    ) -> float | None:
        """Returns the recording's time for the next frame, seconds; None for one that repeats the last one's.

        Args:
            frame: The frame, with the sensor's time.
            received_s: When it arrived, by the computer's clock.
            is_live: Whether its source cannot run faster than the time passes.
            is_reopened: Whether the source was away since the last frame.
        """
        longest_leap_s = LEAP_S if is_live else math.inf
        return self._time.of(
            frame.time_s,
            received_s=received_s,
            longest_leap_s=longest_leap_s,
            is_reopened=is_reopened and is_live,
        )


class RecordingFile:
    """Writes a recording; files appear with the first frame, and with the first picture.

    Args:
        path: A new ``.mcap`` file; its folder must exist. The video lies beside it under the same name.
        with_video: Whether pictures are kept.

    Raises:
        RecordingError: The name does not do, or something is already there under it.
    """

    def __init__(self, path: Path, *, with_video: bool = False) -> None:
        self.path, self.video = path, path.with_suffix(VIDEO_SUFFIX) if with_video else None
        _check(path, self.video)
        self._clock = RecordingClock()
        self._info: SourceInfo | None = None
        self._skeletons: RecordingWriter | None = None
        self._pictures: PictureWriter | None = None
        self._start_s = self._end_s = 0.0

    @property
    def frames(self) -> int:
        """Body frames added."""
        return self._skeletons.frame_count if self._skeletons else 0

    @property
    def kept(self) -> int:
        """Body frames that can be read whatever happens next."""
        return self._skeletons.kept_count if self._skeletons else 0

    @property
    def pictures(self) -> int:
        """Pictures added; each can be read whatever happens next."""
        return self._pictures.count if self._pictures else 0

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return self._end_s - self._start_s

    def append(self, info: SourceInfo, frame: BodyFrame, picture: np.ndarray | None, *, received_s: float) -> bool:
        """Adds a frame, and the picture that belongs to it where there is a new one.

        Returns:
            False for a frame with the same time as the last one, which is left out.

        Raises:
            RecordingError: A file cannot be written.
        """
        is_reopened, self._info = info is not self._info, info
        time_s = self._clock.time_of(frame, received_s=received_s, is_live=info.is_live, is_reopened=is_reopened)
        if time_s is None:
            return False
        if self._skeletons is None:
            self._skeletons = RecordingWriter(self.path, _facts(info, self.video))
            self._start_s = time_s
        self._skeletons.append(
            BodyFrame(index=frame.index, time_s=time_s, bodies=frame.bodies, floor=frame.floor)
            if time_s != frame.time_s
            else frame
        )
        self._end_s = time_s
        if picture is not None and self.video is not None:
            if self._pictures is None:
                self._pictures = PictureWriter(self.video, size=(picture.shape[1], picture.shape[0]))
            self._pictures.append(picture, time_s - self._start_s)
        return True

    def flush(self) -> None:
        """Hands everything to the operating system; ``append`` does so by itself twice a second."""
        if self._skeletons is not None:
            self._skeletons.flush()

    def close(self) -> None:
        """Closes both files; may be called twice.

        Raises:
            RecordingError: One of them cannot be finished; both are closed, and what is whole in them can be read.
        """
        try:
            if self._pictures is not None:
                self._pictures.close()
        finally:
            if self._skeletons is not None:
                self._skeletons.close()

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(path: Path, video: Path | None) -> None:
    if path.suffix.lower() != SUFFIX:
        raise RecordingError(f"A recording must be named '*{SUFFIX}', but '{path}' is not.")
    if not path.absolute().parent.is_dir():
        raise RecordingError(f"A recording must lie in a folder that exists, but '{path.parent}' does not.")
    for file in (path, video):
        if file is not None and file.exists():
            raise RecordingError(f"The file {file} is already there.", remedy="Choose another name.")


def _facts(info: SourceInfo, video: Path | None) -> RecordingInfo:
    return RecordingInfo(
        format="mcap",
        path=None,
        layout=info.layout,
        rate_hz=info.rate_hz,
        sensor_id=info.sensor_id,
        color_map=info.color_map,
        floor=_floor(info),
        color_video=video if info.color_size is not None else None,
        created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        labels={"source": info.name},
    )


def _floor(info: SourceInfo) -> tuple[float, float, float, float] | None:
    """The floor that holds for the whole recording: the calibrated one. What the sensor saw is in the frames."""
    try:
        stored = store.load(info.sensor_id)
    except CalibrationError as error:
        LOGGER.warning("%s", error)
        stored = None
    return stored.floor.plane if stored is not None and stored.floor is not None else info.floor
