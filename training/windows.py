"""Which windows of which clips an epoch shows: other ones each time, or the paper's eight fixed ones of each clip.

Everything is made a batch at a time, in tensors, on the device that trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training import batches
from training.augment import Strength, augment, mix
from training.background import BackgroundWindows, label_of, labels_with
from training.batches import Shelf
from training.config import TrainingConfig
from training.processes import Processes
from training.stream_windows import StreamWindows

EPOCHS_A_SEED = 1_000_003
"""Distance between the random streams of two seeds; more epochs than anybody trains."""
COPIES = 8
"""Windows of each clip with augment = "paper": half by temporal random sampling, half by cropping (section 3.1)."""
_COPIES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step learns from.

    Attributes:
        joints: (B, M, T, V, 3) float32 meters.
        seen: (B, M, T, V) bool.
        labels: (B,) class indices.
        targets: (B, K) shares of the classes; mixed windows have several.
        weight: Share of this process in the step, times their number: 1 unless batches do not divide evenly.
    """

    joints: Tensor
    seen: Tensor
    labels: Tensor
    targets: Tensor
    weight: float


class Windows:
    """The training windows of a run.

    An epoch's random numbers follow from the seed and its number alone, so that a run can be taken up at any epoch.

    Args:
        shelf: The clips.
        indices: Those that train.
        config: The settings.
        frames: T.
        seed: Of the run.
        processes: Who shares each step.
        background: Windows of a background class, added to every batch; None for a run without one.
        streams: Windows out of streams, likewise.
    """

    def __init__(
        self,
        shelf: Shelf,
        indices: np.ndarray,
        config: TrainingConfig,
        *,
        frames: int,
        seed: int,
        processes: Processes,
        background: BackgroundWindows | None = None,
        streams: StreamWindows | None = None,
    ) -> None:
        self.shelf, self.indices, self.config = shelf, indices, config
        self.background, self.streams = background, streams
        self.frames, self.seed, self.processes = frames, seed, processes
        self.fixed_s = self._fixed_times() if config.augment == "paper" else None
        self.mirror_labels = shelf.cache.mirror_labels.tolist()
        self.mirror_labels += range(len(self.mirror_labels), len(labels_with(shelf.cache.labels, label_of(config))))

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return max(1, round(self._shown() / max(1.0, self.config.batch_size * clip_share(self.config))))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yields the batches of an epoch, and sets the random numbers of dropout."""
        order = torch.Generator().manual_seed(self.seed * EPOCHS_A_SEED + number)
        chosen = batches.shuffled(np.arange(self._shown()), self.steps, generator=order)
        seeds = torch.randint(2**62, (self.processes.count, 3), generator=order)[self.processes.rank].tolist()
        torch.manual_seed(seeds[0])
        generator = torch.Generator(self.shelf.device).manual_seed(seeds[1])
        random = np.random.default_rng(seeds[2])
        if self.streams is not None:
            self.streams.begin(number)
        for everybodys in chosen:
            mine = np.array_split(everybodys, self.processes.count)[self.processes.rank]
            yield self._batch(mine, len(mine) * self.processes.count / len(everybodys), generator, random)

    def _batch(
        self, shown: np.ndarray, weight: float, generator: torch.Generator, random: np.random.Generator
    ) -> Batch:
        clips = self.shelf.take(self.indices[shown % len(self.indices)])
        if self.fixed_s is None:
            moments_s = random_times(clips, self.frames, self.config, generator)
        else:
            moments_s = self.fixed_s[torch.from_numpy(shown).to(self.shelf.device)]
        joints, seen = batches.resample(clips, moments_s)
        labels = clips.labels
        if self.background is not None:
            joints, seen, labels = self.background.added_to(joints, seen, labels, generator=generator, random=random)
        if self.streams is not None:
            count = round(len(clips.labels) * self.streams.ratio)
            more = self.streams.draw(count, generator=generator, random=random)
            joints, seen, labels = (torch.cat(pair) for pair in zip((joints, seen, labels), more))
        if self.fixed_s is None:
            joints, seen, labels = augment(
                joints,
                seen,
                labels,
                strength=strength(self.config),
                layout=self.shelf.cache.layout,
                mirror_labels=self.mirror_labels,
                generator=generator,
            )
        targets = functional.one_hot(labels, len(self.mirror_labels)).float()
        if self.config.mixup:
            joints, seen, targets = mix(joints, seen, targets, parameter=self.config.mixup, random=random)
        return Batch(joints, seen, labels, targets, weight)

    def _shown(self) -> int:
        """Windows in an epoch."""
        return len(self.indices) * (COPIES if self.config.augment == "paper" else 1)

    def _fixed_times(self) -> Tensor:
        """(copies of all clips, T) moments: first all clips by sampling, four times over, then by cropping."""
        generator = torch.Generator(self.shelf.device).manual_seed(self.seed)
        parts = []
        for copy in range(COPIES):
            for start in range(0, len(self.indices), _COPIES_AT_ONCE):
                clips = self.shelf.take(self.indices[start : start + _COPIES_AT_ONCE])
                if copy < COPIES // 2:
                    moments_s = batches.sampled_times(clips, self.frames, generator=generator)
                else:
                    smallest = self.config.smallest_crop
                    moments_s = batches.cropped_times(
                        clips.duration_s, self.frames, smallest=smallest, generator=generator
                    )
                parts.append(moments_s)
        return torch.cat(parts)


def clip_share(config: TrainingConfig) -> float:
    """Returns the share of a batch that shows clips of the data set, one action each."""
    return 1 - config.background_share - config.stream_share


def strength(config: TrainingConfig) -> Strength:
    """Returns how much the settings change a window."""
    return Strength(
        rotation_deg=config.rotation_deg,
        tilt_deg=config.tilt_deg,
        size=config.size_change,
        build=config.build_change,
        arm_turn_deg=config.arm_turn_deg,
        noise_m=config.noise_m,
        joint_dropout=config.joint_dropout,
        limb_dropout=config.limb_dropout,
        mirror=config.mirror_share,
        swap=config.swap_share,
    )


def random_times(clips: batches.Ragged, frames: int, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Returns (B, T) moments: of each clip a span as in live use, a random sample of frames, or a random crop."""
    duration_s = clips.duration_s
    span = batches.span_times(duration_s, frames, span_s=config.span_s, generator=generator)
    sampled = batches.sampled_times(clips, frames, generator=generator)
    cropped = batches.cropped_times(duration_s, frames, smallest=config.smallest_crop, generator=generator)
    draw = torch.rand((2, len(duration_s), 1), generator=generator, device=generator.device)
    whole = torch.where(draw[1] < config.sampling_share, sampled, cropped)
    return torch.where(draw[0] < config.span_share, span, whole)
