"""Clips of different lengths -> windows of T frames as tensors, a whole batch at a time.

:func:`resample` is ``skeleton.window.cut`` for a batch in torch, and gives the same numbers; which moments of a
clip a window shows is decided by the ``*_times`` functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skeleton.window import MAX_GAP_S
from training.cache import Cache

SLACK_S = 1e-6
"""As in ``skeleton.window.cut``: 1/30 s steps do not add up exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Clips of different lengths, padded to the longest by repeating their last frame.

    Attributes:
        times_s: (B, F) float64 seconds; beyond the end of a clip they are infinite.
        joints: (B, F, M, V, 3) float32 meters.
        seen: (B, F, M, V) bool.
        frames: (B,) how many frames are real.
        labels: (B,) class indices.
    """

    times_s: Tensor
    joints: Tensor
    seen: Tensor
    frames: Tensor
    labels: Tensor

    @property
    def duration_s(self) -> Tensor:
        """(B,) time of each clip's last frame, seconds."""
        return self.times_s.gather(1, self.frames[:, None] - 1)[:, 0]


def load(cache: Cache, indices: np.ndarray, device: torch.device) -> Ragged:
    """Reads clips of a cache onto a device."""
    clips = cache.clips[indices]
    frames = clips["frames"].astype(np.int64)
    offset = np.arange(frames.max())[None, :]
    rows = clips["start"][:, None] + np.minimum(offset, frames[:, None] - 1)  # (B, F)
    times = np.where(offset < frames[:, None], cache.times_s[rows], np.inf)
    joints = cache.joints[rows]
    seen = (cache.state[rows] > 0) & np.isfinite(joints).all(axis=-1) & (offset < frames[:, None])[:, :, None, None]
    arrays = (times, np.where(seen[..., None], joints, np.float32(0)), seen, frames, clips["label"].astype(np.int64))
    return Ragged(*(torch.from_numpy(array).to(device) for array in arrays))


def resample(clips: Ragged, wanted_s: Tensor, *, max_gap_s: float = MAX_GAP_S) -> tuple[Tensor, Tensor]:
    """Resamples every clip at its own moments, as ``skeleton.window.cut`` does.

    Args:
        clips: B clips.
        wanted_s: (B, T) float64 moments, not decreasing.
        max_gap_s: The longest gap between seen frames that is bridged.

    Returns:
        joints (B, M, T, V, 3) float32 meters, 0 where not seen, and seen (B, M, T, V) bool.
    """
    batch, frame_count, persons, joints = clips.seen.shape
    right = torch.searchsorted(clips.times_s, wanted_s, side="left")
    left = torch.searchsorted(clips.times_s, wanted_s, side="right") - 1
    frame = torch.arange(frame_count, device=wanted_s.device)[None, :, None, None]
    before = torch.where(clips.seen, frame, -1).cummax(dim=1).values  # (B, F, M, V) last seen frame at or before
    after = torch.where(clips.seen, frame, frame_count).flip(1).cummin(dim=1).values.flip(1)

    def pick(source: Tensor, index: Tensor) -> Tensor:  # (B, F, M, V), (B, T) -> (B, T, M, V)
        return source.gather(1, index[:, :, None, None].expand(-1, -1, persons, joints))

    low = pick(before, left.clamp(min=0)).where((left >= 0)[:, :, None, None], -1)
    high = pick(after, right.clamp(max=frame_count - 1)).where((right < frame_count)[:, :, None, None], frame_count)
    has_low, has_high = low >= 0, high < frame_count
    low, high = low.where(has_low, high), high.where(has_high, low)  # one-sided: hold the nearest
    low, high = low.clamp(0, frame_count - 1), high.clamp(0, frame_count - 1)

    row = torch.arange(batch, device=wanted_s.device)[:, None, None, None]
    time_low, time_high = clips.times_s[row, low], clips.times_s[row, high]
    gap = (time_high - time_low).nan_to_num(posinf=0.0)
    wanted = wanted_s[:, :, None, None]
    weight = ((wanted - time_low) / gap.where(gap > 0, 1.0)).clamp(0, 1).float()[..., None]
    person = torch.arange(persons, device=wanted_s.device)[None, None, :, None]
    joint = torch.arange(joints, device=wanted_s.device)[None, None, None, :]
    result = clips.joints[row, low, person, joint] * (1 - weight) + clips.joints[row, high, person, joint] * weight

    nearest = torch.minimum((wanted - time_low).abs(), (wanted - time_high).abs())
    bridged = torch.where(has_low & has_high, gap <= max_gap_s + SLACK_S, nearest <= max_gap_s + SLACK_S)
    seen = (has_low | has_high) & (bridged | (nearest <= SLACK_S))
    result = result.where(seen[..., None], 0.0)
    return result.transpose(1, 2).contiguous(), seen.transpose(1, 2).contiguous()


