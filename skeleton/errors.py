"""Every error a user can meet, as one tree.

    AppError
    ├── ConfigError              a flag, a configuration file or a combination of both
    ├── SourceError
    │   ├── SourceUnavailable    cannot be opened: no driver, no device, no file
    │   └── SourceLost           was open and stopped
    ├── RecordingError           a recording file that cannot be read or written
    ├── ModelError
    │   ├── ModelLoadError       not a model file, or the runtime refuses it
    │   └── ModelContractError   a model file that does not fit: layout, inputs, card
    ├── CalibrationError
    ├── TrainingDataError        a data set, a cache or a split that cannot be used
    └── InternalError            an unexpected exception at a thread boundary

A message is one sentence: what must hold, what was found, and where (path, frame, line). The remedy is the
second sentence. Programming mistakes stay ``ValueError`` and ``TypeError`` and are never turned into these.
"""

from __future__ import annotations


class AppError(Exception):
    """A problem the user can do something about.

    Args:
        message: One sentence: what must hold, what was found, and where.
        remedy: One sentence: what the user can do. May be empty where the message says it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(AppError):
    """A flag, a configuration file, or a combination of them that cannot work."""


class SourceError(AppError):
    """A source of body frames failed."""


class SourceUnavailable(SourceError):
    """A source cannot be opened: no driver, no device, no file."""


class SourceLost(SourceError):
    """A source was open and stopped delivering."""


class RecordingError(AppError):
    """A recording file cannot be read or written."""


class ModelError(AppError):
    """A model file cannot be used."""


class ModelLoadError(ModelError):
    """The file is not a model, or the runtime refuses it."""


class ModelContractError(ModelError):
    """The file is a model, but not one that fits here: layout, inputs, outputs or card."""


class CalibrationError(AppError):
    """A calibration cannot be computed, read or stored."""


class TrainingDataError(AppError):
    """A data set, a cache or a split cannot be used."""


class InternalError(AppError):
    """An unexpected exception reached a thread's top; the message names the log file."""
