"""How every command line of this project ends: 0, 1 with one sentence on stderr, or 2 for bad flags.

And what flags have in common: whole numbers and others, and places to write to.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from skeleton.errors import AppError, ConfigError
from skeleton.replacing import MAKE_ROOM, is_full

LARGEST = 1e6
"""Of a number that a flag takes; seconds of eleven days."""


HTML = (".html", ".htm")
"""What the name of a report may end in."""


def run(command: Callable[[], int | None], *, is_verbose: bool) -> int:
    """Runs ``command`` and returns the exit code; user errors become one sentence on stderr.

    Args:
        command: Does the work; returns an exit code, or None for 0.
        is_verbose: Also print the traceback of a user error.
    """
    # A file name may hold what the terminal's encoding does not.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")
    error: BaseException | None = None
    try:
        code = command() or 0
    except (AppError, OSError, MemoryError, KeyboardInterrupt, ModuleNotFoundError) as raised:
        error = raised
        if is_verbose:
            traceback.print_exc()
    error = _lost_output() or error
    if isinstance(error, BrokenPipeError):  # whoever reads the output has seen enough, as "| head" has
        return 1
    if error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 1
    return code


def natural(text: str) -> int:
    """Reads a whole number from 0 out of a flag."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, found '{text}'")
    return int(text)


def positive(text: str) -> int:
    """Reads a whole number from 1 out of a flag."""
    if natural(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return natural(text)


def positive_number(text: str) -> float:
    """Reads a number above 0 out of a flag, such as seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= LARGEST:
        raise argparse.ArgumentTypeError(f"must be a number above 0, at most {LARGEST:g}, found '{text}'")
    return value


def require_folder(output: Path, *, endings: tuple[str, ...] = ()) -> None:
    """Refuses a place that cannot be written to before the work, not after it.

    Args:
        output: The file to write.
        endings: What its name may end in, such as ".html", so that no model or cache is overwritten; none: anything.

    Raises:
        ConfigError: The folder is not there, the place is a folder itself, or the name ends in something else.
    """
    if endings and output.suffix.lower() not in endings:
        raise ConfigError(f"{output} must end in {' or '.join(endings)}.", remedy="Name another file.")
    folder = output.absolute().parent
    if not folder.is_dir():
        raise ConfigError(
            f"{output} must lie in a folder that is there, but {folder} is none.", remedy="Make it first."
        )
    if output.is_dir():
        raise ConfigError(f"{output} must be a file to write, but is a folder.", remedy="Name a file in it.")


def _lost_output() -> OSError | None:
    """Hands over what was printed; returns why that cannot be, such as a file on a full disk, and gives it up."""
    try:
        if sys.stdout is not None:  # a program without a terminal on Windows has none
            sys.stdout.flush()
    except OSError as error:
        # Python hands it over once more when it ends, and would speak of it in its own way.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return OSError(error.errno, error.strerror or str(error), "What this command prints cannot be written")
    return None


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError):  # a disk that is full, a folder that is not there, a file that may not be read
        where = f"{error.filename}: " if error.filename else ""
        remedy = f" {MAKE_ROOM}" if is_full(error) else ""
        return f"{where}{error.strerror or error}.{remedy}"
    if isinstance(error, MemoryError):
        return "The computer's memory is not enough for this input."
    if isinstance(error, ModuleNotFoundError):  # the app's packages are fewer than the training's
        return (
            f"The Python package '{(error.name or '').partition('.')[0]}' must be installed, but was not found. "
            "Run 'pip install -r requirements.txt'."
        )
    return "Interrupted." if isinstance(error, KeyboardInterrupt) else str(error)
