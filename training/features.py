"""Where the classes of a trained network lie in the space of its embeddings: for the unknown rule of a model card."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from training import batches
from training.background import BackgroundWindows, label_index, label_of, labels_with, sources_of, windows_of
from training.batches import Shelf
from training.cache import Cache
from training.config import TrainingConfig
from training.protocols import Split
from training.run import Run
from training.stream_windows import StreamWindows

MOST_CLIPS = 64
"""Training clips of each class that make its center; with more it stays where it is."""
BACKGROUND_WINDOWS = 256
AT_ONCE = 64
DIGITS = 4
"""Of a center's numbers: a hundredth of a percent of a feature, and half the bytes of float64 in the card."""


@torch.no_grad()
def centers_of(
    network: nn.Module, run: Run, cache: Cache, split: Split
) -> tuple[tuple[tuple[float, ...], ...], float]:
    """Returns the mean embedding of each class of a run over training windows, and how far windows are from it.

    An action's windows show the middle ``span_s`` seconds of its clips, as a live window would.

    Args:
        network: Trained, in evaluation mode.
        run: The run.
        cache: The data it was trained on.
        split: Who trained.

    Returns:
        K centers of E numbers, and the mean distance of a window from the center of its class.

    Raises:
        TrainingDataError: The caches of the background are no longer there.
    """
    config = run.settings.training
    shelf = Shelf(cache, torch.device("cpu"), is_held=False, is_leveled=config.leveled)
    sources = sources_of(run.facts, cache, split, config)
    frames = network.config.frames
    background = windows_of(sources, shelf=shelf, indices=split.train, config=config, frames=frames)
    still = _still(shelf, split, frames, config) if config.stream_share else None
    classes = len(labels_with(cache.labels, label_of(config)))
    embeddings: list[list[np.ndarray]] = [[] for _ in range(classes)]
    for label, joints, seen in _windows(shelf, split, frames, config.span_s, background, still):
        embeddings[label].append(network(joints, seen).embedding.numpy())
    found = [np.concatenate(parts).astype(np.float64) for parts in embeddings]
    centers = [np.round(rows.mean(axis=0), DIGITS) for rows in found]
    apart = np.concatenate([np.linalg.norm(rows - center, axis=1) for rows, center in zip(found, centers)])
    return tuple(tuple(center.tolist()) for center in centers), max(round(float(apart.mean()), DIGITS), 10.0**-DIGITS)


def _windows(
    shelf: Shelf,
    split: Split,
    frames: int,
    span_s: float,
    background: BackgroundWindows | None,
    still: Iterator[tuple[int, Tensor, Tensor]] | None,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yields windows of one class each: its index, joints (B, M, T, V, 3) and seen (B, M, T, V)."""
    random = np.random.default_rng(0)
    labels = shelf.cache.clips["label"][split.train]
    for label in range(len(shelf.cache.labels)):
        chosen = random.permutation(split.train[labels == label])[:MOST_CLIPS]
        clips = shelf.take(chosen)
        moments_s = batches.middle_times(clips.duration_s, frames, span_s=span_s)
        yield label, *batches.resample(clips, moments_s)
    generator = torch.Generator().manual_seed(0)
    for _ in range(BACKGROUND_WINDOWS // AT_ONCE if background is not None else 0):
        assert background is not None
        yield background.label, *background.draw(AT_ONCE, generator=generator, random=random)
    yield from still or ()


def _still(shelf: Shelf, split: Split, frames: int, config: TrainingConfig) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yields the windows of streams in which nothing is done."""
    label = label_index(shelf.cache, config)
    streams = StreamWindows(shelf=shelf, indices=split.train, background=label, config=config, frames=frames, seed=0)
    streams.begin(0)
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    for _ in range(BACKGROUND_WINDOWS // AT_ONCE):
        joints, seen, labels = streams.draw(AT_ONCE, generator=generator, random=random)
        chosen = labels == label
        yield label, joints[chosen], seen[chosen]
