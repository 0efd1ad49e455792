"""Reads the files of a zip archive that nobody vouches for: every size is bounded before anything is unpacked."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skeleton.errors import TrainingDataError

MOST_MEMBERS = 200_000
"""Files in one archive; NTU RGB+D 120, the largest set of skeletons, has 114 480."""
LARGEST_MEMBER = 16 << 20
"""Bytes of one unpacked recording; a ten-minute text recording has about 10 MB."""
LARGEST_RATIO = 200
"""Unpacked bytes a packed byte; skeleton text packs about 3 to 1, all-zero frames about 50 to 1."""
RATIO_FREE_SIZE = 1 << 16
"""Bytes below which the ratio says nothing."""


class Archive:
    """A zip archive, open for reading; made by :func:`open_archive`."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile) -> None:
        self.path = path
        self._zipped = zipped
        self._infos = {info.filename: info for info in zipped.infolist() if not info.is_dir()}
        if len(self._infos) > MOST_MEMBERS:
            raise TrainingDataError(f"{path} must hold at most {MOST_MEMBERS} files, found {len(self._infos)}.")

    def matches(self, pattern: re.Pattern[str]) -> dict[str, re.Match[str]]:
        """Returns the members whose path ``pattern`` finds, sorted by path, with their matches."""
        found = {name: pattern.search(name) for name in sorted(self._infos)}
        return {name: match for name, match in found.items() if match}

    def read(self, name: str) -> bytes:
        """Returns the bytes of one member.

        Raises:
            TrainingDataError: It is missing, damaged, encrypted, or would unpack to more than is plausible.
        """
        info = self._infos.get(name)
        if info is None:
            raise TrainingDataError(f"{self.path} must hold '{name}', but does not.")
        if info.file_size > LARGEST_MEMBER:
            raise self._refused(name, f"would unpack to {info.file_size} bytes, more than {LARGEST_MEMBER}")
        if info.file_size > RATIO_FREE_SIZE and info.file_size > LARGEST_RATIO * max(info.compress_size, 1):
            raise self._refused(name, f"would unpack to more than {LARGEST_RATIO} times its packed size")
        try:
            with self._zipped.open(info) as member:
                content = member.read(LARGEST_MEMBER + 1)  # the size in the directory may be a lie
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError) as error:
            raise self._refused(name, f"cannot be unpacked ({error})") from None
        if len(content) > LARGEST_MEMBER:
            raise self._refused(name, f"unpacks to more than {LARGEST_MEMBER} bytes")
        return content

    def _refused(self, name: str, problem: str) -> TrainingDataError:
        return TrainingDataError(
            f"{self.path}: the file '{name}' {problem}.", remedy="Download the archive again, or choose another."
        )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens a zip archive.

    Raises:
        TrainingDataError: There is no such file, or it is not a zip archive.
    """
    if not path.is_file():
        raise TrainingDataError(f"The archive {path} must be a file, but there is none.")
    try:
        zipped = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise TrainingDataError(f"{path} must be a zip archive, but it cannot be read as one ({error}).") from None
    with zipped:
        yield Archive(path, zipped)
