"""Color pictures on disk while they come: Motion-JPEG in Matroska (.mkv), every picture with a time of its own.

OpenCV's own writer does not do: it does not report a full disk, gives every picture the same duration, and an .mp4
whose program was killed cannot be opened. Here every picture is a cluster that is written at once and needs no index,
so the file plays, in any player, up to the last whole picture at any moment. Closing adds the index that makes a long
file open at once. ``live.picture_format`` has the bytes.
"""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from live.picture_format import (
    CLUSTER,
    MICROSECONDS,
    NOMINAL_PICTURE_NS,
    Header,
    cluster_head,
    header_of,
    index_of,
    indexed,
    walked,
)
from skeleton.errors import RecordingError, SourceUnavailable

LOGGER = logging.getLogger(__name__)
SUFFIX = ".mkv"
JPEG_QUALITY = 80
"""Half the bytes of quality 90; the noise of the sensor's picture is larger than what is lost."""
SAME_TIME_S = 1e-3
"""Skeletons are kept to the nanosecond, pictures to the microsecond."""


class PictureWriter:
    """Writes pictures as they come; whatever happens, the pictures written so far can be read.

    Attributes:
        count: Pictures written.
    """

    def __init__(self, path: Path, *, size: tuple[int, int]) -> None:
        """Makes the file.

        Args:
            path: A new file.
            size: (width, height) of every picture.

        Raises:
            RecordingError: The file is already there, or cannot be written.
        """
        self.path, self.count = path, 0
        self._size, self._last_us = size, -1
        self._cues: list[tuple[int, int]] = []
        try:
            self._file: BinaryIO | None = path.open("xb", buffering=0)  # the kernel has each picture at once
        except FileExistsError:
            raise RecordingError(f"The file {path} is already there.", remedy="Choose another name.") from None
        except OSError as error:
            raise self._failure(error) from None
        self._header = Header(size)
        self._end = 0
        self._write(self._header.packed())

    def append(self, picture: np.ndarray, time_s: float) -> None:
        """Adds a picture, (H, W, 3) uint8 RGB, shown from ``time_s`` after the start; times increase.

        Raises:
            RecordingError: The file cannot be written; it is closed, and holds the pictures before this one.
        """
        time_us = round(time_s * MICROSECONDS)
        if time_us <= self._last_us:
            raise ValueError(f"picture times must increase, found {time_us} after {self._last_us} microseconds")
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size)
        # In two steps: OpenCV encodes BGR alone.
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
        place = self._end
        self._write(cluster_head(time_us, len(jpeg)) + jpeg)
        self._cues.append((time_us, place))
        self._last_us, self.count = time_us, self.count + 1

    def close(self) -> None:
        """Writes index and duration and closes the file; may be called twice.

        Raises:
            RecordingError: There is no room for the index; without it the file is as readable.
        """
        if self._file is None:
            return
        place = self._end
        self._write(index_of(self._cues, segment=self._header.segment))
        file, self._file = self._file, None
        duration_us = max(self._last_us, 0) + NOMINAL_PICTURE_NS / 1000
        with file:
            try:
                file.seek(0)
                file.write(self._header.packed(index_at=place - self._header.segment, duration_us=duration_us))
            except OSError as error:
                raise self._failure(error) from None

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        try:
            while rest:  # a disk that fills up takes a part before it refuses
                rest = rest[self._file.write(rest) :]
            self._end += len(data)
        except OSError as error:
            file, self._file = self._file, None
            file.close()
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> RecordingError:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return RecordingError(f"The color video {self.path} cannot be written: {what}.")


class PictureReader:
    """The pictures of a file that :class:`PictureWriter` made, closed or not.

    Attributes:
        size: (width, height) in pixels.
        times_s: (N,) float64 seconds after the start, increasing.
    """

    def __init__(self, path: Path) -> None:
        """Finds all whole pictures; none is decoded yet.

        Raises:
            SourceUnavailable: Not such a file, or no picture in it is whole.
        """
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise SourceUnavailable(f"The color video '{path}' cannot be opened: {error.strerror}.") from None
        header = header_of(self._file)
        self._pictures = (indexed(self._file, header) or walked(self._file, header)) if header else []
        if header is None or not self._pictures:
            self.close()
            raise SourceUnavailable(
                f"'{path}' must be a recorded color video, but no picture in it is whole.",
                remedy="Choose another with --video.",
            )
        self.size = header.size
        self.times_s = np.array([time_us for time_us, _, _ in self._pictures], dtype=np.float64) / MICROSECONDS
        self._index, self._picture = -1, None

    _index: int
    _picture: np.ndarray | None

    def picture(self, time_s: float) -> np.ndarray | None:
        """Returns the picture shown at ``time_s`` after the start, (H, W, 3) uint8 RGB, read-only.

        Before the first it is the first one, after the last the last one; None where the file is damaged.
        """
        index = max(0, int(np.searchsorted(self.times_s, time_s + SAME_TIME_S, side="right")) - 1)
        if index != self._index:
            self._index, self._picture = index, self._decoded(index)
        return self._picture

    def close(self) -> None:
        """Releases the file; may be called twice."""
        self._file.close()

    def _decoded(self, index: int) -> np.ndarray | None:
        time_us, place, length = self._pictures[index]
        self._file.seek(place)
        head, data = self._file.read(CLUSTER.size), self._file.read(length)
        # What a JPEG says of its own size decides how much memory it takes: only the track's size is decoded.
        is_sound = head == cluster_head(time_us, length) and _jpeg_size(data) == self.size
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if is_sound else None
        if bgr is None:
            LOGGER.warning("picture %d of %s cannot be decoded", index, self._path)
            return None
        picture = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        picture.setflags(write=False)
        return picture


def is_picture_file(path: Path) -> bool:
    """Whether the file begins as :class:`PictureWriter` begins it."""
    try:
        with path.open("rb") as file:
            return header_of(file) is not None
    except OSError:
        return False


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the JPEG's frame header has it, or None."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xC2:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None
