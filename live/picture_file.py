"""Color pictures on disk while they come: Motion-JPEG in Matroska (.mkv), every picture with a time of its own.

OpenCV's own writer does not do: it does not report a full disk, gives every picture the same duration, and an .mp4
whose program was killed cannot be opened. Here every picture is a cluster that is written at once and needs no index,
so the file plays, in any player, up to the last whole picture at any moment. The layout is fixed to the byte:

    header     EBML, Segment of unknown size, Info (microseconds; the duration once closed), one video track
    picture    Cluster { Timestamp, SimpleBlock { JPEG } }, again and again
"""

from __future__ import annotations

import errno
import logging
import os
import struct
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from skeleton.errors import RecordingError, SourceUnavailable

LOGGER = logging.getLogger(__name__)
SUFFIX = ".mkv"
JPEG_QUALITY = 80
"""Half the bytes of quality 90; the noise of the sensor's picture is larger than what is lost."""
MICROSECONDS = 1_000_000
NOMINAL_PICTURE_NS = 33_333_333
"""Written for players that want a rate; the timestamps are what counts."""
CLUSTER = struct.Struct(">4sQ2sQsQ4s")
"""Cluster and its size, Timestamp with 8 bytes, SimpleBlock and its size, its head: track 1, time 0, a key frame."""
CLUSTER_ID, TIMESTAMP, BLOCK, BLOCK_HEAD = b"\x1f\x43\xb6\x75", b"\xe7\x88", b"\xa3", b"\x81\x00\x00\x80"
SIZE_MARK = 1 << 56
"""Makes a number of 56 bits an eight-byte size of EBML."""
NO_DURATION, DURATION = b"\xec\x89" + bytes(9), b"\x44\x89\x88"
MOST_PIXELS = 8192 * 4320
MOST_PICTURE_BYTES = 64 << 20
MOST_PICTURES = 5_000_000
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
        try:
            self._file: BinaryIO | None = path.open("xb", buffering=0)  # the kernel has each picture at once
        except FileExistsError:
            raise RecordingError(f"The file {path} is already there.", remedy="Choose another name.") from None
        except OSError as error:
            raise self._failure(error) from None
        header, self._duration_at = _header(size)
        self._write(header)

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
        self._write(_cluster_head(time_us, len(jpeg)) + jpeg)
        self._last_us, self.count = time_us, self.count + 1

    def close(self) -> None:
        """Writes the duration and closes the file; may be called twice."""
        file, self._file = self._file, None
        if file is None:
            return
        with file:
            try:
                file.seek(self._duration_at)
                file.write(DURATION + struct.pack(">d", max(self._last_us, 0) + NOMINAL_PICTURE_NS / 1000))
            except OSError as error:
                raise self._failure(error) from None

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        try:
            while rest:  # a disk that fills up takes a part before it refuses
                rest = rest[self._file.write(rest) :]
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
        size = _size_in(self._file)
        self._places, times_us = _pictures_in(self._file) if size else ([], [])
        if size is None or not self._places:
            self.close()
            raise SourceUnavailable(
                f"'{path}' must be a recorded color video, but no picture in it is whole.",
                remedy="Choose another with --video.",
            )
        self.size = size
        self.times_s = np.array(times_us, dtype=np.float64) / MICROSECONDS
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
        start, length = self._places[index]
        self._file.seek(start)
        data = self._file.read(length)
        # What a JPEG says of its own size decides how much memory it takes: only the track's size is decoded.
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if _jpeg_size(data) == self.size else None
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
            return _size_in(file) is not None
    except OSError:
        return False


def _element(identity: bytes, data: bytes) -> bytes:
    return identity + (len(data) | SIZE_MARK).to_bytes(8, "big") + data


def _header(size: tuple[int, int]) -> tuple[bytes, int]:
    """Everything before the first picture, and where the duration belongs in it."""
    kind = [b"\x42\x86\x81\x01", b"\x42\xf7\x81\x01", b"\x42\xf2\x81\x04", b"\x42\xf3\x81\x08"]  # EBML 1, ids, sizes
    kind += [b"\x42\x82\x88matroska", b"\x42\x87\x81\x04", b"\x42\x85\x81\x02"]
    scale = b"\x2a\xd7\xb1\x84" + (1_000_000_000 // MICROSECONDS).to_bytes(4, "big")
    names = _element(b"\x4d\x80", b"picture_file") + _element(b"\x57\x41", b"kinect-action-recognition 1")
    video = b"".join(_element(name, n.to_bytes(4, "big")) for name, n in zip((b"\xb0", b"\xba"), size))
    track = b"\xd7\x81\x01" + b"\x73\xc5\x81\x01" + b"\x83\x81\x01" + b"\x9c\x81\x00"  # number, uid, video, unlaced
    track += b"\x23\xe3\x83\x84" + NOMINAL_PICTURE_NS.to_bytes(4, "big")
    track += _element(b"\x86", b"V_MJPEG") + _element(b"\xe0", video)
    before = _element(b"\x1a\x45\xdf\xa3", b"".join(kind)) + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7
    info = scale + names + NO_DURATION
    start = before + _element(b"\x15\x49\xa9\x66", info)
    return start + _element(b"\x16\x54\xae\x6b", _element(b"\xae", track)), len(start) - len(NO_DURATION)


def _size_in(file: BinaryIO) -> tuple[int, int] | None:
    """Reads the header; the picture's size, or None where it is not one of ours."""
    header, duration_at = _header((0, 0))
    found = file.read(len(header))
    if len(found) < len(header):
        return None
    size = int.from_bytes(found[-17:-13], "big"), int.from_bytes(found[-4:], "big")
    expected = bytearray(_header(size)[0])
    duration = slice(duration_at, duration_at + len(NO_DURATION))
    expected[duration] = found[duration]
    return size if found == expected and 0 < size[0] * size[1] <= MOST_PIXELS else None


def _cluster_head(time_us: int, jpeg_bytes: int) -> bytes:
    block = len(BLOCK_HEAD) + jpeg_bytes
    cluster = CLUSTER.size - len(CLUSTER_ID) - 8 - len(BLOCK_HEAD) + block
    return CLUSTER.pack(CLUSTER_ID, cluster | SIZE_MARK, TIMESTAMP, time_us, BLOCK, block | SIZE_MARK, BLOCK_HEAD)


def _pictures_in(file: BinaryIO) -> tuple[list[tuple[int, int]], list[int]]:
    """Where each whole picture's JPEG lies and how long it is, and its time; ends where something else stands."""
    places: list[tuple[int, int]] = []
    times_us: list[int] = []
    end = os.fstat(file.fileno()).st_size
    position = file.tell()
    while len(places) < MOST_PICTURES:
        file.seek(position)
        head = file.read(CLUSTER.size)
        if len(head) < CLUSTER.size:
            break
        time_us, block = CLUSTER.unpack(head)[3], CLUSTER.unpack(head)[5]
        length = (block & (SIZE_MARK - 1)) - len(BLOCK_HEAD)
        start = position + CLUSTER.size
        position = start + length
        is_later = time_us > (times_us[-1] if times_us else -1)
        is_whole = 0 < length <= MOST_PICTURE_BYTES and position <= end and is_later
        if not is_whole or head != _cluster_head(time_us, length):
            break
        places.append((start, length))
        times_us.append(time_us)
    return places, times_us


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the JPEG's frame header has it, or None."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xC2:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None
