"""Where the time of a training step goes, and how fast the same network learns from a loader of single samples.

    python -m benchmarks.training_speed --data caches/ui-prmd

The loader is PyTorch's DataLoader over a data set that cuts and changes one clip at a time in NumPy, as most code of
the field does it, without a worker and with two. Network, optimizer and settings are the same; but the last way also
computes as such code does where nobody asks for more: in float32, channels first. The ways take turns, so that a busy
machine slows all of them. Both show clips alone, so a recipe with background or streams is refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import describe
from skeleton import command_line
from skeleton.errors import ConfigError
from skeleton.window import cut
from training import arithmetic, config
from training.batches import Shelf
from training.cache import Cache, open_cache
from training.config import Settings
from training.learner import Learner
from training.loop import is_held
from training.processes import Processes
from training.protocols import Split
from training.train import split_of
from training.windows import Batch, Windows

ROUNDS = 3
WARM_UP_STEPS = 5
RECIPE = Path("training/recipes/ui-prmd.toml")
WAYS: tuple[tuple[str, int | None, bool], ...] = (
    ("batches in tensors", None, False),
    ("DataLoader, no worker", 0, False),
    ("DataLoader, 2 workers", 2, False),
    ("no worker, plain", 0, True),
)
"""Name, workers of the loader (None: batches in tensors), and whether it computes as code does that asks for
nothing more."""
Sample = tuple[np.ndarray, np.ndarray, int]


class Clips(Dataset[Sample]):
    """One training window at a time: one random cut of one clip, turned, stretched, mirrored, with joints lost."""

    def __init__(self, cache: Cache, split: Split, settings: Settings, frames: int) -> None:
        self.cache, self.indices, self.config, self.frames = cache, split.train, settings.training, frames
        self.order = np.asarray(cache.layout.mirror_order())
        self.random: np.random.Generator | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> Sample:
        if self.random is None:  # made here, so that every worker has one of its own
            self.random = np.random.default_rng(torch.initial_seed() % 2**63)
        index = int(self.indices[number])
        parts = [self._cut(*self.cache.track(index, person)) for person in range(self.cache.persons)]
        joints, seen = np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts])
        label = int(self.cache.clips["label"][index])
        if self.random.random() < self.config.mirror_share:
            joints, seen = joints[:, :, self.order] * np.float32([-1, 1, 1]), seen[:, :, self.order]
            label = int(self.cache.mirror_labels[label])
        return self._turned(joints, seen), seen & ~self._lost(seen.shape), label

    def _cut(self, times_s: np.ndarray, joints: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        duration_s = float(times_s[-1])
        if self.random.random() < self.config.span_share:
            start_s = max(0.0, (duration_s - self.config.span_s) * self.random.random())
            end_s = min(start_s + self.config.span_s, duration_s)
        elif self.random.random() < self.config.sampling_share:
            chosen = np.sort(self.random.choice(len(times_s), self.frames, replace=len(times_s) < self.frames))
            return np.where(seen[chosen][..., None], joints[chosen], np.float32(0)), seen[chosen]
        else:
            length_s = duration_s * self.random.uniform(self.config.smallest_crop, 1)
            start_s = (duration_s - length_s) * self.random.random()
            end_s = start_s + length_s
        return cut(times_s, joints, seen, start_s=start_s, end_s=end_s, frame_count=self.frames)

    def _turned(self, joints: np.ndarray, seen: np.ndarray) -> np.ndarray:
        angle = math.radians(self.config.rotation_deg) * self.random.uniform(-1, 1)
        cosine, sine = math.cos(angle), math.sin(angle)
        matrix = np.float32([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        matrix *= np.float32(1 + self.config.size_change * self.random.uniform(-1, 1))
        center = joints[seen].mean(axis=0) if seen.any() else np.zeros(3, dtype=np.float32)
        return ((joints - center) @ matrix.T + center).astype(np.float32)

    def _lost(self, shape: tuple[int, ...]) -> np.ndarray:
        persons, frames, joints = shape
        size = (persons, 1, joints)
        first = self.random.integers(0, frames, size)
        frame = np.arange(frames)[None, :, None]
        is_in_gap = (frame >= first) & (frame < first + self.random.integers(1, frames + 1, size))
        return is_in_gap & (self.random.random(size) < self.config.joint_dropout)


class Course:
    """One way to feed one network."""

    def __init__(
        self,
        name: str,
        cache: Cache,
        split: Split,
        settings: Settings,
        *,
        workers: int | None,
        is_plain: bool = False,
    ) -> None:
        self.name, self.rates = name, []
        if is_plain:
            settings = dataclasses.replace(
                settings, training=dataclasses.replace(settings.training, precision="float32")
            )
        processes = Processes(0, 1, torch.device("cpu"))
        shape = settings.network_config(joints=cache.layout.joints, classes=len(cache.labels), persons=cache.persons)
        shelf = Shelf(cache, processes.device, is_held=is_held(settings.training, cache, processes.device))
        self.windows = Windows(
            shelf, split.train, settings.training, frames=shape.frames, seed=0, processes=processes
        )
        self.learner = Learner(settings.training, shape, total_steps=10**6, seed=0, processes=processes)
        if is_plain:
            self.learner.network.to(memory_format=torch.contiguous_format)
        self.learner.network.train()
        self.optimizer_s, self._began_s = 0.0, 0.0
        self.learner.optimizer.register_step_pre_hook(lambda *_: self._begin_optimizer())
        self.learner.optimizer.register_step_post_hook(lambda *_: self._end_optimizer())
        self.loader = None
        if workers is not None:
            self.loader = DataLoader(
                Clips(cache, split, settings, shape.frames),
                batch_size=settings.training.batch_size,
                shuffle=True,
                drop_last=True,
                num_workers=workers,
                persistent_workers=workers > 0,
            )
        self.classes = len(cache.labels)
        self.batches = self._endless()
        for _ in range(WARM_UP_STEPS):
            self.learner.step(next(self.batches))

    def _begin_optimizer(self) -> None:
        self._began_s = time.perf_counter()

    def _end_optimizer(self) -> None:
        self.optimizer_s += time.perf_counter() - self._began_s

    def _endless(self) -> Iterator[Batch]:
        epoch = 0
        while True:
            if self.loader is None:
                yield from self.windows.epoch(epoch)
            else:
                for joints, seen, labels in self.loader:
                    targets = functional.one_hot(labels, self.classes).float()
                    yield Batch(joints, seen, labels, targets, 1.0)
            epoch += 1

    def run(self, seconds: float) -> dict[str, float]:
        """Learns for so long and returns where the time went, seconds a step."""
        batch_s = step_s = windows = steps = 0.0
        self.optimizer_s = 0.0
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < seconds:
            start_s = time.perf_counter()
            batch = next(self.batches)
            middle_s = time.perf_counter()
            self.learner.step(batch)
            batch_s += middle_s - start_s
            step_s += time.perf_counter() - middle_s
            windows += len(batch.labels)
            steps += 1
        self.rates.append(windows / (time.perf_counter() - began_s))
        network_s = step_s - self.optimizer_s
        parts = {"batch": batch_s, "forward, backward, average": network_s, "optimizer": self.optimizer_s}
        return {name: part / steps for name, part in parts.items()}


def main() -> None:
    """Prints the profile and the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder made by prepare")
    parser.add_argument("--protocol", default="odd-even")
    parser.add_argument("--config", type=Path, default=RECIPE)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=command_line.positive, default=2, metavar="N")
    parser.add_argument(
        "--seconds",
        type=command_line.positive_number,
        default=10.0,
        metavar="S",
        help="of each of three turns of each way",
    )
    options = parser.parse_args()
    sys.exit(command_line.run(lambda: _measure(options), is_verbose=False))


