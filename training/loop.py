"""The epochs of a run: learn, validate, keep a checkpoint, until the last or until nothing gets better."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from skeleton.errors import AppError, TrainingDataError
from training import batches
from training.background import Source, label_index, windows_of
from training.batches import Shelf, held_bytes
from training.cache import Cache
from training.config import TrainingConfig
from training.journal import Bar, Journal, Row
from training.learner import Learner
from training.processes import Processes
from training.protocols import Split
from training.run import UNFIT, Run
from training.stream_windows import StreamWindows
from training.windows import Windows

VALIDATION_BATCH = 256
"""Clips; no gradients are kept, so a larger batch than in training fits."""
HELD_ON_CPU_BYTES = 512 << 20
HELD_ON_GPU_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean loss and share of right answers of one pass."""

    loss: float
    top1: float


class Training:
    """A run in progress.

    Args:
        run: Its folder.
        cache: The data set.
        split: Who learns and who validates.
        processes: Who trains together.
        background: Other data that show the background class.
    """

    def __init__(
        self, run: Run, cache: Cache, split: Split, processes: Processes, *, background: Sequence[Source] = ()
    ) -> None:
        self.run, self.split, self.processes = run, split, processes
        self.config = run.settings.training
        self.rows: list[Row] = []
        self.best, self.best_epoch = -math.inf, 0
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        shape = run.settings.network_config(
            joints=cache.layout.joints, classes=len(run.facts["labels"]), persons=cache.persons
        )
        self.frames = shape.frames
        self.shelf = Shelf(
            cache,
            processes.device,
            is_held=is_held(self.config, cache, processes.device),
            is_leveled=self.config.leveled,
        )
        self.windows = Windows(
            self.shelf,
            split.train,
            self.config,
            frames=shape.frames,
            seed=run.seed,
            processes=processes,
            background=windows_of(
                background, shelf=self.shelf, indices=split.train, config=self.config, frames=shape.frames
            ),
            streams=self._streams(shape.frames) if self.config.stream_share else None,
        )
        self.learner = Learner(
            self.config,
            shape,
            total_steps=self.config.epochs * self.windows.steps,
            seed=run.seed,
            processes=processes,
        )

    def _streams(self, frames: int) -> StreamWindows:
        return StreamWindows(
            shelf=self.shelf,
            indices=self.split.train,
            background=label_index(self.shelf.cache, self.config),
            config=self.config,
            frames=frames,
            seed=self.run.seed,
        )

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.rows)

    @property
    def is_over(self) -> bool:
        """Whether this was the last epoch, or the last of ``patience`` epochs without a better one."""
        is_stuck = self.config.patience and self.epoch - self.best_epoch >= self.config.patience
        return self.epoch >= self.config.epochs or bool(is_stuck)

    def run_epochs(self) -> None:
        """Trains from the current epoch to the end.

        Raises:
            AppError: Ctrl-C, after which every finished epoch is saved; a loss that is no number; or another process
                that ended.
        """
        try:
            with contextlib.ExitStack() as stack:
                journal = None
                if self.processes.is_first:
                    journal = stack.enter_context(Journal(self.run.path, self.rows))
                    if not self.epoch:
                        self._save("last")  # so that a run interrupted in its first epoch can be resumed
                total, done = self.learner.total_steps, self.learner.steps
                bar = stack.enter_context(Bar(total=total, done=done, is_shown=self.processes.is_first))
                while not self.is_over:
                    self._run_epoch(bar)
                    bar.show(self.rows[-1])
                    if journal:
                        journal.write(self.rows)
        except KeyboardInterrupt:
            if self.run.is_new:
                raise
            raise AppError(
                f"Interrupted; {self.run.load('last')['epoch']} of {self.config.epochs} epochs are saved.",
                remedy=f"Continue with: python -m training train --resume {shlex.quote(str(self.run.path))}",
            ) from None

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a checkpoint; raises ``TrainingDataError`` where it does not fit."""
        try:
            self.learner.restore(state)
            self.rows = [{str(name): float(value) for name, value in row.items()} for row in state["rows"]]
            self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
            if self.learner.steps != self.epoch * self.windows.steps or math.isnan(self.best):
                raise ValueError
        except UNFIT:
            raise TrainingDataError(
                f"The checkpoint of {self.run.path} does not fit its settings.", remedy="Train again."
            ) from None

    def _run_epoch(self, bar: Bar) -> None:
        began = time.perf_counter()
        learned = self._learn(bar)
        if not math.isfinite(learned.loss):
            raise AppError(
                f"The loss of epoch {self.epoch + 1} is no number: the training of {self.run.path} has diverged.",
                remedy="Train again with a smaller learning_rate, or with gradient_clip.",
            )
        row: Row = {
            "epoch": float(self.epoch + 1),
            "learning_rate": self.learner.learning_rate,
            "train_loss": learned.loss,
            "train_top1": learned.top1,
        }
        whole = span = Scores(math.nan, math.nan)
        if len(self.split.validation):
            whole, span = self._validate()
        row |= {"val_loss": whole.loss, "val_top1": whole.top1, "val_top1_span": span.top1}
        # Both count: a model that knows whole clips only is useless live. The loss settles equal shares.
        score = (whole.top1 + span.top1) / 2 - 1e-4 * whole.loss
        is_better = not self.best_epoch or not len(self.split.validation) or score > self.best
        row["seconds"] = time.perf_counter() - began
        self.rows.append(row)
        if is_better:
            self.best, self.best_epoch = -math.inf if math.isnan(score) else score, self.epoch
        if self.processes.is_first:
            for name in ("best", "last") if is_better else ("last",):
                self._save(name)

    def _learn(self, bar: Bar) -> Scores:
        self.learner.network.train()
        # Summed where the batches are: reading a number off a GPU would wait for every step.
        total = torch.zeros(3, dtype=torch.float64, device=self.processes.device)  # loss, right answers, windows
        for batch in self.windows.epoch(self.epoch):
            loss, logits = self.learner.step(batch)
            right = (logits.argmax(dim=1) == batch.labels).sum()
            total += torch.stack(
                [loss.double() * len(logits), right.double(), torch.ones_like(total[0]) * len(logits)]
            )
            bar.update()
        return _scores(self.processes.sum(total))

    @torch.no_grad()
    def _validate(self) -> tuple[Scores, Scores]:
        """Returns the scores of whole clips, and of the middle ``span_s`` seconds of each."""
        network = self.learner.averaged.eval()
        self.processes.share_buffers(network)
        totals = torch.zeros(2, 3, dtype=torch.float64, device=self.processes.device)
        mine = np.array_split(self.split.validation, self.processes.count)[self.processes.rank]
        for part in np.array_split(mine, math.ceil(len(mine) / VALIDATION_BATCH) or 1):
            if not len(part):  # fewer clips than processes
                continue
            clips = self.shelf.take(part)
            whole = batches.whole_times(clips.duration_s, self.frames)
            span = batches.middle_times(clips.duration_s, self.frames, span_s=self.config.span_s)
            for total, moments_s in zip(totals, (whole, span)):
                logits = network(*batches.resample(clips, moments_s)).logits
                total[0] += functional.cross_entropy(logits, clips.labels, reduction="sum")
                total[1] += (logits.argmax(dim=1) == clips.labels).sum()
                total[2] += len(part)
        whole_total, span_total = self.processes.sum(totals)
        return _scores(whole_total), _scores(span_total)

    def _save(self, name: str) -> None:
        state = {"epoch": self.epoch, "rows": self.rows, "best": self.best, "best_epoch": self.best_epoch}
        self.run.save(name, self.learner.state() | state)


def is_held(config: TrainingConfig, cache: Cache, device: torch.device) -> bool:
    """Returns whether all frames of a cache go into the memory of the device that trains."""
    if config.data_on_device != "auto":
        return config.data_on_device == "yes"
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return held_bytes(cache) <= HELD_ON_GPU_SHARE * free
    return held_bytes(cache) <= HELD_ON_CPU_BYTES


def _scores(total: torch.Tensor) -> Scores:
    loss, right, count = total.tolist()
    return Scores(loss / count, right / count)
