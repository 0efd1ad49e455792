"""Reads the files of a folder or a zip archive that nobody vouches for: every size is bounded before it is read."""

from __future__ import annotations

import lzma
import os
import re
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from skeleton.errors import TrainingDataError

MOST_MEMBERS = 200_000
"""Files in one source; NTU RGB+D 120, the largest set of skeletons, has 114 480."""
LARGEST_MEMBER = 16 << 20
"""Bytes of one recording; a ten-minute text recording has about 10 MB."""
LARGEST_RATIO = 200
"""Unpacked bytes a packed byte; skeleton text packs about 3 to 1, all-zero frames about 50 to 1."""
RATIO_FREE_SIZE = 1 << 16
"""Bytes below which the ratio says nothing."""
DOWNLOAD_AGAIN = "Download it again, or choose another."
_ENCRYPTED = 1
"""Bit of a member's flags."""
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeDecodeError,
)
"""What reading a damaged member may raise."""


class Files(ABC):
    """The files of a source by name ("/" between folders); made by :func:`open_files`.

    Attributes:
        path: The folder or archive.
        sizes: Bytes of each file, unpacked.
    """

    def __init__(self, path: Path, sizes: Mapping[str, int]) -> None:
        self.path = path
        self.sizes = sizes
        if len(sizes) > MOST_MEMBERS:
            raise TrainingDataError(f"{path} must hold at most {MOST_MEMBERS} files, found more.")

    def matches(self, pattern: re.Pattern[str]) -> dict[str, re.Match[str]]:
        """Returns the files whose name ``pattern`` finds, sorted by name, with their matches."""
        found = {name: pattern.search(name) for name in sorted(self.sizes)}
        return {name: match for name, match in found.items() if match}

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file.

        Raises:
            TrainingDataError: It is missing, damaged, encrypted, or holds more than is plausible.
        """
        size = self.sizes.get(name)
        if size is None:
            raise TrainingDataError(f"{self.path} must hold '{name}', but does not.")
        if size > LARGEST_MEMBER:
            raise self._refused(name, f"has {size} bytes, more than {LARGEST_MEMBER}")
        content = self._read(name)
        if len(content) > LARGEST_MEMBER:
            raise self._refused(name, f"has more than {LARGEST_MEMBER} bytes")
        return content

    @abstractmethod
    def _read(self, name: str) -> bytes:
        """At most ``LARGEST_MEMBER`` + 1 bytes of a file."""

    def _refused(self, name: str, problem: str, *, remedy: str = DOWNLOAD_AGAIN) -> TrainingDataError:
        return TrainingDataError(f"{self.path}: the file '{name}' {problem}.", remedy=remedy)


class Archive(Files):
    """The files of a zip archive, read without unpacking it to disk."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile) -> None:
        self._zipped = zipped
        named = [(info.filename.replace("\\", "/"), info) for info in zipped.infolist()]  # "\\": some Windows tools
        self._infos = {name: info for name, info in named if not name.endswith("/")}
        self._counts = Counter(name for name, _ in named)
        super().__init__(path, {name: info.file_size for name, info in self._infos.items()})

    def _read(self, name: str) -> bytes:
        info = self._infos[name]
        if self._counts[name] > 1:
            raise self._refused(name, "is there twice", remedy="Make the archive anew with the one that is right.")
        if info.flag_bits & _ENCRYPTED:
            raise self._refused(name, "is encrypted; unpack it first", remedy="")
        if info.file_size > RATIO_FREE_SIZE and info.file_size > LARGEST_RATIO * max(info.compress_size, 1):
            raise self._refused(name, f"would unpack to more than {LARGEST_RATIO} times its packed size")
        if not 0 <= info.header_offset < self._zipped.start_dir:  # bytes before it are missing
            raise self._refused(name, "cannot be unpacked (the archive is not whole)")
        try:
            with self._zipped.open(info) as member:
                return member.read(LARGEST_MEMBER + 1)  # the size in the directory may be a lie
        except _DAMAGES as error:
            raise self._refused(name, f"cannot be unpacked ({error})") from None
        except OSError as error:
            what = "read" if error.errno else "unpacked"  # bzip2 has no error of its own for damaged bytes
            raise self._refused(name, f"cannot be {what} ({error.strerror or error})") from None


class Folder(Files):
    """The files of a folder and of the folders in it; links to folders are not followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, dict(_sizes(path)))

    def _read(self, name: str) -> bytes:
        try:
            with open(os.path.join(self.path, name), "rb", buffering=0) as file:
                content = file.read(self.sizes[name] + 1)
        except OSError as error:
            raise self._refused(name, f"cannot be read ({error.strerror or error})") from None
        if len(content) != self.sizes[name]:
            raise self._refused(name, "has changed since it was listed")
        return content


class Joined(Files):
    """Several archives as one; a file that two of them hold is refused where its sizes differ."""

    def __init__(self, path: Path, parts: Sequence[Files]) -> None:
        self._parts = parts
        super().__init__(path, {name: size for part in reversed(parts) for name, size in part.sizes.items()})

    def _read(self, name: str) -> bytes:
        first, *others = (part for part in self._parts if name in part.sizes)
        for other in others:
            if other.sizes[name] != first.sizes[name]:
                raise self._refused(
                    name,
                    f"is in {first.path.name} and in {other.path.name}, which differ",
                    remedy="Leave the archive that is right in the folder.",
                )
        return first.read(name)


def _sizes(root: Path) -> Iterator[tuple[str, int]]:
    """Name and bytes of every regular file, up to one more than may be."""
    left = MOST_MEMBERS + 1
    folders = [""]
    while folders and left:
        prefix = folders.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{name}/")
                elif entry.is_file():  # not a pipe, not a device
                    yield name, entry.stat().st_size
                    left -= 1
                    if not left:
                        break


@contextmanager
def open_files(path: Path) -> Iterator[Files]:
    """Opens a folder or a zip archive.

    Raises:
        TrainingDataError: There is no such file or folder, or it is not a zip archive.
    """
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        yield Folder(path)
        return
    try:
        if not stat.S_ISREG(mode):
            raise OSError("it is a pipe or a device")
        zipped = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise TrainingDataError(f"{path} must be a zip archive, but it cannot be read as one ({error}).") from None
    with zipped:
        yield Archive(path, zipped)


@contextmanager
def open_parts(path: Path, pattern: str) -> Iterator[Files]:
    """Opens a folder, a zip archive, or a folder in which zip archives that match ``pattern`` are the parts of one.

    Raises:
        TrainingDataError: As :func:`open_files`.
    """
    parts = sorted(path.glob(pattern)) if path.is_dir() else []
    with ExitStack() as stack:
        opened = [stack.enter_context(open_files(part)) for part in parts]
        yield Joined(path, opened) if opened else stack.enter_context(open_files(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        raise TrainingDataError(f"The source {path} must be a folder or a zip file, but there is none.") from None