def _measure(options: argparse.Namespace) -> None:
    print(describe() + f", torch {torch.__version__}, {options.threads} threads")
    torch.set_num_threads(options.threads)
    cache = open_cache(options.data)
    asked = config.load(file=options.config, assignments=["device=cpu", *options.set])
    _require_clips_alone(asked, options.config)
    settings = arithmetic.settled(asked, torch.device("cpu"))
    split = split_of(cache, options.protocol, settings.training)
    courses = [
        Course(name, cache, split, settings, workers=workers, is_plain=is_plain) for name, workers, is_plain in WAYS
    ]
    for _ in range(ROUNDS):
        for course in courses:
            parts = course.run(options.seconds)
            whole = sum(parts.values())
            shares = ", ".join(f"{name} {1000 * part:.1f} ms ({part / whole:.0%})" for name, part in parts.items())
            print(f"{course.name:22s} {course.rates[-1]:6.0f} samples/s; a step: {shares}")
    rates = [statistics.median(course.rates) for course in courses]
    for course, rate in zip(courses, rates):
        print(
            f"{course.name:22s} median {rate:6.0f} samples/s; batches in tensors are {rates[0] / rate:.2f} times that"
        )


def _require_clips_alone(settings: Settings, recipe: Path) -> None:
    for name in ("background_share", "stream_share"):
        share = getattr(settings.training, name)
        if share:
            raise ConfigError(
                f"The ways are compared on clips alone, but {recipe} has {name} = {share}.",
                remedy="Take another recipe, or --set background_share=0 stream_share=0.",
            )


if __name__ == "__main__":
    main()
