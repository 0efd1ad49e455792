"""Windows out of streams: what they show, what they are labeled with, and that a run with them goes on the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from live.recognizer import Recognizer
from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import LABELS, LAYOUT, SMALL, exported
from tests.training.test_background import write
from tests.training.test_resume import require_same_run, stop_after
from training import background, config, protocols, train
from training.batches import Shelf
from training.cache import open_cache
from training.export import trained_network
from training.learner import Learner
from training.processes import Processes
from training.stream_windows import NOISE_M, STILL_SHARE, StreamWindows
from training.windows import Windows

CPU = torch.device("cpu")
FRAMES = 31
STREAMS = ("stream_share=0.5", "span_s=1.5", "lag_s=0.9")
RAISED_M = 1.25
"""A wrist as high as this is raised, for every person of the data set; no other movement lifts one."""


def made(data: Path, *settings: str) -> StreamWindows:
    """The streams of people 1 and 3, with the first epoch's made."""
    cache = open_cache(data)
    chosen = config.load(assignments=[*SMALL, *STREAMS, *settings]).training
    streams = StreamWindows(
        shelf=Shelf(cache, CPU, is_held=True),
        indices=protocols.split(cache, "odd-even").train,
        background=background.label_index(cache, chosen),
        config=chosen,
        frames=FRAMES,
        seed=3,
    )
    streams.begin(0)
    return streams


def drawn(streams: StreamWindows, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(5)
    joints, seen, labels = streams.draw(count, generator=generator, random=np.random.default_rng(5))
    return joints.numpy(), seen.numpy(), labels.numpy()


def test_a_window_is_labeled_with_what_is_done_the_lag_before_its_end(synthetic: Path) -> None:
    joints, seen, labels = drawn(made(synthetic), 600)
    assert joints.shape == (600, 1, FRAMES, len(LAYOUT), 3) and seen.shape == joints.shape[:4]
    left = joints[:, 0, :, LAYOUT.index("WristLeft"), 1]
    at = round((FRAMES - 1) * (1 - 0.9 / 1.5))
    assert (labels[left[:, at] > RAISED_M] == LABELS.index("raise left")).all()
    assert (left[:, at] > RAISED_M).sum() > 20
    # At its end a window may show the next thing already: that is not what it is called by.
    assert (labels[left[:, -1] > RAISED_M] != LABELS.index("raise left")).any()


def test_all_actions_are_shown_alike_and_the_background_has_its_share(synthetic: Path) -> None:
    labels = drawn(made(synthetic), 4000)[2]
    shares = np.bincount(labels, minlength=4) / len(labels)
    assert shares[3] == pytest.approx(STILL_SHARE, abs=0.03)
    assert shares[:3] == pytest.approx((1 - STILL_SHARE) / 3, abs=0.03)


def test_before_the_first_frame_of_a_person_nothing_is_seen(synthetic: Path) -> None:
    _, seen, _ = drawn(made(synthetic, "span_s=30", "lag_s=0.1"), 400)
    assert (~seen[:, 0, 0]).all(axis=1).any() and seen[:, 0, -1].all()


def test_what_is_not_seen_stays_zero_and_what_is_seen_trembles_within_bounds(synthetic: Path) -> None:
    joints, seen, _ = drawn(made(synthetic, "span_s=30", "lag_s=0.1"), 50)
    assert (joints[~seen] == 0).all()
    feet = joints[:, 0, :, LAYOUT.index("FootLeft"), 1][seen[:, 0, :, LAYOUT.index("FootLeft")]]
    assert 0.0005 < feet.std() < 2 * NOISE_M + 0.005  # the clips' own noise is 5 mm


def test_other_epochs_have_other_streams_and_the_same_epoch_the_same(synthetic: Path) -> None:
    streams = made(synthetic)
    first = drawn(streams, 20)[0]
    streams.begin(1)
    assert not np.array_equal(drawn(streams, 20)[0], first)
    streams.begin(0)
    np.testing.assert_array_equal(drawn(streams, 20)[0], first)


def test_a_batch_holds_clips_streams_and_background_in_their_shares(synthetic: Path) -> None:
    cache = open_cache(synthetic)
    chosen = config.load(assignments=[*SMALL, *STREAMS, "batch_size=20", "background_share=0.25"]).training
    split = protocols.split(cache, "odd-even")
    shelf = Shelf(cache, CPU, is_held=True)
    pauses = background.windows_of([], shelf=shelf, indices=split.train, config=chosen, frames=FRAMES)
    windows = Windows(
        shelf,
        split.train,
        chosen,
        frames=FRAMES,
        seed=0,
        processes=Processes(0, 1, CPU),
        background=pauses,
        streams=made(synthetic, "background_share=0.25"),
    )
    sizes = [len(batch.labels) for batch in windows.epoch(0)]
    assert len(sizes) == windows.steps == 6  # 30 clips, 5 of them in a batch
    assert set(sizes) == {20}


def test_persons_who_are_always_two_make_no_streams(tmp_path: Path) -> None:
    cache = open_cache(write(tmp_path / "pairs", persons=2))
    clips = cache.clips.copy()
    clips["persons"] = 2
    cache = dataclasses.replace(cache, clips=clips)
    chosen = config.load(assignments=[*SMALL, *STREAMS]).training
    with pytest.raises(TrainingDataError, match="clips of one person"):
        StreamWindows(
            shelf=Shelf(cache, CPU, is_held=True),
            indices=np.arange(len(cache)),
            background=1,
            config=chosen,
            frames=FRAMES,
            seed=0,
        )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (("stream_share=0.6", "background_share=0.4"), "at least 0.05 of a batch"),
        (("stream_share=0.6", "span_s=1", "lag_s=1.5"), "lag_s must be at most span_s"),
        (("stream_share=0.6", "lag_s=0"), "lag_s must be above 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config.load(assignments=[*SMALL, *settings])


def test_a_model_of_streams_has_a_background_and_says_of_which_moment_it_speaks(
    synthetic: Path, tmp_path: Path
) -> None:
    model = exported(synthetic, tmp_path, "epochs=1", "stream_share=0.5", "lag_s=0.35")
    card = Recognizer(model, provider="cpu").card
    assert card.background == "nothing" and card.labels == (*LABELS, "nothing")
    assert card.lag_s == card.about_s == 0.35
    assert len(card.feature_centers) == 4


def test_a_run_with_streams_goes_on_bit_for_bit(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load(assignments=[*SMALL, *STREAMS, "epochs=2", "validation_subjects=0"])
    asked = {"data": synthetic, "protocol": "odd-even", "settings": settings, "seed": 4, "is_exported": False}
    whole = train.train(output=tmp_path / "whole", **asked)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        stop_after(patch, Learner, "step", 9)  # 30 clips, 4 in a batch: an epoch has eight steps
        with pytest.raises(AppError, match="1 of 2 epochs are saved"):
            train.train(output=tmp_path / "stopped", **asked)  # type: ignore[arg-type]
    require_same_run(train.resume(tmp_path / "stopped", is_exported=False), whole)


def test_a_run_gives_its_last_epoch_where_that_is_asked(synthetic: Path, tmp_path: Path) -> None:
    for keep, epoch in (("last", 3), ("best", 1)):
        chosen = config.load(assignments=[*SMALL, "epochs=3", f"keep={keep}"])
        run = train.train(
            data=synthetic, protocol="odd-even", output=tmp_path / keep, settings=chosen, is_exported=False
        )
        last = run.load("last")  # as if nothing had become better after the first
        run.save("best", last | {"epoch": 1, "rows": last["rows"][:1], "best_epoch": 1})
        assert trained_network(run)[1] == epoch
