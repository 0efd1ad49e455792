"""Which windows an epoch shows: the paper's eight of each clip, or other ones each time; and where they come from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import SMALL
from training import batches, config
from training.batches import Shelf, held_bytes
from training.cache import open_cache
from training.loop import is_held
from training.processes import Processes
from training.windows import COPIES, Batch, Windows, strength

CPU = torch.device("cpu")
FRAMES = 11
TRAIN = np.array([3, 5, 8, 17, 29, 40, 59])


def windows(data: Path, *settings: str, seed: int = 0, processes: Processes | None = None) -> Windows:
    shelf = Shelf(open_cache(data), CPU, is_held=True)
    chosen = config.load(assignments=[*SMALL, *settings]).training
    together = processes or Processes(0, 1, CPU)
    return Windows(shelf, TRAIN, chosen, frames=FRAMES, seed=seed, processes=together)


def shown(made: Windows, epoch: int) -> list[bytes]:
    """All windows of an epoch, in an order of their own."""
    return sorted(row.numpy().tobytes() for batch in made.epoch(epoch) for row in batch.joints)


def test_the_papers_windows_are_the_same_eight_of_each_clip_in_every_epoch(synthetic: Path) -> None:
    made = windows(synthetic, "augment=paper", "batch_size=10")
    first, second = shown(made, 0), shown(made, 1)
    assert first == second and len(set(first)) == len(TRAIN) * COPIES and made.steps == 6
    assert shown(windows(synthetic, "augment=paper", seed=1), 0) != first
    order = [[batch.labels.tolist() for batch in made.epoch(epoch)] for epoch in (0, 1)]
    assert order[0] != order[1]


def test_the_papers_windows_are_four_samplings_and_four_croppings(synthetic: Path) -> None:
    made = windows(synthetic, "augment=paper", "smallest_crop=0.6")
    moments_s = made.fixed_s.reshape(COPIES, len(TRAIN), FRAMES)
    for row, index in enumerate(TRAIN):
        times_s = made.shelf.cache.track(int(index))[0]
        for copy in range(COPIES // 2):
            chosen = moments_s[copy, row].tolist()
            assert set(chosen) <= set(times_s.tolist()) and len(set(chosen)) == FRAMES
        crops = moments_s[COPIES // 2 :, row].numpy()
        assert np.allclose(np.diff(crops), np.diff(crops)[:, :1])
        share = (crops[:, -1] - crops[:, 0]) / times_s[-1]
        assert share.min() >= 0.6 - 1e-9 and share.max() <= 1 and len(np.unique(share.round(6))) == COPIES // 2


CHANGES = (
    *("rotation_deg=90", "tilt_deg=20", "size_change=0.2", "build_change=0.2", "arm_turn_deg=20", "noise_m=0.5"),
    *("joint_dropout=1", "limb_dropout=0.5", "mirror_share=1.0", "swap_share=1.0"),
)


def test_every_change_has_a_setting() -> None:
    asked = dataclasses.asdict(strength(config.load(assignments=CHANGES).training))
    assert list(asked.values()) == [float(change.split("=")[1]) for change in CHANGES]


def test_the_papers_windows_are_not_turned_stretched_or_mirrored(synthetic: Path) -> None:
    made = windows(synthetic, "augment=paper", *CHANGES)
    clips = made.shelf.take(np.tile(TRAIN, COPIES))
    expected, _ = batches.resample(clips, made.fixed_s)
    assert shown(made, 0) == sorted(row.numpy().tobytes() for row in expected)


def test_online_windows_are_other_ones_each_epoch_and_every_clip_is_in_one(synthetic: Path) -> None:
    made = windows(synthetic, "mirror_share=0.0", "rotation_deg=0", "size_change=0", "joint_dropout=0")
    first, second = shown(made, 0), shown(made, 1)
    assert len(first) == len(TRAIN) and not set(first) & set(second)
    assert (
        shown(windows(synthetic, "mirror_share=0.0", "rotation_deg=0", "size_change=0", "joint_dropout=0"), 0)
        == first
    )
    labels = sorted(label for batch in made.epoch(0) for label in batch.labels.tolist())
    assert labels == sorted(made.shelf.cache.clips["label"][TRAIN].tolist())


def test_processes_share_each_step_and_their_weights_make_up_for_odd_parts(synthetic: Path) -> None:
    parts = [windows(synthetic, "batch_size=7", processes=Processes(rank, 3, CPU)) for rank in range(3)]
    together: list[tuple[Batch, ...]] = list(zip(*(part.epoch(0) for part in parts)))
    for batches_of_step in together:
        sizes = [len(batch.labels) for batch in batches_of_step]
        assert [batch.weight for batch in batches_of_step] == pytest.approx([3 * size / sum(sizes) for size in sizes])
        assert sum(sizes) == 7 and set(sizes) == {2, 3}
    assert not torch.equal(together[0][0].joints[0], together[0][1].joints[0])


def test_mixed_windows_have_mixed_targets(synthetic: Path) -> None:
    (batch,) = windows(synthetic, "mixup=1.0").epoch(0)
    assert torch.allclose(batch.targets.sum(dim=1), torch.ones(len(TRAIN)))
    assert ((batch.targets > 0.01) & (batch.targets < 0.99)).any()


def test_clips_held_in_memory_are_the_clips_on_disk(synthetic: Path) -> None:
    opened = open_cache(synthetic)
    lost = np.array(opened.state)
    lost[np.random.default_rng(0).random(lost.shape) < 0.3] = 0
    opened = dataclasses.replace(opened, state=lost)
    held, read = (Shelf(opened, CPU, is_held=is_held_) for is_held_ in (True, False))
    assert held.held is not None and read.held is None
    one, other = held.take(TRAIN), read.take(TRAIN)
    moments_s = batches.span_times(one.duration_s, FRAMES, span_s=0.9, generator=torch.Generator().manual_seed(0))
    for a, b in zip(batches.resample(one, moments_s), batches.resample(other, moments_s)):
        assert torch.equal(a, b)


def test_small_caches_are_held_and_large_ones_read(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_cache(synthetic)
    settings = {name: config.load(assignments=[f"data_on_device={name}"]).training for name in ("auto", "yes", "no")}
    frames = Shelf(opened, CPU, is_held=True).held
    taken = sum(
        part.numel() * part.element_size() for part in (frames.times_s, frames.joints, frames.before, frames.after)
    )
    assert held_bytes(opened) == taken
    assert is_held(settings["auto"], opened, CPU) and is_held(settings["yes"], opened, CPU)
    assert not is_held(settings["no"], opened, CPU)
    monkeypatch.setattr("training.loop.HELD_ON_CPU_BYTES", held_bytes(opened) - 1)
    assert not is_held(settings["auto"], opened, CPU)
