"""Clips of different lengths -> windows of T frames as tensors, a whole batch at a time.

:func:`resample` is ``skeleton.window.cut`` for a batch in torch, and gives the same numbers; which moments of a
clip a window shows is decided by the ``*_times`` functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from calibration.leveling import level
from skeleton.errors import TrainingDataError
from skeleton.window import MAX_GAP_S
from training.cache import Cache

SLACK_S = 1e-6
"""As in ``skeleton.window.cut``: 1/30 s steps do not add up exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of clips, one after another, and where each joint was last and will next be seen.

    Attributes:
        times_s: (N,) float64 seconds, from 0 in each clip.
        joints: (N, M, V, 3) float32 meters, 0 where not seen.
        before: (N, M, V) int32, the last row at or before this one in which the joint is seen, or -1. It may lie in
            an earlier clip.
        after: (N, M, V) int32, the next one at or after this, or N. It may lie in a later clip.
    """

    times_s: Tensor
    joints: Tensor
    before: Tensor
    after: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """A batch of clips of different lengths.

    Attributes:
        source: The frames that hold them, and maybe others.
        starts: (B,) the first row of each clip in ``source``.
        frames: (B,) how many rows it has.
        times_s: (B, F) float64 seconds; beyond the end of a clip they are infinite.
        labels: (B,) class indices.
    """

    source: Frames
    starts: Tensor
    frames: Tensor
    times_s: Tensor
    labels: Tensor

    @property
    def duration_s(self) -> Tensor:
        """(B,) time of each clip's last frame, seconds."""
        return self.times_s.gather(1, self.frames[:, None] - 1)[:, 0]


class Shelf:
    """The clips of a cache, for training to take batches from.

    Args:
        cache: The data set.
        device: Where the batches are made.
        is_held: Whether all frames are put into the device's memory at once. Otherwise each batch is read from disk.
        is_leveled: Whether joints are given in axes that stand on the floor of their clip.

    Raises:
        TrainingDataError: Leveled joints are wanted, and a clip's floor is not known.
    """

    def __init__(self, cache: Cache, device: torch.device, *, is_held: bool, is_leveled: bool = False) -> None:
        if is_leveled:
            require_floors(cache)
        self.cache, self.device, self.is_leveled = cache, device, is_leveled
        self.held: Frames | None = None
        if is_held:
            every = np.arange(len(cache))
            whole = [slice(0, len(cache.times_s))]
            self.held = _frames(cache, whole, cache.clips["start"], every if is_leveled else (), device)

    def take(self, indices: np.ndarray) -> Ragged:
        """Returns the clips of the given numbers (B,).

        Raises:
            TrainingDataError: The times of one do not increase.
        """
        clips = self.cache.clips[indices]
        starts, frames = clips["start"].astype(np.int64), clips["frames"].astype(np.int64)
        offset = np.arange(frames.max())[None, :]
        rows = starts[:, None] + np.minimum(offset, frames[:, None] - 1)  # (B, F)
        times_s = np.where(offset < frames[:, None], self.cache.times_s[rows], np.inf)
        is_wrong = ~(times_s[:, 1:] > times_s[:, :-1]) & (offset[:, 1:] < frames[:, None])
        if is_wrong.any() or not np.isfinite(times_s[:, 0]).all():
            wrong = is_wrong.any(axis=1) | ~np.isfinite(times_s[:, 0])
            raise self.cache.damaged(int(indices[wrong.argmax()]), "has times that do not increase")
        source = self.held
        if source is None:
            parts = [slice(start, start + count) for start, count in zip(starts.tolist(), frames.tolist())]
            starts = np.cumsum(frames) - frames
            source = _frames(self.cache, parts, starts, indices if self.is_leveled else (), self.device)
        arrays = (starts, frames, times_s, clips["label"].astype(np.int64))
        return Ragged(source, *(torch.from_numpy(array).to(self.device, non_blocking=True) for array in arrays))


def held_bytes(cache: Cache) -> int:
    """Returns the memory that a cache takes on a device."""
    return len(cache.times_s) * (8 + cache.joints[0, ..., 0].size * (3 * 4 + 2 * 4))


