"""Windows without any trained action, for a class that means so: other people's movements, and pauses.

A network that knows only its own actions gives one of them to everybody who merely stands or walks past. So a share
of each batch shows something else, under a label of its own: clips of other data sets, at the speed of a live window
and somewhat slower or faster; and people who stand still, made of the first or last pose of a training clip.

Nobody of the test side trains. Of a cache of the same data set only the people who train are taken (or the takes,
set-ups and cameras, where a protocol divides those), and of one's own recordings also people whom the training data
do not name; of another data set those on the training side of the run's protocol where it has that, so that the
others can still be tested on. A cache that shows a label that is taught is refused: the label would be taught as
nothing too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skeleton.errors import ConfigError, ModelContractError, TrainingDataError
from training import batches, protocols
from training.batches import Shelf, require_floors
from training.cache import Cache, open_cache
from training.config import TrainingConfig
from training.findings import listed
from training.people import digests, may_train, spelled
from training.protocols import Split

SPEEDS = (0.5, 2.0)
"""Background is shown at between half and twice the speed of a live window: a network that sees actions as whole
clips too must not take speed for the difference."""
SWAY_M = (0.02, 0.004, 0.02)
"""How far a person who stands still sways, meters in x, y, z (standard deviation of the amplitude)."""
SWAY_HZ = (0.1, 0.6)
TREMBLE_M = 0.006
"""Largest standard deviation of a joint's noise from frame to frame: a Kinect v2 measures a person who stands 1 to
6 mm off, more at the hands and feet."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Clips of a cache that count as background.

    Attributes:
        cache: The cache.
        indices: Its clips that train.
        joints: (V,) for each joint of the run its index in this cache.
    """

    cache: Cache
    indices: np.ndarray
    joints: np.ndarray


def labels_with(labels: tuple[str, ...], background: str) -> tuple[str, ...]:
    """Returns the classes of a network: the data set's, and the background where it is none of them."""
    return labels if not background or background in labels else (*labels, background)


def label_of(config: TrainingConfig) -> str:
    """Returns the label of the background class, or nothing for a run without one."""
    return config.background_label if config.background_share or config.stream_share else ""


def label_index(cache: Cache, config: TrainingConfig) -> int:
    """Returns the index of the background class of a run that has one."""
    label = label_of(config)
    return labels_with(cache.labels, label).index(label)


def open_sources(
    paths: Sequence[Path], cache: Cache, protocol: str, split: Split, config: TrainingConfig
) -> list[Source]:
    """Opens the caches that serve as background for training on ``cache``.

    Raises:
        TrainingDataError: Not a cache, without the joints of ``cache``, without floors for leveled joints, without
            people who may train, or with clips of a label that is taught.
        ConfigError: There are caches, but no share of the batches for them.
    """
    if paths and not config.background_share:
        raise ConfigError("Background needs a share of the batches, but background_share is 0.")
    return [_source(open_cache(path), cache, protocol, split, config) for path in paths]


def sources_of(run: Mapping[str, Any], cache: Cache, split: Split, config: TrainingConfig) -> list[Source]:
    """Opens the caches that show the background class of a run that was started.

    Args:
        run: What run.json says.
        cache: The training data.
        split: Who trains.
        config: The run's settings.

    Raises:
        TrainingDataError: They are no longer where the run found them, or hold other clips.
    """
    known = run.get("background")
    if not known:
        return []
    paths = known.get("data") if isinstance(known, dict) else None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise TrainingDataError("The run.json of a run with a background must list its caches, but does not.")
    sources = open_sources([Path(path) for path in paths], cache, run["protocol"], split, config)
    if _fingerprint(sources) != known.get("fingerprint"):
        raise TrainingDataError(
            f"A run must go on with the background it began with, but {' and '.join(paths)} hold other clips."
        )
    return sources


def facts_of(sources: Sequence[Source], label: str, config: TrainingConfig) -> dict[str, Any]:
    """Returns what a run and a card say of the background, as plain values."""
    return {
        "label": label,
        "data": [str(source.cache.path.resolve()) for source in sources],
        "datasets": [
            {
                "dataset": source.cache.dataset,
                "clips": len(source.indices),
                "subjects": (subjects := np.unique(source.cache.clips["subject"][source.indices]).tolist()),
                **({"people": digests(source.cache, subjects)} if source.cache.people else {}),
                "license": source.cache.license,
            }
            for source in sources
        ],
        **({} if sources and not config.pause_share else {"pauses": "first and last poses of the training clips"}),
        "fingerprint": _fingerprint(sources),
    }


