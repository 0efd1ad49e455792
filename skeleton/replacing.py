"""A result appears when it is whole: it is written beside its place, and then takes it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAKE_ROOM = "Make room there and repeat the command, or write to another disk."
_FULL = tuple(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))


def is_full(error: OSError) -> bool:
    """Returns whether a disk is full, a person's share of it used up, or a file as large as the disk allows."""
    return error.errno in _FULL


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives an empty temporary file in the folder of ``path``, and moves it to ``path`` at the end.

    Whatever fails, ``path`` is as it was and the temporary file is gone.

    Raises:
        OSError: The folder cannot be written to, the disk is full. It names ``path``, which is what the user knows.
    """
    folder = path.absolute().parent
    if path.exists() and not (path.is_file() or path.is_dir()):  # a file would take the place of /dev/null
        raise OSError(errno.EEXIST, "It is a device or a pipe, not a file to write", str(path))
    try:
        # A short name of its own: one made of the file's name is too long where that one just fits.
        descriptor, name = tempfile.mkstemp(prefix=".unfinished-", suffix=path.suffix, dir=folder)
    except OSError as error:
        raise _told_of(path, error) from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, name, str(folder)):  # of another file
            raise
        raise _told_of(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Gives an empty temporary folder beside ``path``, and the name ``path`` to it at the end.

    Whatever fails, the temporary folder is gone.

    Raises:
        OSError: Something is at ``path``, its place cannot be written to, the disk is full. It names ``path``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(temporary):  # of another file
            raise
        raise _told_of(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names a file in the errors of writing to it: what opens a file names it, what writes does not."""
    try:
        yield
    except OSError as error:
        raise _told_of(path, error) from None


def _told_of(path: Path, error: OSError) -> OSError:
    return OSError(error.errno, error.strerror or str(error), str(path))
