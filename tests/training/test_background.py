"""The background class: what is shown for it, who may show it, and that the results say what it costs."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from live.recognizer import Recognizer
from skeleton.errors import ConfigError, TrainingDataError
from skeleton.layout import KINECT_V2, TRACKED, Layout
from tests.live.tiny_model import CARD
from tests.training.conftest import LABELS, LAYOUT, SMALL, clip
from tests.training.test_resume import require_same
from training import background, batches, cache_writer, config, export, protocols, taught, train
from training.__main__ import main
from training.batches import Shelf
from training.cache import open_cache
from training.datasets.base import Clip, Description, Item
from training.evaluate import Answers, _background, evaluate
from training.processes import Processes
from training.run import Run, open_run
from training.windows import Windows

CPU = torch.device("cpu")
FRAMES = 11
SOME = ("background_share=0.25", "span_s=1.2")
STROLLERS = (1, 2, 5, 6)


def stroll(subject: int, *, layout: Layout, frames: int) -> Clip:
    """Somebody walks sideways, 0.8 m a second; the height of each joint is the number of its name, centimeters."""
    joints = np.zeros((frames, 1, len(layout), 3))
    joints[..., 0] = 0.8 * np.arange(frames)[:, None, None] / 30
    joints[..., 1] = [KINECT_V2.index(name) / 100 for name in layout.joints]
    joints[..., 2] = 2.0 + subject
    return Clip(
        item=Item(name=f"stroll-{subject}", label=0, subject=subject, repetition=0, group=subject),
        times_s=np.arange(frames) / 30,
        joints=joints,
        state=np.full((frames, 1, len(layout)), TRACKED),
    )


def write(path: Path, *, layout: Layout = KINECT_V2, persons: int = 1, **changes: object) -> Path:
    """A cache of four people who stroll, the higher their number the longer."""
    made = Description(name="strolls", layout=layout, labels=("stroll",), persons=persons, license="none")
    description = dataclasses.replace(made, **changes)  # type: ignore[arg-type]
    clips = [stroll(subject, layout=layout, frames=100 + 20 * subject) for subject in STROLLERS]
    cache_writer.write(path, description, clips)
    return path


@pytest.fixture(scope="module")
def strolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("caches") / "strolls")


def windows(data: Path, *others: Path, settings: tuple[str, ...] = SOME) -> Windows:
    """The training windows of people 1 and 3 with a background."""
    cache = open_cache(data)
    chosen = config.load(assignments=[*SMALL, *settings]).training
    split = protocols.split(cache, "odd-even")
    shelf = Shelf(cache, CPU, is_held=True)
    sources = background.open_sources(others, cache, "odd-even", split, chosen)
    made = background.windows_of(sources, shelf=shelf, indices=split.train, config=chosen, frames=FRAMES)
    together = Processes(0, 1, CPU)
    return Windows(shelf, split.train, chosen, frames=FRAMES, seed=0, processes=together, background=made)


def drawn(made: Windows, count: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    assert made.background is not None
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    return made.background.draw(count, generator=generator, random=random)


def test_every_batch_has_its_share_and_every_clip_is_still_shown_once(synthetic: Path, strolls: Path) -> None:
    made = windows(synthetic, strolls)
    shown = list(made.epoch(0))
    assert [len(batch.labels) for batch in shown] == [8] * 5
    assert [int((batch.labels == len(LABELS)).sum()) for batch in shown] == [2] * 5
    assert all(batch.targets.shape == (8, len(LABELS) + 1) for batch in shown)
    assert sum(int((batch.labels < len(LABELS)).sum()) for batch in shown) == len(made.indices)


def test_an_epoch_shows_the_same_windows_again_after_any_other(synthetic: Path, strolls: Path) -> None:
    made, other = windows(synthetic, strolls), windows(synthetic, strolls)
    list(other.epoch(0))
    for one, again in zip(made.epoch(3), other.epoch(3)):
        assert torch.equal(one.joints, again.joints) and torch.equal(one.labels, again.labels)


def test_a_batch_that_is_nearly_all_background_still_shows_a_clip(synthetic: Path) -> None:
    shown = list(windows(synthetic, settings=("background_share=0.9", "batch_size=4", "span_s=1.2")).epoch(0))
    assert [int((batch.labels < len(LABELS)).sum()) for batch in shown] == [1] * 30


def test_without_a_share_nothing_is_drawn_and_nothing_changes(synthetic: Path) -> None:
    made = windows(synthetic, settings=("background_share=0", "span_s=1.2"))
    assert made.background is None
    assert next(made.epoch(0)).targets.shape == (8, len(LABELS))


def test_a_pause_is_the_first_or_last_pose_of_a_training_clip_held_unsteadily(synthetic: Path) -> None:
    made = windows(synthetic)
    joints, seen = drawn(made, 40)
    assert joints.shape == (40, 1, FRAMES, len(LAYOUT), 3) and seen.all()
    poses = np.stack(
        [made.shelf.cache.track(index)[1][moment] for index in made.indices.tolist() for moment in (0, -1)]
    )
    nearest = np.array(
        [np.linalg.norm(poses - window.mean(axis=1)[0].numpy(), axis=(1, 2)).min() for window in joints]
    )
    far = np.linalg.norm(poses[0] - open_cache(synthetic).track(10)[1][15])
    assert nearest.max() < 0.4 < far  # in the middle of a movement a pose is much farther from its ends
    moved = (joints - joints.mean(dim=2, keepdim=True)).norm(dim=-1)
    assert 1e-3 < moved.mean() < 0.03


def test_other_data_give_their_joints_by_name_and_are_shown_at_about_live_speed(
    synthetic: Path, strolls: Path
) -> None:
    joints, seen = drawn(windows(synthetic, strolls, settings=(*SOME, "pause_share=0")), 60)
    assert joints.shape == (60, 1, FRAMES, len(LAYOUT), 3) and seen.all()
    wanted = torch.tensor([KINECT_V2.index(name) / 100 for name in LAYOUT.joints])
    assert torch.allclose(joints[..., 1], wanted.expand_as(joints[..., 1]), atol=1e-6)
    spans_s = (joints[:, 0, -1, 0, 0] - joints[:, 0, 0, 0, 0]) / 0.8
    assert 0.59 < spans_s.min() < 0.8 and 1.7 < spans_s.max() < 2.41  # half to twice 1.2 s


def test_half_of_the_background_pauses_and_longer_clips_are_drawn_more_often(synthetic: Path, strolls: Path) -> None:
    joints, _ = drawn(windows(synthetic, strolls), 400)
    depth = joints[:, 0, 0, 0, 2]
    strollers = depth[(depth - depth.round()).abs() < 1e-4].round()
    assert len(strollers) == 200
    assert set(strollers.tolist()) == {3.0, 7.0}  # 2 m and the number of a person, odd
    share = float((strollers == 7).sum()) / len(strollers)
    assert share == pytest.approx(200 / 320, abs=0.1)


def test_one_person_of_the_background_stands_in_a_place_for_two(strolls: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    cache_writer.write(
        pairs,
        Description(name="pairs", layout=LAYOUT, labels=LABELS[:1], persons=2),
        [clip(0, subject, 0, group=subject) for subject in (1, 2)],
    )
    joints, seen = drawn(windows(pairs, strolls, settings=(*SOME, "pause_share=0")), 5)
    assert joints.shape[1] == 2 and seen[:, 0].all() and not seen[:, 1].any()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [1, 5], id="another data set: its training side"),
        pytest.param({"name": "synthetic"}, [1], id="the same data set: the people who train"),
        pytest.param(
            {"protocols": ("takes",)}, [1, 2, 5, 6], id="another data set that is not divided so: everybody"
        ),
    ],
)
def test_nobody_of_the_test_side_trains(
    synthetic: Path, tmp_path: Path, changes: dict[str, object], expected: list[int]
) -> None:
    made = windows(synthetic, write(tmp_path / "strolls", **changes))
    assert made.background is not None
    [source] = made.background.sources
    assert np.unique(source.cache.clips["subject"][source.indices]).tolist() == expected


def chosen_of(
    source: Path, data: Path, protocol: str, *, train: list[int], validation: list[int], settings: Sequence[str] = ()
) -> list[int]:
    """The numbers of the people of a background who train beside the clips ``train`` of the data."""
    chosen = config.load(assignments=[*SOME, *settings]).training
    cache = taught.taught(open_cache(data), chosen)
    test = [index for index in range(len(cache)) if index not in (*train, *validation)]
    split = protocols.Split(*(np.array(side, dtype=np.int64) for side in (train, validation, test)))
    [found] = background.open_sources([source], cache, protocol, split, chosen)
    return found.cache.clips["subject"][found.indices].tolist()


NAMED = {1: "anna", 2: "ben", 5: "cleo", 6: "dora"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(NAMED, [1], id="who trains"),
        pytest.param({1: "emil", 2: "Anna", 5: "ben ", 6: "finn"}, [1, 2, 6], id="other numbers, and strangers"),
        pytest.param({1: "DORA", 2: "ben", 5: "cleo", 6: "emil"}, [6], id="nor who validates or tests"),
        pytest.param({}, [1], id="an older cache without names"),
    ],
)
def test_of_recordings_of_ones_own_people_are_known_by_name(
    tmp_path: Path, names: dict[int, str], expected: list[int]
) -> None:
    data = write(tmp_path / "data", name="folder", people=NAMED)
    other = write(tmp_path / "other", name="folder", people=names, labels=("walk",))
    assert chosen_of(other, data, "odd-even", train=[0], validation=[2]) == expected


def test_where_takes_are_divided_no_take_that_tests_or_validates_is_background(tmp_path: Path) -> None:
    facts = {"name": "folder", "people": NAMED, "protocols": ("takes",)}
    data = write(tmp_path / "data", **facts)
    takes = open_cache(data).clips.copy()
    takes["subject"], takes["repetition"] = 1, [1, 2, 3, 5]
    other = write(tmp_path / "other", labels=("walk",), **facts)
    for path in (data, other):
        np.save(path / "clips.npy", takes)
    found = open_cache(data)
    split = protocols.split(found, "takes", validation_subjects=1)
    [source] = background.open_sources([other], found, "takes", split, config.load(assignments=SOME).training)
    assert takes["repetition"][source.indices].tolist() == takes["repetition"][split.train].tolist() == [3, 5]


def test_a_background_that_cannot_be_used_is_refused_in_a_sentence(
    synthetic: Path, strolls: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="background_share is 0"):
        windows(synthetic, strolls, settings=("background_share=0",))
    small = KINECT_V2.subset("kinect-v2-19", LAYOUT.joints)
    fewer = write(tmp_path / "fewer", layout=small)
    with pytest.raises(TrainingDataError, match="must have the joints of"):
        windows(write(tmp_path / "all"), fewer)
    only = tmp_path / "only"
    cache_writer.write(
        only,
        Description(name="only", layout=KINECT_V2, labels=("stroll",), protocols=("loso",)),
        [stroll(2, layout=KINECT_V2, frames=90), stroll(4, layout=KINECT_V2, frames=90)],
    )
    twin = json.loads((only / "cache.json").read_text()) | {"dataset": "synthetic"}
    (only / "cache.json").write_text(json.dumps(twin))
    with pytest.raises(TrainingDataError, match="must show people who may train"):
        windows(synthetic, only)
    for label in (" ", "\\u0007"):
        with pytest.raises(ConfigError, match="background_label must be a word"):
            config.load(assignments=[f'background_label="{label}"'])


@pytest.mark.parametrize(
    ("label", "other", "settings", "is_refused"),
    [
        pytest.param("squat", "squat", (), True, id="the same label"),
        pytest.param("h\u00fcpfen", "hu\u0308pfen", (), True, id="the same in Unicode's other way"),
        pytest.param("squat", "Squat", (), True, id="the same in capitals"),
        pytest.param("squat", "squats", (), False, id="another label"),
        pytest.param("squat", "squat", ("background_label=squat",), False, id="the background itself"),
        pytest.param("squat", "squat", ('leave_out=["squat"]',), False, id="left out"),
        pytest.param("squat", "SQUAT", ('leave_out=["squat"]',), False, id="left out, spelled otherwise"),
    ],
)
def test_what_is_taught_is_not_taught_as_nothing(
    label: str, other: str, settings: tuple[str, ...], is_refused: bool, tmp_path: Path
) -> None:
    data = write(tmp_path / "data", name="taught", labels=("stroll", "jump", label))
    shown = write(tmp_path / "shown", labels=("walk", other))
    clips = np.load(shown / "clips.npy")
    clips["label"][clips["subject"] == 1] = 1
    np.save(shown / "clips.npy", clips)
    if is_refused:
        with pytest.raises(TrainingDataError, match=f"shown must show no label .* but shows '{label}'.*leave_out"):
            chosen_of(shown, data, "odd-even", train=[0], validation=[2], settings=settings)
    else:
        expected = [5] if any('leave_out=["' in one for one in settings) else [1, 5]
        assert chosen_of(shown, data, "odd-even", train=[0], validation=[2], settings=settings) == expected


def test_a_label_that_only_people_who_do_not_train_show_is_no_matter(tmp_path: Path) -> None:
    data = write(tmp_path / "data", name="taught")
    shown = write(tmp_path / "shown", labels=("walk", "stroll"))
    clips = np.load(shown / "clips.npy")
    clips["label"][clips["subject"] == 2] = 1
    np.save(shown / "clips.npy", clips)
    assert chosen_of(shown, data, "odd-even", train=[0], validation=[2]) == [1, 5]


SETTINGS = (*SMALL, *SOME, "epochs=3", "validation_subjects=0", "dropout=0.3", "mixup=0.3")


def begin(data: Path, others: list[Path], output: Path, *settings: str, is_exported: bool = False) -> Run:
    return train.train(
        data=data,
        protocol="odd-even",
        output=output,
        settings=config.load(assignments=[*SETTINGS, *settings]),
        seed=3,
        is_exported=is_exported,
        background=others,
    )


@pytest.fixture(scope="module")
def run(synthetic: Path, strolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return begin(synthetic, [strolls], tmp_path_factory.mktemp("runs") / "whole", is_exported=True)


def test_two_equal_runs_are_equal_and_one_without_background_is_another(
    run: Run, synthetic: Path, strolls: Path, tmp_path: Path
) -> None:
    require_same(begin(synthetic, [strolls], tmp_path / "twin").load("last"), run.load("last"))
    alone = begin(synthetic, [], tmp_path / "pauses").load("last")
    assert alone["rows"][0]["train_loss"] != run.load("last")["rows"][0]["train_loss"]


def test_a_run_with_background_resumes_bit_for_bit(
    run: Run, synthetic: Path, strolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.loop import Training

    inner, finished = Training._run_epoch, []

    def stopping(training: Training, bar: object) -> None:
        if len(finished) == 1:
            finished.append(0)
            raise KeyboardInterrupt
        finished.append(0)
        inner(training, bar)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "_run_epoch", stopping)
    with pytest.raises(Exception, match="1 of 3 epochs are saved"):
        begin(synthetic, [strolls], tmp_path / "run")
    require_same(train.resume(tmp_path / "run", is_exported=False).load("last"), run.load("last"))


def test_a_run_goes_on_with_its_own_background_alone(synthetic: Path, tmp_path: Path) -> None:
    others = write(tmp_path / "others")
    begin(synthetic, [others], tmp_path / "run", "epochs=1")
    shutil.rmtree(others)
    write(others, layout=LAYOUT)
    clips = np.load(others / "clips.npy")
    clips["subject"] += 2
    np.save(others / "clips.npy", clips)
    with pytest.raises(TrainingDataError, match="hold other clips"):
        train.resume(tmp_path / "run")


def test_run_and_card_say_what_the_background_is_made_of(run: Run) -> None:
    facts = open_run(run.path).facts
    assert facts["labels"] == [*LABELS, "nothing"]
    assert facts["background"]["datasets"] == [
        {"dataset": "strolls", "clips": 2, "subjects": [1, 5], "license": "none"}
    ]
    card = Recognizer(run.path / "model.onnx", provider="cpu").card
    assert card.license == "Weights: GPL-3.0-or-later. Data: none needed. Background: none (strolls)."
    assert (card.background, card.labels, card.actions) == ("nothing", (*LABELS, "nothing"), LABELS)
    assert card.trained_on["background"]["datasets"] == facts["background"]["datasets"]
    assert "data" not in card.trained_on["background"]  # where it lay is nobody's business
    assert len(card.feature_centers) == 4 and len(card.feature_centers[0]) == 12
    assert card.feature_scale > 0 and card.unknown_distance == 0


def test_a_label_of_the_data_set_can_be_the_background(synthetic: Path, strolls: Path, tmp_path: Path) -> None:
    made = begin(synthetic, [strolls], tmp_path / "run", "background_label=squat", "epochs=1", is_exported=True)
    card = Recognizer(made.path / "model.onnx", provider="cpu").card
    assert (card.background, card.labels) == ("squat", LABELS)
    result = evaluate(made.path / "model.onnx", synthetic, "odd-even", shares=(1.0,))
    confusion = np.array(result["confusion"])
    assert result["background"]["answers"] == pytest.approx(confusion[:2, 2].sum() / 20, abs=1e-4)


def test_a_background_answer_is_a_wrong_answer(run: Run, synthetic: Path) -> None:
    result = evaluate(run.path / "model.onnx", synthetic, "odd-even", shares=(1.0,))
    confusion = np.array(result["confusion"])
    assert confusion.shape == (4, 4) and confusion.sum() == result["samples"] == 30
    assert result["top1"] == pytest.approx(np.trace(confusion) / 30, abs=1e-4)
    assert result["background"]["label"] == "nothing"
    assert result["background"]["answers"] == pytest.approx(confusion[:, 3].sum() / 30, abs=1e-4)
    assert result["per_class"]["nothing"]["samples"] == 0


def test_background_answers_are_counted_among_clips_of_actions_alone() -> None:
    card = dataclasses.replace(CARD, background="nothing else")
    answers = Answers(np.eye(3)[[0, 2, 2, 1, 2]], np.eye(3)[[0, 0, 2, 1, 2]], np.empty(0), np.empty(0))
    found = _background(card, np.array([0, 1, 0, 1, 2]), answers)["background"]
    assert (found["answers"], found["answers_live"]) == (0.5, 0.25)
    assert _background(CARD, np.array([0]), answers) == {}


def test_a_network_learns_to_tell_standing_from_actions(synthetic: Path, strolls: Path, tmp_path: Path) -> None:
    made = begin(synthetic, [strolls], tmp_path / "run", "epochs=20", "mixup=0", "dropout=0", "learning_rate=0.01")
    network, _ = export.trained_network(made)
    cache, frames = open_cache(synthetic), network.config.frames
    strangers = np.flatnonzero(cache.clips["subject"] % 2 == 0)
    shelf = Shelf(cache, CPU, is_held=True)
    clips = shelf.take(strangers)
    chosen = config.load(assignments=[*SMALL, *SOME]).training
    still = background.windows_of([], shelf=shelf, indices=strangers, config=chosen, frames=frames)
    assert still is not None
    joints, seen = still.draw(40, generator=torch.Generator().manual_seed(1), random=np.random.default_rng(1))
    with torch.no_grad():
        moving = network(*batches.resample(clips, batches.whole_times(clips.duration_s, frames))).logits.argmax(dim=1)
        standing = network(joints, seen).logits.argmax(dim=1)
    assert (moving == clips.labels).float().mean() > 0.8
    assert (standing == 3).float().mean() > 0.8


def test_the_command_line_gives_a_background_its_share(synthetic: Path, strolls: Path, tmp_path: Path) -> None:
    given = ["train", "--data", str(synthetic), "--protocol", "odd-even", "--background", str(strolls)]
    given += ["--output", str(tmp_path / "run"), "--set", *SMALL, "epochs=1", "span_s=1.2"]
    assert main(given) == 0
    made = open_run(tmp_path / "run")
    assert made.settings.training.background_share == config.USUAL_BACKGROUND_SHARE
    assert made.facts["background"]["data"] == [str(strolls.resolve())]


def test_a_resumed_run_takes_no_other_background(run: Run, strolls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(run.path), "--background", str(strolls)]) == 1
    assert "--background" in capsys.readouterr().err
