"""Windows made a batch at a time are the windows that the app cuts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from skeleton.errors import TrainingDataError
from skeleton.window import cut
from training import batches
from training.cache import Cache, open_cache

FRAMES = 11
INDICES = np.array([3, 17, 29, 40, 59])


def with_lost_joints(path: Path, *, persons: int, share: float) -> Cache:
    """The synthetic cache with ``persons`` people, of whom joints are lost in runs and single frames."""
    opened = open_cache(path)
    random = np.random.default_rng(5)
    joints = np.concatenate([opened.joints + person for person in range(persons)], axis=1)
    state = np.full(joints.shape[:3], 2, dtype=np.int8)
    state[random.random(state.shape) < share] = 0
    for _ in range(int(400 * share)):
        start = random.integers(len(state))
        state[start : start + random.integers(1, 30), random.integers(persons), random.integers(state.shape[2])] = 0
    joints = np.where(state[..., None] > 0, joints, np.float32(1000))  # nobody looks at it
    return dataclasses.replace(opened, joints=joints, state=state)


def moments(clips: batches.Ragged) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "whole": batches.whole_times(clips.duration_s, FRAMES),
        "cropped": batches.cropped_times(clips.duration_s, FRAMES, smallest=0.4, generator=generator),
        "sampled": batches.sampled_times(clips, FRAMES, generator=generator),
        "span": batches.span_times(clips.duration_s, FRAMES, span_s=1.3, generator=generator),
        "middle": batches.middle_times(clips.duration_s, FRAMES, span_s=0.7),
        "outside": torch.linspace(-0.5, 4.0, FRAMES, dtype=torch.float64).expand(len(clips.frames), -1).contiguous(),
    }


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("persons", [1, 2])
def test_a_batch_is_what_the_window_function_cuts(synthetic: Path, persons: int, share: float) -> None:
    opened = with_lost_joints(synthetic, persons=persons, share=share)
    clips = batches.load(opened, INDICES, torch.device("cpu"))
    for name, wanted_s in moments(clips).items():
        joints, seen = batches.resample(clips, wanted_s)
        assert joints.shape == (len(INDICES), persons, FRAMES, len(opened.layout), 3)
        for row, index in enumerate(INDICES):
            start_s, end_s = float(wanted_s[row, 0]), float(wanted_s[row, -1])
            is_even = np.allclose(wanted_s[row], np.linspace(start_s, end_s, FRAMES))
            assert is_even or name in ("sampled", "span"), name
            for person in range(persons):
                expected_joints, expected_seen = (
                    cut(*opened.track(index, person), start_s=start_s, end_s=end_s, frame_count=FRAMES)
                    if is_even
                    else one_by_one(opened.track(index, person), wanted_s[row])
                )
                assert np.array_equal(seen[row, person].numpy(), expected_seen), name
                assert np.allclose(joints[row, person].numpy(), expected_joints, atol=1e-5), name


def one_by_one(track: tuple[np.ndarray, ...], wanted_s: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    parts = [cut(*track, start_s=float(time), end_s=float(time), frame_count=1) for time in wanted_s]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


@pytest.mark.parametrize("frame", [0, -1])
@pytest.mark.parametrize("wrong", [np.nan, -np.inf, 0.0])
def test_a_clip_whose_times_do_not_increase_is_named(synthetic: Path, frame: int, wrong: float) -> None:
    opened = open_cache(synthetic)
    times_s = np.array(opened.times_s)
    rows = opened.rows(17)
    times_s[rows.stop - 1 if frame else rows.start + (wrong == 0)] = wrong
    damaged = dataclasses.replace(opened, times_s=times_s)
    batches.load(damaged, np.delete(INDICES, 1), torch.device("cpu"))
    with pytest.raises(TrainingDataError, match=r"clip 17 \(.+\) has times that do not increase"):
        batches.load(damaged, INDICES, torch.device("cpu"))


def test_the_last_frame_of_every_clip_is_its_end(synthetic: Path) -> None:
    opened = open_cache(synthetic)
    clips = batches.load(opened, INDICES, torch.device("cpu"))
    joints, _ = batches.resample(clips, batches.whole_times(clips.duration_s, FRAMES))
    for row, index in enumerate(INDICES):
        times_s, track, _ = opened.track(index)
        assert float(clips.duration_s[row]) == times_s[-1]
        assert np.allclose(joints[row, 0, -1].numpy(), track[-1]) and np.allclose(joints[row, 0, 0].numpy(), track[0])


def test_sampled_moments_are_frames_in_order_each_at_most_once(synthetic: Path) -> None:
    opened = open_cache(synthetic)
    clips = batches.load(opened, np.arange(len(opened)), torch.device("cpu"))
    wanted_s = batches.sampled_times(clips, 20, generator=torch.Generator().manual_seed(1))
    for row, index in enumerate(range(len(opened))):
        times_s = opened.track(index)[0]
        assert set(wanted_s[row].tolist()) <= set(times_s.tolist())
        assert (np.diff(wanted_s[row]) > 0).all()


def test_a_clip_of_fewer_frames_is_sampled_with_repeats(synthetic: Path) -> None:
    clips = batches.load(open_cache(synthetic), INDICES, torch.device("cpu"))
    wanted_s = batches.sampled_times(clips, 200, generator=torch.Generator().manual_seed(1))
    assert (np.diff(wanted_s.numpy()) >= 0).all() and torch.isfinite(wanted_s).all()
    assert [len(np.unique(row)) for row in wanted_s.numpy()] == clips.frames.tolist()


def test_crops_lie_inside_the_clip_and_are_as_long_as_asked(synthetic: Path) -> None:
    clips = batches.load(open_cache(synthetic), np.arange(60), torch.device("cpu"))
    wanted_s = batches.cropped_times(
        clips.duration_s, FRAMES, smallest=0.6, generator=torch.Generator().manual_seed(1)
    )
    length = (wanted_s[:, -1] - wanted_s[:, 0]) / clips.duration_s
    assert (wanted_s[:, 0] >= 0).all() and (wanted_s[:, -1] <= clips.duration_s + 1e-9).all()
    assert length.min() >= 0.6 - 1e-9 and length.max() > 0.9 and length.min() < 0.7


def test_every_clip_is_in_one_batch_of_an_epoch() -> None:
    indices = np.arange(100, 153)
    parts = list(batches.shuffled(indices, 7, generator=torch.Generator().manual_seed(2)))
    assert sorted(np.concatenate(parts).tolist()) == indices.tolist() and {len(part) for part in parts} == {7, 8}
    again = list(batches.shuffled(indices, 7, generator=torch.Generator().manual_seed(2)))
    assert all(map(np.array_equal, parts, again))
