"""The recording formats of this project, and the two functions that everybody uses: open and write a recording."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from skeleton.errors import RecordingError
from skeleton.formats import csv, irds, mcap, multitrack, npz, ntu
from skeleton.formats.base import Format, opened
from skeleton.formats.facts import has_video_beside
from skeleton.recording import Recording
from skeleton.replacing import MAKE_ROOM, is_full

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("mcap", (".mcap",), mcap.sniff, mcap.read, mcap.write),
        Format("npz", (".npz",), npz.sniff, npz.read, npz.write),
        Format("irds", (".txt",), irds.sniff, irds.read),
        Format("ntu", (".skeleton",), ntu.sniff, ntu.read, ntu.write, ntu.lost),
        Format("multitrack", (".csv",), multitrack.sniff, multitrack.read),
        Format("csv", (".csv",), csv.sniff, csv.read, csv.write, csv.lost),
    )
}
"""All formats by name, in the order in which their content is tried."""

HEAD_BYTES = 4096
"""How much of a file is read to tell its format."""


def open_recording(path: Path | str) -> Recording:
    """Reads a recording of any format, told by its content.

    Raises:
        RecordingError: No such file, a folder, an empty file, an unknown format, or a damaged file.
    """
    path = Path(path)
    try:
        return _open(path)
    except OSError as error:  # while reading: a network drive that went away, a disk that is damaged
        raise RecordingError(f"The recording {path} cannot be read: {error.strerror or error}.") from None


def is_recording(path: Path) -> bool:
    """Returns whether a file is there and begins as a recording does; what follows is for the reader to judge."""
    try:
        return path.is_file() and _format_of(path) is not None
    except (OSError, RecordingError, ValueError):  # ValueError: a name that no file can have
        return False


def _open(path: Path) -> Recording:
    found = _format_of(path)
    if found is not None:
        return found.read(path)
    raise RecordingError(
        f"The file {path} is in no format that is known here.",
        remedy=f"Known: {', '.join(dict.fromkeys(suffix for row in FORMATS.values() for suffix in row.suffixes))}.",
    )


def _format_of(path: Path) -> Format | None:
    with opened(path) as file:
        head = file.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")  # the byte order mark that Excel writes
    if not head.strip():
        raise RecordingError(f"A recording must hold frames, but {path} is empty.")
    return next((row for row in FORMATS.values() if row.sniff(head, path)), None)


def format_for(path: Path | str) -> Format:
    """Returns the format that a file of this name is written in.

    Raises:
        RecordingError: No format that can be written has this suffix.
    """
    writable = {suffix: row for row in FORMATS.values() if row.write for suffix in row.suffixes}
    row = writable.get(Path(path).suffix.lower())
    if row is None:
        raise RecordingError(f"A recording is written as {', '.join(writable)}, but the name given is {path}.")
    return row


def write_recording(recording: Recording, path: Path | str, *, overwrite: bool = False) -> None:
    """Writes a recording in the format that the suffix names; the file appears when it is whole.

    Args:
        recording: What to write.
        path: The file; its suffix is one of .mcap, .npz, .skeleton, .csv.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        RecordingError: Unknown suffix, a file that is there, a layout that the format cannot hold, a full disk.
    """
    path = Path(path)
    row = format_for(path)
    if path.exists() and not overwrite:
        raise RecordingError(f"The file {path} is already there.", remedy="Choose another name, or say to overwrite.")
    if path.exists() and not path.is_file():  # a folder; or a device, which renaming would replace
        raise RecordingError(f"The recording {path} cannot be written: something that is no file is there.")
    # A short name of its own: one made of the file's name is too long where that one just fits.
    partial = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    assert row.write is not None  # format_for returns only these
    try:
        row.write(recording, partial)
        os.replace(partial, path)
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        remedy = MAKE_ROOM if is_full(error) else ""
        raise RecordingError(f"The recording {path} cannot be written: {what}.", remedy=remedy) from None
    finally:
        partial.unlink(missing_ok=True)


def lost_in(recording: Recording, path: Path | str) -> tuple[str, ...]:
    """Names what of a recording a file of this name cannot hold, for people; empty when it holds everything."""
    lost = format_for(path).lost(recording)
    video = recording.info.color_video
    keeps_name = format_for(path).name in ("mcap", "npz") and has_video_beside(recording.info, Path(path))
    return lost if video is None or keeps_name else (*lost, f"the color video ({video.name} is not beside it)")
