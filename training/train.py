"""Trains a network on a prepared data set.

The same seed gives the same weights on the same machine. Every epoch draws its random numbers from the seed and its
own number, so a run that was interrupted and resumed ends like one that was not.
"""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from models.table import build
from skeleton.errors import AppError, ConfigError, TrainingDataError
from training import batches, protocols
from training.augment import Strength, augment
from training.cache import Cache, open_cache
from training.config import Settings, TrainingConfig
from training.run import Run, open_run, start

COLUMNS = ("epoch", "learning_rate", "train_loss", "train_top1", "val_loss", "val_top1", "val_top1_span", "seconds")
"""Columns of results.csv. val_top1 is of whole clips, val_top1_span of one window of span_s seconds in the middle."""
EPOCHS_A_SEED = 1_000_003
"""Distance between the random streams of two seeds; more epochs than anybody trains."""
VALIDATION_BATCH = 256
"""Windows; no gradients are kept, so a larger batch than in training fits."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean loss and share of right answers of one pass."""

    loss: float
    top1: float


def train(*, data: Path, protocol: str, output: Path, settings: Settings, seed: int = 0, command: str = "") -> Run:
    """Starts a run and trains it to its end.

    Args:
        data: The cache.
        protocol: Who trains; see ``training.protocols``.
        output: The run folder to make.
        settings: All settings.
        seed: What all randomness follows from.
        command: The command line, kept in the run folder.

    Raises:
        AppError: Data, protocol, settings or folder that cannot be used; or Ctrl-C, after which every finished epoch
            is saved.
    """
    cache = open_cache(data)
    split = _split(cache, protocol, settings.training)
    device = choose_device(settings.training.device)
    run = start(output, settings=settings, cache=cache, protocol=protocol, split=split, seed=seed, command=command)
    _Training(run, cache, split, device).run_epochs()
    return run


def resume(path: Path, *, data: Path | None = None) -> Run:
    """Continues an interrupted run to its end.

    Args:
        path: The run folder.
        data: The cache, where it is no longer where the run found it.
    """
    run = open_run(path)
    cache = open_cache(data or Path(run.facts["data"]))
    if (cache.dataset, len(cache)) != (run.facts["dataset"], run.facts.get("clips")):
        raise TrainingDataError(
            f"The run {path} was started on {run.facts.get('clips')} clips of {run.facts['dataset']}, but "
            f"{cache.path} has {len(cache)} of {cache.dataset}."
        )
    split = _split(cache, run.facts["protocol"], run.settings.training)
    training = _Training(run, cache, split, choose_device(run.settings.training.device))
    training.restore(run.load("last"))
    training.run_epochs()
    return run


def choose_device(name: str) -> torch.device:
    """Returns the device for a setting; raises ``ConfigError`` when CUDA was asked for and is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("The setting device is cuda, but PyTorch finds no CUDA here.", remedy="Use device=cpu.")
    return torch.device(name)


def learning_rate_share(step: int, steps: int, *, warm_up: float) -> float:
    """Returns the share of the highest learning rate: a straight rise, then half a cosine down to 0."""
    rising = warm_up * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1.0, steps - rising)))


class _Bar(tqdm):
    """A progress bar without tqdm's own thread, which would outlive the training."""

    monitor_interval = 0