def whole_times(duration_s: Tensor, frames: int) -> Tensor:
    """(B, T) moments evenly spaced over the whole of each clip."""
    return _spread(torch.zeros_like(duration_s), duration_s, frames)


def cropped_times(duration_s: Tensor, frames: int, *, smallest: float, generator: torch.Generator) -> Tensor:
    """(B, T) moments evenly spaced over a random part of each clip, ``smallest`` to 1 of it (paper, section 2.4)."""
    random = torch.rand((2, len(duration_s)), generator=generator, dtype=torch.float64).to(duration_s.device)
    length_s = duration_s * (smallest + (1 - smallest) * random[0])
    start_s = (duration_s - length_s) * random[1]
    return _spread(start_s, start_s + length_s, frames)


def sampled_times(clips: Ragged, frames: int, *, generator: torch.Generator) -> Tensor:
    """(B, T) times of T random frames of each clip, in order (paper, section 2.4); repeated in a clip of fewer."""
    draw = torch.rand((len(clips.frames), clips.times_s.shape[1]), generator=generator).to(clips.times_s.device)
    frame = torch.arange(clips.times_s.shape[1], device=draw.device)
    draw = draw.masked_fill(frame >= clips.frames[:, None], torch.inf)
    order = draw.argsort(dim=1)  # (B, F) real frames in random order, then padding
    slot = torch.arange(frames, device=draw.device) % clips.frames[:, None]
    return clips.times_s.gather(1, order.gather(1, slot).sort(dim=1).values)


def span_times(duration_s: Tensor, frames: int, *, span_s: float, generator: torch.Generator) -> Tensor:
    """(B, T) moments evenly spaced over ``span_s`` seconds somewhere in each clip, as a live window shows them.

    In a clip that is shorter than the span, the person stands in the first and last pose for the rest of the time.
    """
    random = torch.rand(len(duration_s), generator=generator, dtype=torch.float64).to(duration_s.device)
    start_s = (duration_s - span_s) * random  # negative where the clip is shorter
    moments = _spread(start_s, start_s + span_s, frames)
    return moments.clamp(min=0).minimum(duration_s[:, None])


def middle_times(duration_s: Tensor, frames: int, *, span_s: float) -> Tensor:
    """(B, T) moments as :func:`span_times` gives them, always in the middle of the clip."""
    start_s = (duration_s - span_s) / 2
    return _spread(start_s, start_s + span_s, frames).clamp(min=0).minimum(duration_s[:, None])


def shuffled(indices: np.ndarray, count: int, *, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Yields all of ``indices`` once, in random order, in ``count`` batches of nearly equal size."""
    yield from np.array_split(indices[torch.randperm(len(indices), generator=generator).numpy()], count)


def _spread(start_s: Tensor, end_s: Tensor, frames: int) -> Tensor:
    share = torch.linspace(0, 1, frames, dtype=torch.float64, device=start_s.device)
    return start_s[:, None] + (end_s - start_s)[:, None] * share
