"""Brings ONNX Runtime up quietly: its C++ part writes to the terminal before Python can ask it not to.

What it wrote is not lost: it goes to the log. On Windows call :func:`load` before PyQt5 is imported; an old
msvcp140.dll inside PyQt5 otherwise breaks the start of ONNX Runtime.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

LOGGER = logging.getLogger(__name__)
SEVERITY_FATAL = 4
SEVERITY_WARNING = 2
"""ONNX Runtime's log levels; its own default is the warning."""


def load() -> ModuleType:
    """Returns the ``onnxruntime`` module, imported without a word on the terminal.

    Raises:
        ImportError: ONNX Runtime is not installed, or its libraries are damaged.
    """
    if "onnxruntime" in sys.modules:
        return sys.modules["onnxruntime"]
    with _stderr_in_log():
        import onnxruntime
    return onnxruntime


@contextlib.contextmanager
def quiet(runtime: ModuleType) -> Iterator[None]:
    """Keeps ONNX Runtime's own lines off the terminal while a session is made; the caller reports failures."""
    runtime.set_default_logger_severity(SEVERITY_FATAL)
    try:
        yield
    finally:
        runtime.set_default_logger_severity(SEVERITY_WARNING)


def preload_cuda(runtime: ModuleType) -> str:
    """Loads CUDA and cuDNN out of their Python packages.

    Returns:
        What is missing, as one phrase; empty when everything was found, or when this version cannot look.
    """
    if not hasattr(runtime, "preload_dlls"):  # exists from 1.21
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it reports by print
        runtime.preload_dlls()
    lines = said.getvalue().splitlines()
    for line in lines:
        LOGGER.info("preload: %s", line)
    missing = [line.split()[3].rstrip(":") for line in lines if line.startswith("Failed to load ")]
    return f"{', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''} cannot be loaded" if missing else ""


@contextlib.contextmanager
def _stderr_in_log() -> Iterator[None]:
    """Sends file descriptor 2 to the log: Python's ``sys.stderr`` is not where C++ writes."""
    try:
        saved = os.dup(2)
    except OSError:  # a windowed program on Windows has no descriptor 2, so nothing can be printed either
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught.read(1 << 16).decode(errors="replace").splitlines():
                LOGGER.info("onnxruntime: %s", line)
