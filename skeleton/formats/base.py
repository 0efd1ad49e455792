"""What all recording formats share: the row of the table, frames that are built when asked for, bounded reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, overload

from skeleton.errors import RecordingError
from skeleton.frames import BodyFrame
from skeleton.recording import Recording

LARGEST_TEXT = 256 << 20
"""Bytes. A text recording is read as a whole; half an hour of six people in the widest format fits."""

MOST_BODIES = 6
"""The sensor tracks six people; a file that lists more in one frame is damaged."""


def nothing_lost(recording: Recording) -> tuple[str, ...]:
    """Returns (): the format holds everything."""
    del recording
    return ()


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the format table.

    Attributes:
        name: Key in ``FORMATS``.
        suffixes: File name endings, lower case with the dot; the first is the usual one.
        sniff: Tells from a file's first bytes (and, where those are not enough, its path) whether it is this format.
        read: Reads a file; raises ``RecordingError``.
        write: Writes a new file, or None for a format that is only read.
        lost: Names what of a recording the format cannot hold, for people: ("pixels", "floor").
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, Path], bool]
    read: Callable[[Path], Recording]
    write: Callable[[Recording, Path], None] | None = None
    lost: Callable[[Recording], tuple[str, ...]] = nothing_lost


class FramesOnDemand(Sequence[BodyFrame]):
    """A sequence of body frames that are built on access, so that opening a long file costs little.

    Args:
        count: Number of frames.
        build: Makes the frame with a given index; may raise ``RecordingError``.
    """

    def __init__(self, count: int, build: Callable[[int], BodyFrame]) -> None:
        self._count = count
        self._build = build

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> BodyFrame: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[BodyFrame]: ...

    def __getitem__(self, index: int | slice) -> BodyFrame | Sequence[BodyFrame]:
        if isinstance(index, slice):
            return [self._build(position) for position in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        return self._build(index % self._count)

    def __iter__(self) -> Iterator[BodyFrame]:
        return map(self._build, range(self._count))


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a text recording, at least one; what is not UTF-8 becomes a mark that no number holds.

    Raises:
        RecordingError: The file is larger than ``LARGEST_TEXT`` or cannot be read.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size) if size <= LARGEST_TEXT else b""
    if size > LARGEST_TEXT:
        raise RecordingError(
            f"A text recording may have at most {LARGEST_TEXT >> 20} MiB, but {path} is larger.",
            remedy="Cut it into parts, or convert it to .mcap where it was made.",
        )
    text = data.decode("utf-8", errors="replace")
    if text.startswith("\ufeff"):  # the byte order mark that Excel writes
        text = text[1:]
    return text.splitlines() or [""]


def opened(path: Path) -> BinaryIO:
    """Opens a file for reading bytes.

    Raises:
        RecordingError: It is missing, a folder, or may not be read.
    """
    if path.exists() and not path.is_file() and not path.is_dir():  # opening a pipe waits for a writer, for ever
        raise RecordingError(f"A recording must be a file, but {path} is a pipe or a device.")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise RecordingError(f"There is no file {path}.") from None
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror or str(error)
        raise RecordingError(f"The recording {path} cannot be read: {reason}.") from None