class BackgroundWindows:
    """Draws windows of background.

    Args:
        label: Index of the class.
        shelf: The training data, for their pauses.
        indices: The clips that train.
        sources: Other data.
        shelves: Their clips, one shelf a source.
        config: The settings.
        frames: T.
    """

    def __init__(
        self,
        label: int,
        *,
        shelf: Shelf,
        indices: np.ndarray,
        sources: Sequence[Source],
        shelves: Sequence[Shelf],
        config: TrainingConfig,
        frames: int,
    ) -> None:
        self.label, self.shelf, self.indices, self.config, self.frames = label, shelf, indices, config, frames
        self.sources, self.shelves = sources, shelves
        self.ratio = config.background_share / (1 - config.background_share - config.stream_share)
        self._place, self._clip, self._share = _weighed(sources)

    def added_to(
        self, joints: Tensor, seen: Tensor, labels: Tensor, *, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns a batch with its share of background behind it.

        Args:
            joints: (B, M, T, V, 3) float32 meters.
            seen: (B, M, T, V) bool.
            labels: (B,).
            generator: For what is drawn in tensors.
            random: For which clips are drawn.
        """
        count = round(len(joints) * self.ratio)
        if not count:
            return joints, seen, labels
        more_joints, more_seen = self.draw(count, generator=generator, random=random)
        more = torch.full((count,), self.label, dtype=labels.dtype, device=labels.device)
        return torch.cat([joints, more_joints]), torch.cat([seen, more_seen]), torch.cat([labels, more])

    def draw(self, count: int, *, generator: torch.Generator, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns joints (count, M, T, V, 3) and seen (count, M, T, V) of background."""
        pauses = round(count * self.config.pause_share) if self.sources else count
        parts = [self._pauses(pauses, generator, random)] if pauses else []
        chosen = np.searchsorted(self._share, random.random(count - pauses) * self._share[-1], side="right")
        for place in range(len(self.sources)):
            clips = self._clip[chosen[self._place[chosen] == place]]
            if len(clips):
                parts.append(self._movements(place, clips, generator))
        joints, seen = zip(*parts)
        return torch.cat(joints), torch.cat(seen)

    def _pauses(self, count: int, generator: torch.Generator, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """People who hold the first or the last pose of a training clip."""
        clips = self.shelf.take(random.choice(self.indices, count))
        is_last = torch.rand((count, 1), generator=generator, device=generator.device) < 0.5
        moment_s = torch.where(is_last, clips.duration_s[:, None], torch.zeros_like(clips.duration_s)[:, None])
        joints, seen = batches.resample(clips, moment_s.repeat(1, self.frames))
        return swaying(joints, span_s=self.config.span_s, generator=generator), seen

    def _movements(self, place: int, clips: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        source, shelf = self.sources[place], self.shelves[place]
        taken = shelf.take(clips)
        low, high = (math.log2(speed) for speed in SPEEDS)
        drawn = torch.rand((len(clips),), generator=generator, device=generator.device, dtype=torch.float64)
        span_s = self.config.span_s * 2 ** (low + (high - low) * drawn)
        moments_s = batches.span_times(taken.duration_s, self.frames, span_s=span_s, generator=generator)
        joints, seen = batches.resample(taken, moments_s)
        return self._fitted(joints[..., source.joints, :]), self._fitted(seen[..., source.joints])

    def _fitted(self, part: Tensor) -> Tensor:
        """Returns (B, M, ...) for the M of the run: the first people, or places that are empty."""
        persons = self.shelf.cache.persons
        part = part[:, :persons]
        missing = part.new_zeros((len(part), persons - part.shape[1], *part.shape[2:]))
        return torch.cat([part, missing], dim=1)


def windows_of(
    sources: Sequence[Source], *, shelf: Shelf, indices: np.ndarray, config: TrainingConfig, frames: int
) -> BackgroundWindows | None:
    """Returns the windows of a run's background class, read as they are drawn; None where they have no share.

    Args:
        sources: Other data than the shelf's; may be none.
        shelf: The training data.
        indices: The clips that train.
        config: The settings.
        frames: T.
    """
    if not config.background_share:
        return None
    return BackgroundWindows(
        label_index(shelf.cache, config),
        shelf=shelf,
        indices=indices,
        sources=sources,
        shelves=[Shelf(one.cache, shelf.device, is_held=False, is_leveled=shelf.is_leveled) for one in sources],
        config=config,
        frames=frames,
    )


def swaying(joints: Tensor, *, span_s: float, generator: torch.Generator) -> Tensor:
    """Returns a pose (B, M, T, V, 3) held for ``span_s`` seconds as a sensor sees it: swaying, and trembling."""
    batch, persons, frames = joints.shape[:3]

    def drawn(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    time_s = torch.linspace(0, span_s, frames, device=joints.device)[:, None]  # (T, 1)
    frequency_hz = SWAY_HZ[0] + (SWAY_HZ[1] - SWAY_HZ[0]) * drawn(batch, persons, 1, 3)
    phase = 2 * math.pi * drawn(batch, persons, 1, 3)
    amplitude = torch.randn((batch, persons, 1, 3), generator=generator, device=generator.device)
    amplitude = amplitude * joints.new_tensor(SWAY_M)
    sway = amplitude * torch.sin(2 * math.pi * frequency_hz * time_s + phase)  # (B, M, T, 3)
    tremble = torch.randn(joints.shape, generator=generator, device=generator.device)
    return joints + sway[:, :, :, None] + TREMBLE_M * drawn(batch, persons, 1, 1, 1) * tremble


def _source(source: Cache, cache: Cache, protocol: str, split: Split, config: TrainingConfig) -> Source:
    try:
        joints = source.layout.select(cache.layout.joints)
    except ModelContractError as error:
        raise TrainingDataError(
            f"The background {source.path} must have the joints of {cache.path}: {error}"
        ) from None
    if config.leveled:
        require_floors(source)
    indices = _trainers(source, cache, protocol, split)
    if not len(indices):
        raise TrainingDataError(
            f"The background {source.path} must show people who may train, but all of its people test in {protocol}."
        )
    indices = indices[~_shows(source, indices, config.leave_out)]
    if not len(indices):
        raise TrainingDataError(f"The background {source.path} must show labels other than those of leave_out.")
    _require_untaught(source, indices, cache, config)
    return Source(source, indices, joints)


def _shows(source: Cache, indices: np.ndarray, labels: Iterable[str]) -> np.ndarray:
    """Which clips (N,) bool show one of the labels, however it is spelled in that cache."""
    wanted = {spelled(label) for label in labels}
    numbers = [number for number, label in enumerate(source.labels) if spelled(label) in wanted]
    return np.isin(source.clips["label"][indices], numbers)


def _require_untaught(source: Cache, indices: np.ndarray, cache: Cache, config: TrainingConfig) -> None:
    """Raises TrainingDataError where clips would be taught as an action and as its absence at once."""
    actions = [label for label in cache.labels if label != label_of(config)]
    shown = [label for label in actions if _shows(source, indices, [label]).any()]
    if shown:
        named = listed([f"'{label}'" for label in shown])
        raise TrainingDataError(
            f"The background {source.path} must show no label that the network is taught, but shows {named}.",
            remedy="Prepare it without them, or name them in leave_out: then they are neither taught nor background.",
        )


def _trainers(source: Cache, cache: Cache, protocol: str, split: Split) -> np.ndarray:
    if source.dataset == cache.dataset:
        kind, number = protocols.find(protocol)
        if kind.validation == "subject":
            allowed = may_train(source, cache, split.train)
        else:  # set-ups or takes are divided, not people
            trained = np.unique(cache.clips[kind.validation][split.train])
            allowed = np.isin(source.clips[kind.validation], trained)
        if kind.shares_people:
            allowed = allowed & kind.sides(source.clips, number)[0]
        return np.flatnonzero(allowed)
    try:
        return np.flatnonzero(protocols.divide(source, protocol)["train"])
    except (ConfigError, TrainingDataError):  # it is not divided like this: other people, none of them tests
        return np.arange(len(source))


def _weighed(sources: Sequence[Source]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every clip of all sources its source and its number there, and the summed shares to draw it by.

    Sources are drawn alike; within one, a long clip more often than a short one.
    """
    places, clips, shares = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]
    for place, source in enumerate(sources):
        frames = source.cache.clips["frames"][source.indices].astype(float)
        places.append(np.full(len(frames), place))
        clips.append(source.indices)
        shares.append(frames / frames.sum())
    summed = np.concatenate(shares).cumsum()
    return np.concatenate(places), np.concatenate(clips), summed if len(summed) else np.ones(1)


def _fingerprint(sources: Sequence[Source]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(np.ascontiguousarray(source.cache.clips).tobytes())
        digest.update(source.indices.astype(np.int64).tobytes())
    return digest.hexdigest()