class _Training:
    """A run in progress: network, optimizer, averaged weights, and the epoch they are in."""

    def __init__(self, run: Run, cache: Cache, split: protocols.Split, device: torch.device) -> None:
        self.run, self.cache, self.split, self.device = run, cache, split, device
        self.config = run.settings.training
        self.epoch, self.best = 0, -1.0
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
        torch.manual_seed(run.seed)
        shape = run.settings.network_config(
            joints=cache.layout.joints, classes=len(cache.labels), persons=cache.persons
        )
        self.frames = shape.frames
        # Channels last: the convolutions of a small network are up to twice as fast on a CPU, the numbers the same.
        self.network = build(self.config.network, shape).to(device, memory_format=torch.channels_last)
        # A weight that multiplies is decayed; a bias or a scale of batch normalization is not.
        weights = [weight for weight in self.network.parameters() if weight.dim() > 1]
        others = [weight for weight in self.network.parameters() if weight.dim() <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": weights, "weight_decay": self.config.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
        )
        self.averaged = build(self.config.network, shape).to(device, memory_format=torch.channels_last).eval()
        self.averaged.load_state_dict(self.network.state_dict())
        self.steps_per_epoch = max(1, round(len(split.train) / self.config.batch_size))

    def run_epochs(self) -> None:
        """Trains from the current epoch to the last."""
        total = self.config.epochs * self.steps_per_epoch
        bar = _Bar(
            total=total,
            initial=self.epoch * self.steps_per_epoch,
            unit="step",
            file=sys.stderr,
            mininterval=0.2 if sys.stderr.isatty() else 30.0,
        )
        if self.epoch == 0:
            self._save("last")  # so that a run interrupted in its first epoch can be resumed
        try:
            with bar, SummaryWriter(str(self.run.path)) as board:
                while self.epoch < self.config.epochs:
                    row = self._run_epoch(bar)
                    _log(self.run.path / "results.csv", row, board)
                    text = f"epoch {self.epoch}, train {row['train_top1']:.3f}, val {row['val_top1']:.3f}"
                    bar.set_postfix_str(text, refresh=False)  # drawn with the next step, at most so often
        except KeyboardInterrupt:
            raise AppError(
                f"Interrupted; {self.run.load('last')['epoch']} of {self.config.epochs} epochs are saved.",
                remedy=f"Continue with: python -m training train --resume {self.run.path}",
            ) from None

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a checkpoint."""
        try:
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.best = int(state["epoch"]), float(state["best"])
        except (KeyError, RuntimeError, ValueError, TypeError):
            raise TrainingDataError(
                f"The checkpoint of {self.run.path} does not fit its settings.", remedy="Train again."
            ) from None

    def _run_epoch(self, bar: tqdm[Any]) -> dict[str, float]:
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(self.run.seed * EPOCHS_A_SEED + self.epoch)
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))  # dropout in the network
        learned = self._learn(generator, bar)
        self.epoch += 1
        row: dict[str, float] = {
            "epoch": self.epoch,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": learned.loss,
            "train_top1": learned.top1,
            "val_loss": math.nan,
            "val_top1": math.nan,
            "val_top1_span": math.nan,
        }
        if len(self.split.validation):
            whole, span = self._validate(is_whole=True), self._validate(is_whole=False)
            row |= {"val_loss": whole.loss, "val_top1": whole.top1, "val_top1_span": span.top1}
        # Both count: a model that knows whole clips only is useless live. The loss settles equal shares.
        score = (row["val_top1"] + row["val_top1_span"]) / 2 - 1e-4 * row["val_loss"]
        if math.isnan(score) or score > self.best:
            self.best = -1.0 if math.isnan(score) else score
            self._save("best")
        self._save("last")
        row["seconds"] = time.perf_counter() - began
        return row

    def _learn(self, generator: torch.Generator, bar: tqdm[Any]) -> Scores:
        self.network.train()
        loss_sum, right, count = 0.0, 0, 0
        for joints, seen, labels in self._windows(generator):
            loss, logits = self._step(joints, seen, labels, generator)
            loss_sum += loss * len(labels)
            right += int((logits.argmax(dim=1) == labels).sum())
            count += len(labels)
            bar.update()
        return Scores(loss_sum / count, right / count)

    def _step(self, joints: Tensor, seen: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[float, Tensor]:
        done = int(self.optimizer.state[next(self.network.parameters())].get("step", 0))
        share = learning_rate_share(done, self.config.epochs * self.steps_per_epoch, warm_up=self.config.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * share
        targets = functional.one_hot(labels, len(self.cache.labels)).float()
        if self.config.mixup:
            joints, seen, targets = mix(joints, seen, targets, parameter=self.config.mixup, generator=generator)
        logits = self.network(joints, seen).logits
        loss = functional.cross_entropy(logits, targets, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        # The first steps count fully: the average must forget the random weights it began with.
        _average(self.averaged, self.network, decay=min(self.config.average_decay, (1 + done) / (10 + done)))
        return float(loss.detach()), logits.detach()

    def _windows(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        config = self.config
        strength = Strength(
            rotation_deg=config.rotation_deg,
            tilt_deg=config.tilt_deg,
            size=config.size_change,
            build=config.build_change,
            noise_m=config.noise_m,
            joint_dropout=config.joint_dropout,
            limb_dropout=config.limb_dropout,
            mirror=config.mirror_share,
        )
        for indices in batches.shuffled(self.split.train, self.steps_per_epoch, generator=generator):
            clips = batches.load(self.cache, indices, self.device)
            joints, seen = batches.resample(clips, random_times(clips, self.frames, config, generator))
            yield augment(
                joints,
                seen,
                clips.labels,
                strength=strength,
                layout=self.cache.layout,
                mirror_labels=self.cache.mirror_labels.tolist(),
                generator=generator,
            )

    @torch.no_grad()
    def _validate(self, *, is_whole: bool) -> Scores:
        loss_sum, right = 0.0, 0
        indices = self.split.validation
        for part in np.array_split(indices, math.ceil(len(indices) / VALIDATION_BATCH)):
            clips = batches.load(self.cache, part, self.device)
            if is_whole:
                moments = batches.whole_times(clips.duration_s, self.frames)
            else:
                moments = batches.middle_times(clips.duration_s, self.frames, span_s=self.config.span_s)
            logits = self.averaged(*batches.resample(clips, moments)).logits
            loss_sum += float(functional.cross_entropy(logits, clips.labels, reduction="sum"))
            right += int((logits.argmax(dim=1) == clips.labels).sum())
        return Scores(loss_sum / len(indices), right / len(indices))

    def _save(self, name: str) -> None:
        self.run.save(
            name,
            {
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "epoch": self.epoch,
                "best": self.best,
            },
        )


def random_times(clips: batches.Ragged, frames: int, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Returns (B, T) moments: of each clip a span as in live use, a random sample of frames, or a random crop."""
    duration_s = clips.duration_s
    span = batches.span_times(duration_s, frames, span_s=config.span_s, generator=generator)
    sampled = batches.sampled_times(clips, frames, generator=generator)
    cropped = batches.cropped_times(duration_s, frames, smallest=config.smallest_crop, generator=generator)
    draw = torch.rand((2, len(duration_s), 1), generator=generator).to(duration_s.device)
    whole = torch.where(draw[1] < config.sampling_share, sampled, cropped)
    return torch.where(draw[0] < config.span_share, span, whole)


