"""How a run goes, as files of its folder: results.csv, the same for TensorBoard, and the learning curve.

All of it follows from the rows that the checkpoint keeps: what was lost or written twice when a run was killed is put
right when it goes on.
"""

from __future__ import annotations

import csv
import io
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tqdm import tqdm

from skeleton.replacing import naming, replacing

COLUMNS = ("epoch", "learning_rate", "train_loss", "train_top1", "val_loss", "val_top1", "val_top1_span", "seconds")
"""Columns of results.csv. val_top1 is of whole clips, val_top1_span of one window of span_s seconds in the middle."""
Row = dict[str, float]
"""The numbers of an epoch, by ``COLUMNS``."""


class Journal:
    """Writes what the rows of a run say, as it goes; a context manager.

    Args:
        folder: Of the run.
        rows: The epochs so far.
    """

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self.folder, self.rows = folder, rows
        # All of it is written again: a killed run may have written more, or less, and TensorBoard reads several files
        # in the order of their names, which two processes of one second do not follow.
        for older in folder.glob("events.out.tfevents.*"):
            older.unlink()
        self.board = Board(folder)
        if rows:
            self._write_table(rows)
            for row in rows:
                self._log(row)

    def write(self, rows: Sequence[Row]) -> None:
        """Writes the table, and for TensorBoard its last row."""
        self._write_table(rows)
        self._log(rows[-1])

    def _write_table(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        with replacing(self.folder / "results.csv") as file, file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows([int(row["epoch"]), *(f"{row[name]:.6g}" for name in COLUMNS[1:])] for row in rows)

    def _log(self, row: Row) -> None:
        self.board.write({name: row[name] for name in COLUMNS[1:] if not math.isnan(row[name])}, int(row["epoch"]))

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rows:
            self._draw()

    def _draw(self) -> None:
        from training import figures  # Matplotlib takes most of a second, and is needed once, here

        with replacing(self.folder / "learning-curve.png") as file:
            file.write_bytes(figures.saved(figures.learning_curve_figure(self.rows), "png", dpi=120))


class Board:
    """A file for TensorBoard.

    TensorBoard's own writer has a thread, which ends in a traceback where the disk is full; rows of epochs need none.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"events.out.tfevents.{int(time.time())}.{platform.node()}.{os.getpid()}"
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, numbers: dict[str, float], step: int) -> None:
        """Appends numbers by name."""
        values = [Summary.Value(tag=name, simple_value=number) for name, number in numbers.items()]
        self._append(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _append(self, event: Event) -> None:
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        with naming(self._file), self._file.open("ab") as file:
            file.write(record.getvalue())


class Bar(tqdm):
    """A progress bar on stderr, without tqdm's own thread, which would outlive the training."""

    monitor_interval = 0

    def __init__(self, *, total: int, done: int, is_shown: bool) -> None:
        often_s = 0.2 if sys.stderr.isatty() else 30.0
        super().__init__(
            total=total, initial=done, unit="step", file=sys.stderr, mininterval=often_s, disable=not is_shown
        )

    def show(self, row: Row) -> None:
        """Names the results of the last epoch from the next step on."""
        text = f"epoch {row['epoch']:.0f}, train {row['train_top1']:.3f}"
        if math.isfinite(row["val_top1"]):  # otherwise nobody validates
            text += f", val {row['val_top1']:.3f}"
        self.set_postfix_str(text, refresh=False)