def load(cache: Cache, indices: np.ndarray, device: torch.device, *, is_leveled: bool = False) -> Ragged:
    """Reads clips of a cache onto a device, in axes that stand on their floor where ``is_leveled`` says so."""
    return Shelf(cache, device, is_held=False, is_leveled=is_leveled).take(indices)


def require_floors(cache: Cache) -> None:
    """Raises ``TrainingDataError`` unless every clip of a cache has a floor to level it by."""
    floors = cache.clips["floor"]
    unknown = np.flatnonzero(~(np.isfinite(floors).all(axis=1) & (floors[:, 1] > 0)))
    if len(unknown):
        raise TrainingDataError(
            f"Leveled joints need the floor of every clip, but in {cache.path} {len(unknown)} of {len(cache)} have "
            f"none, such as '{cache.name(int(unknown[0]))}'.",
            remedy="Calibrate the sensor of their recordings ('python -m calibration level') and prepare them again, "
            "or use leveled=false.",
        )


def _frames(
    cache: Cache, parts: list[slice], starts: np.ndarray, leveled: Sequence[int] | np.ndarray, device: torch.device
) -> Frames:
    """The rows ``parts`` of a cache; the clips ``leveled``, which begin at ``starts`` among them, are leveled."""
    positions = np.concatenate([cache.joints[part] for part in parts])
    for start, index in zip(starts, leveled):
        floor = cache.floor(int(index))
        assert floor is not None  # see require_floors
        rows = slice(int(start), int(start) + int(cache.clips["frames"][index]))
        positions[rows] = level(positions[rows], floor)
    joints = torch.from_numpy(positions).to(device)
    state = torch.from_numpy(np.concatenate([cache.state[part] for part in parts])).to(device)
    times_s = torch.from_numpy(np.concatenate([cache.times_s[part] for part in parts])).to(device)
    return frames_of(joints, (state > 0) & joints.isfinite().all(dim=3), times_s)


def frames_of(joints: Tensor, seen: Tensor, times_s: Tensor) -> Frames:
    """Returns frames to resample, of joints (N, M, V, 3) meters, which are changed, seen (N, M, V) and times (N,)."""
    row = torch.arange(len(seen), device=seen.device, dtype=torch.int32)[:, None, None]
    before = torch.where(seen, row, -1).cummax(dim=0).values
    after = torch.where(seen, row, len(seen)).flip(0).cummin(dim=0).values.flip(0)
    return Frames(times_s, joints.masked_fill_(~seen[..., None], 0.0), before, after)


def resample(clips: Ragged, wanted_s: Tensor, *, max_gap_s: float = MAX_GAP_S) -> tuple[Tensor, Tensor]:
    """Resamples every clip at its own moments, as ``skeleton.window.cut`` does.

    Args:
        clips: B clips.
        wanted_s: (B, T) float64 moments, not decreasing.
        max_gap_s: The longest gap between seen frames that is bridged.

    Returns:
        joints (B, M, T, V, 3) float32 meters, 0 where not seen, and seen (B, M, T, V) bool.
    """
    source, first = clips.source, clips.starts[:, None]
    last = first + clips.frames[:, None] - 1
    right = first + torch.searchsorted(clips.times_s, wanted_s, side="left")  # (B, T) row at or after the moment
    left = first + torch.searchsorted(clips.times_s, wanted_s, side="right") - 1  # row at or before it
    low = _rows(source.before, left.maximum(first))  # (B, T, M, V)
    high = _rows(source.after, right.minimum(last))
    first, last, left, right = (part[:, :, None, None] for part in (first, last, left, right))
    has_low, has_high = (left >= first) & (low >= first), (right <= last) & (high <= last)
    low, high = low.where(has_low, high), high.where(has_high, low)  # one-sided: hold the nearest
    low, high = low.clamp(first, last), high.clamp(first, last)

    time_low, time_high = source.times_s[low], source.times_s[high]
    gap = time_high - time_low
    wanted = wanted_s[:, :, None, None]
    weight = ((wanted - time_low) / gap.where(gap > 0, 1.0)).clamp(0, 1).float()[..., None]
    joint = torch.arange(low[0, 0].numel(), device=low.device).view(low.shape[2:])  # (M, V) its place in a row
    every = source.joints.view(-1, 3)
    result = torch.lerp(_rows(every, low * joint.numel() + joint), _rows(every, high * joint.numel() + joint), weight)
    nearest = torch.minimum((wanted - time_low).abs(), (wanted - time_high).abs())
    bridged = torch.where(has_low & has_high, gap, nearest) <= max_gap_s + SLACK_S
    seen = (has_low | has_high) & (bridged | (nearest <= SLACK_S))
    result = result.masked_fill(~seen[..., None], 0.0)
    return result.transpose(1, 2).contiguous(), seen.transpose(1, 2).contiguous()


