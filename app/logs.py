"""The log file, and what happens to an exception that nobody caught: it is written down and told, never fatal.

PyQt5 calls ``abort()`` when a slot raises and ``sys.excepthook`` is Python's own; with the hook below the window
goes on, a banner says what happened, and the log file has the traceback.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from skeleton.errors import AppError

LOGGER = logging.getLogger("app")
FOLDER = "kinect-action-recognition"
FILE = "app.log"
LARGEST_LOG = 1_000_000
"""Bytes of one log file; with the older ones at most four times as much."""
OLDER_LOGS = 3
REPEAT_EVERY = 1000
"""An error in a 33 ms timer comes 30 times a second: after the first, every so manieth is written down."""

Report = Callable[[str], None]


def log_folder() -> Path:
    """Returns the folder where this system keeps a user's logs."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / FOLDER / "logs"
    if sys.platform == "darwin":
        return home / "Library" / "Logs" / FOLDER
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / FOLDER


def start_logging(folder: Path | None = None, *, is_verbose: bool = False) -> Path:
    """Sends every logger to a rotating file, and to stderr when verbose; returns the file."""
    handler = _file_handler(folder or log_folder())
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if is_verbose else logging.INFO)
    form = logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [handler]
    if is_verbose:
        handlers.append(logging.StreamHandler())
    for one in handlers:
        one.handleError = _ignore  # type: ignore[method-assign]
        one.setFormatter(form)
        root.addHandler(one)
    LOGGER.info("the log file is %s", handler.baseFilename)
    return Path(handler.baseFilename)


def _ignore(record: logging.LogRecord) -> None:
    """What logging does when a line cannot be written: nothing, since a traceback on the terminal frees no disk."""
    del record


def stop_logging() -> None:
    """Closes the log file."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.handlers.RotatingFileHandler):
            root.removeHandler(handler)
            handler.close()


class ExceptionHooks:
    """Takes the place of Python's own hooks, in all threads.

    Args:
        file: The log file, named in the sentence.
        report: Shows a sentence to the user; called from the thread that failed.
    """

    def __init__(self, file: Path, *, report: Report) -> None:
        self.file, self.report = file, report
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._before = (sys.excepthook, threading.excepthook)

    def install(self) -> None:
        """Installs the hooks."""
        sys.excepthook = self._handle
        threading.excepthook = self._handle_in_thread

    def remove(self) -> None:
        """Puts the former hooks back."""
        sys.excepthook, threading.excepthook = self._before

    def _handle(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        place = _place(error, trace)
        self._counts[place] += 1
        if self._counts[place] % REPEAT_EVERY == 1:
            LOGGER.error("uncaught (time %d)", self._counts[place], exc_info=(kind, error, trace))
            self.report(self._sentence(error))

    def _handle_in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self._handle(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    def _sentence(self, error: BaseException) -> str:
        if isinstance(error, AppError):
            return str(error)
        return f"Something went wrong inside ({type(error).__name__}: {error}). Details are in {self.file}."


def _place(error: BaseException, trace: TracebackType | None) -> tuple[str, str, int]:
    """Kind, file and line of an error: the same mistake again is the same place."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__, "", 0
    return type(error).__name__, trace.tb_frame.f_code.co_filename, trace.tb_lineno


def _file_handler(folder: Path) -> logging.handlers.RotatingFileHandler:
    try:
        return _rotating(folder)
    except OSError:  # no home, or one that cannot be written to; a name of our own, since others share that folder
        return _rotating(Path(tempfile.mkdtemp(prefix=f"{FOLDER}-")))


def _rotating(folder: Path) -> logging.handlers.RotatingFileHandler:
    folder.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        folder / FILE, maxBytes=LARGEST_LOG, backupCount=OLDER_LOGS, encoding="utf-8"
    )
