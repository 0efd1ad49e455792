"""A result appears when it is whole: it is written beside its place, and then takes it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives an empty temporary file in the folder of ``path``, and moves it to ``path`` at the end.

    Whatever fails, ``path`` is as it was and the temporary file is gone.

    Raises:
        OSError: The folder cannot be written to, the disk is full. It names ``path``, which is what the user knows.
    """
    folder = path.absolute().parent
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


def _told_of(path: Path, error: OSError) -> OSError:
    return OSError(error.errno, error.strerror or str(error), str(path))
