"""A folder that one process at a time writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from skeleton.errors import TrainingDataError

LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes away from a folder; the lock ends with this process, however that ends.

    Its file stays: one that is deleted while a second process opens it would be held twice.

    Raises:
        TrainingDataError: Another process holds the folder.
    """
    with (folder / LOCK).open("wb") as file:
        try:
            _lock(file)
        except OSError:
            raise TrainingDataError(
                f"{folder} is being written by another process.", remedy="Wait until that has ended, or stop it."
            ) from None
        yield


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