def mix(
    joints: Tensor, seen: Tensor, targets: Tensor, *, parameter: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixes every window with another one of the batch, joints and targets alike (Zhang et al., ICLR 2018).

    Mixing positions in the room is mixing centered positions: the center of a mixture is the mixture of the centers.
    """
    concentration = torch.tensor([parameter, parameter], dtype=torch.float64)
    share = torch._sample_dirichlet(concentration.expand(len(joints), 2), generator=generator)[:, 0]
    share = share.to(joints)
    other = torch.randperm(len(joints), generator=generator).to(joints.device)
    weight = share[:, None, None, None, None]
    joints = joints * weight + joints[other] * (1 - weight)
    targets = targets * share[:, None] + targets[other] * (1 - share[:, None])
    return joints, seen & seen[other], targets


def _split(cache: Cache, protocol: str, config: TrainingConfig) -> protocols.Split:
    return protocols.split(
        cache,
        protocol,
        validation_subjects=config.validation_subjects,
        validation_fold=config.validation_fold,
    )


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, *, decay: float) -> None:
    for kept, new in zip(averaged.state_dict().values(), network.state_dict().values()):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _log(file: Path, row: dict[str, float], board: SummaryWriter) -> None:
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerow([row["epoch"]] + [f"{row[name]:.6g}" for name in COLUMNS[1:]])
    for name in COLUMNS[1:]:
        if not math.isnan(row[name]):
            board.add_scalar(name, row[name], int(row["epoch"]))
