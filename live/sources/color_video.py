"""The color video beside a recording: the picture that belongs to a moment.

Pictures are decoded one after the other, because that is exact and cheap; only a jump seeks in the file.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np

from skeleton.errors import SourceUnavailable

# FFmpeg writes to the terminal by itself; what is wrong with a file is said by the error below. Read by OpenCV at
# the first file it opens.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
import cv2

cv2.setLogLevel(2)  # errors: the warning that a file is no video is ours to give
LOGGER = logging.getLogger(__name__)
LONGEST_WALK = 60
"""Pictures decoded and thrown away before a seek is cheaper: two seconds."""
MOST_PIXELS = 8192 * 4320
"""A picture of 8K; the sensor's has 1920 x 1080."""


class ColorVideo:
    """A color video that is read by time.

    Attributes:
        size: (width, height) in pixels.
        rate_hz: Pictures a second.
        count: Number of pictures as the file's header has it.
    """

    def __init__(self, path: Path) -> None:
        """Opens the video.

        Raises:
            SourceUnavailable: No such file, or not a video that can be decoded.
        """
        if not path.is_file():
            raise SourceUnavailable(f"There is no color video '{path}'.", remedy="Choose another with --video.")
        if not opencv_can_name(path):
            raise SourceUnavailable(
                f"A video must have a name in UTF-8, but {str(path)!a} is none.", remedy="Rename it."
            )
        self._path = path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self.size = (self._number(cv2.CAP_PROP_FRAME_WIDTH), self._number(cv2.CAP_PROP_FRAME_HEIGHT))
        self.rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.count = self._number(cv2.CAP_PROP_FRAME_COUNT)
        self._index = -1
        self._picture: np.ndarray | None = None
        is_sane = 0 < self.size[0] * self.size[1] <= MOST_PIXELS and 0 < self.rate_hz <= 1000 and self.count > 0
        if not is_sane or self.picture(0.0) is None:
            self.close()
            raise SourceUnavailable(
                f"'{path}' must be a video, but no picture can be read from it.",
                remedy="Choose another with --video.",
            )

    def picture(self, time_s: float) -> np.ndarray | None:
        """Returns the picture shown at ``time_s`` after the start, (H, W, 3) uint8 RGB.

        Before the start it is the first one, after the end the last one; None where the file is damaged.
        """
        index = min(max(round(time_s * self.rate_hz), 0), self.count - 1)
        if index != self._index:
            self._move_to(index)
        return self._picture

    def close(self) -> None:
        """Releases the file; may be called twice."""
        self._capture.release()

    def _move_to(self, index: int) -> None:
        steps = index - self._index
        if not 0 < steps <= LONGEST_WALK:
            steps = self._jump(index)
        for _ in range(steps - 1):
            if not self._capture.grab():  # a header may promise pictures without end
                break
        is_read, picture = self._capture.read()
        self._index = index
        if not is_read:
            LOGGER.warning("picture %d of %s cannot be decoded", index, self._path)
            self._picture = None
            return
        self._picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        self._picture.setflags(write=False)

    def _jump(self, index: int) -> int:
        """Seeks, and returns how many pictures must then be read so that the last one is ``index``."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        reached = self._number(cv2.CAP_PROP_POS_FRAMES)
        if reached <= index and index - reached <= LONGEST_WALK:
            return index - reached + 1
        # The container cannot seek: walk from the start.
        self._capture.release()
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        return index + 1

    def _number(self, property_id: int) -> int:
        """A header's number; a damaged header has NaN or infinities."""
        value = self._capture.get(property_id)
        return int(value) if np.isfinite(value) else 0


def opencv_can_name(path: Path) -> bool:
    """Returns whether OpenCV can be given this path: it crashes on bytes that are no UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
