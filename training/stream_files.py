"""Streams out of files: recordings with a table of what happens in them, and scenes in which nothing happens."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from skeleton.errors import ConfigError, TrainingDataError
from skeleton.formats.table import FORMATS, open_recording
from skeleton.recording import Recording
from training.cache import open_cache
from training.streams import BACKGROUND, Action, Stream, StreamConfig, from_cache

COLUMNS = ("start_s", "end_s", "label")
BODY_COLUMN = "body"
LARGEST_TABLE = 4 << 20
"""Bytes: some 100,000 actions."""


def from_recording(path: Path, table: Path) -> Stream:
    """Returns a recording with its table of actions: CSV with the columns start_s, end_s, label and maybe body.

    Times are seconds since the recording's first frame, ``body`` is a tracking id. Without that column at most one
    person may be in view at a time, and all actions are that person's, whatever the id.

    Raises:
        RecordingError: The recording cannot be read.
        TrainingDataError: The table cannot be used, or does not say whose actions they are.
    """
    recording = open_recording(path)
    truth = read_truth(table)
    bodies = {action.person for action in truth}
    if None in bodies and any(len(frame.bodies) > 1 for frame in recording.frames):
        raise TrainingDataError(
            f"{path} shows several people at once, so {table} must say who acts in a column '{BODY_COLUMN}'."
        )
    known = {body.tracking_id for frame in recording.frames for body in frame.bodies}
    missing = sorted(body for body in bodies - {None} if body is not None and body not in known)
    if missing:
        raise TrainingDataError(f"{table} names the body {missing[0]}, but nobody in {path} has this tracking id.")
    return Stream(path.name, recording, truth, {} if None in bodies else {body: str(body) for body in known})


def read_truth(table: Path) -> tuple[Action, ...]:
    """Returns the lines of a table of actions, in order of start.

    Raises:
        TrainingDataError: The file is too large, lacks a column, or a line is not an action.
    """
    if table.stat().st_size > LARGEST_TABLE:
        raise TrainingDataError(
            f"A table of actions may have at most {LARGEST_TABLE >> 20} MiB, but {table} has more."
        )
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise TrainingDataError(
                    f"{table} must have the columns {', '.join(COLUMNS)}, but lacks {missing[0]}."
                )
            actions = [_action(row, f"{table}, line {reader.line_num}") for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise TrainingDataError(f"{table} must be a CSV table in UTF-8, but is not.") from None
    if len({action.person is None for action in actions}) > 1:
        raise TrainingDataError(f"{table} must name a body in every line or in none.")
    return tuple(sorted(actions, key=lambda action: action.start_s))


def _action(row: dict[str, str | None], where: str) -> Action:
    try:
        start_s, end_s = float(row["start_s"] or ""), float(row["end_s"] or "")
        body = (row.get(BODY_COLUMN) or "").strip()
        person = int(body) if body else None
    except ValueError:
        raise TrainingDataError(f"{where}: start_s and end_s must be seconds, and body a tracking id.") from None
    label = (row["label"] or "").strip()
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        raise TrainingDataError(f"{where}: an action must start at 0 or later and end after its start.")
    if not label:
        raise TrainingDataError(f"{where}: an action must have a label.")
    return Action(start_s, end_s, label, person)


def scenes(paths: Sequence[Path], config: StreamConfig, *, seed: int = 0) -> Iterator[Stream]:
    """Yields streams in which nobody does anything a model knows.

    Args:
        paths: Recordings, folders of recordings, or caches, whose clips are shown one after another.
        config: How the clips of a cache are joined.
        seed: What their order follows from.

    Raises:
        ConfigError: A path that holds nothing of the kind.
        AppError: A recording or cache that cannot be read.
    """
    for path in paths:
        if (path / "cache.json").is_file():
            cache = open_cache(path)
            yield from from_cache(cache, np.arange(len(cache)), config, seed=seed, is_background=True)
            continue
        files = _recordings(path) if path.is_dir() else [path]
        if not files:
            raise ConfigError(f"A background must be recordings or a cache, but {path} holds neither.")
        for file in files:
            yield scene(open_recording(file), name=file.name)


def scene(recording: Recording, *, name: str) -> Stream:
    """Returns a recording in which nobody does anything a model knows."""
    return Stream(name, recording, truth=(), who={}, others=BACKGROUND)


def _recordings(folder: Path) -> list[Path]:
    suffixes = {suffix for known in FORMATS.values() for suffix in known.suffixes}
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