def _rows(source: Tensor, index: Tensor) -> Tensor:
    """Returns ``source[index]`` as int64 or float; faster than indexing, which prepares for any number of axes."""
    rows = source.index_select(0, index.flatten()).view(*index.shape, *source.shape[1:])
    return rows if rows.is_floating_point() else rows.long()


def whole_times(duration_s: Tensor, frames: int) -> Tensor:
    """(B, T) moments evenly spaced over the whole of each clip."""
    return _spread(torch.zeros_like(duration_s), duration_s, frames)


def cropped_times(duration_s: Tensor, frames: int, *, smallest: float, generator: torch.Generator) -> Tensor:
    """(B, T) moments evenly spaced over a random part of each clip, ``smallest`` to 1 of it (paper, section 2.4)."""
    random = _random((2, len(duration_s)), generator, dtype=torch.float64)
    length_s = duration_s * (smallest + (1 - smallest) * random[0])
    start_s = (duration_s - length_s) * random[1]
    return _spread(start_s, start_s + length_s, frames)


def sampled_times(clips: Ragged, frames: int, *, generator: torch.Generator) -> Tensor:
    """(B, T) times of T random frames of each clip, in order (paper, section 2.4); repeated in a clip of fewer."""
    draw = _random(clips.times_s.shape, generator)
    frame = torch.arange(clips.times_s.shape[1], device=draw.device)
    draw = draw.masked_fill(frame >= clips.frames[:, None], torch.inf)
    order = draw.argsort(dim=1)  # (B, F) real frames in random order, then padding
    slot = torch.arange(frames, device=draw.device) % clips.frames[:, None]
    return clips.times_s.gather(1, order.gather(1, slot).sort(dim=1).values)


def span_times(duration_s: Tensor, frames: int, *, span_s: float, generator: torch.Generator) -> Tensor:
    """(B, T) moments evenly spaced over ``span_s`` seconds somewhere in each clip, as a live window shows them.

    In a clip that is shorter than the span, the person stands in the first and last pose for the rest of the time.
    """
    random = _random((len(duration_s),), generator, dtype=torch.float64)
    start_s = (duration_s - span_s) * random  # negative where the clip is shorter
    moments = _spread(start_s, start_s + span_s, frames)
    return moments.clamp(min=0).minimum(duration_s[:, None])


def middle_times(duration_s: Tensor, frames: int, *, span_s: float) -> Tensor:
    """(B, T) moments as :func:`span_times` gives them, always in the middle of the clip."""
    start_s = (duration_s - span_s) / 2
    return _spread(start_s, start_s + span_s, frames).clamp(min=0).minimum(duration_s[:, None])


def shuffled(indices: np.ndarray, count: int, *, generator: torch.Generator) -> list[np.ndarray]:
    """Returns all of ``indices`` once, in random order, in ``count`` batches of nearly equal size."""
    return np.array_split(indices[torch.randperm(len(indices), generator=generator).numpy()], count)


def _spread(start_s: Tensor, end_s: Tensor, frames: int) -> Tensor:
    share = torch.linspace(0, 1, frames, dtype=torch.float64, device=start_s.device)
    return start_s[:, None] + (end_s - start_s)[:, None] * share


def _random(shape: tuple[int, ...], generator: torch.Generator, *, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=dtype, device=generator.device)
