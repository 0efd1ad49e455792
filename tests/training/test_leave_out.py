"""Labels that a network is not taught: their clips take no part, and everything that follows says so."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from live.recognizer import Recognizer
from skeleton.errors import AppError, ConfigError, TrainingDataError
from tests.training.conftest import SMALL
from training import background, config, export, protocols, taught, train
from training.__main__ import main
from training.cache import LEFT_OUT, Cache, open_cache
from training.evaluate import WHOLE_ONLY, evaluate
from training.learner import Learner
from training.run import Run, open_run

FIRST = ('leave_out=["raise left"]', "mirror_share=0")
"""The first of the three labels: the others are counted anew."""


def begin(data: Path, output: Path, *settings: str) -> Run:
    chosen = config.load(assignments=[*SMALL, "epochs=2", *FIRST, *settings])
    return train.train(data=data, protocol="odd-even", output=output, settings=chosen, seed=3, is_exported=False)


@pytest.fixture(scope="module")
def run(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was taught two movements of three, on people 1 and 3."""
    learned = ("epochs=12", "average_decay=0.5", "learning_rate=0.01", "validation_subjects=0", "span_s=1.2")
    made = begin(synthetic, tmp_path_factory.mktemp("runs") / "run", *learned)
    export.model_of(made)
    return made


@pytest.fixture(scope="module")
def model(run: Run) -> Path:
    return run.path / "model.onnx"


def spoiled(data: Path, to: Path, label: int) -> Path:
    """A copy of a cache in which nobody can be seen in the clips of a label."""
    shutil.copytree(data, to)
    clips, joints = np.load(to / "clips.npy"), np.load(to / "joints.npy")
    for clip in clips[clips["label"] == label]:
        joints[clip["start"] : clip["start"] + clip["frames"]] = 0.0
    np.save(to / "joints.npy", joints)
    return to


def test_their_clips_change_nothing_of_what_is_learned(synthetic: Path, tmp_path: Path) -> None:
    one = begin(synthetic, tmp_path / "one")
    other = begin(spoiled(synthetic, tmp_path / "left", 0), tmp_path / "other")
    third = begin(spoiled(synthetic, tmp_path / "right", 1), tmp_path / "third")
    first, same, different = (made.load("last") for made in (one, other, third))
    assert all(torch.equal(first["network"][key], same["network"][key]) for key in first["network"])
    assert first["rows"][-1]["val_loss"] == same["rows"][-1]["val_loss"] != different["rows"][-1]["val_loss"]
    assert not all(torch.equal(first["network"][key], different["network"][key]) for key in first["network"])


def test_run_and_card_name_them_and_the_network_has_no_class_for_them(run: Run, model: Path) -> None:
    facts = open_run(run.path).facts
    assert facts["left_out"] == ["raise left"] and facts["labels"] == ["raise right", "squat"]
    with (run.path / "split.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40 and {row["label"] for row in rows} == {"raise right", "squat"}
    assert all(row["name"].startswith(row["label"]) for row in rows)
    card = Recognizer(model, provider="cpu").card
    assert card.labels == ("raise right", "squat") and card.trained_on["left_out"] == ["raise left"]
    assert card.recipe["leave_out"] == ["raise left"] and len(card.feature_centers) == 2


def test_evaluate_counts_the_other_clips_and_says_how_many_it_does_not(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = evaluate(model, synthetic, "odd-even", shares=WHOLE_ONLY)
    assert result["samples"] == 20 and set(result["per_class"]) == {"raise right", "squat"}
    assert result["left_out"] == {"labels": ["raise left"], "clips": 10}
    assert result["top1"] >= 0.9  # the labels that are left are those of their clips
    flags = ["--data", str(synthetic), "--protocol", "odd-even"]
    assert main(["evaluate", "--model", str(model), *flags, "--quick"]) == 0
    assert "not counted: 10 clips of labels that the model was not taught (raise left)" in capsys.readouterr().out
    file = tmp_path / "result.json"
    file.write_text(json.dumps(result), encoding="utf-8")
    assert main(["compare", str(file)]) == 1
    assert "Only results of all labels can be compared" in capsys.readouterr().err


def test_their_clips_are_unknown_actions_of_a_stream(
    model: Path, synthetic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["evaluate-stream", "--model", str(model), "--data", str(synthetic), "--protocol", "odd-even"]
    flags += ["--set", "clips=9", "lead_s=1.5", "pause_s=[0.3, 0.6]"]
    assert main(flags) == 1
    assert "does not know 'raise left'" in capsys.readouterr().err
    assert main([*flags, "--unknown", "raise left", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["unknown_labels"] == ["raise left"] and printed["unknown"]["unknown"] > 0


def test_report_faithfulness_and_doctor_go_on_working(run: Run, model: Path, synthetic: Path, tmp_path: Path) -> None:
    page, curves = tmp_path / "report.html", tmp_path / "curves.png"
    assert main(["report", str(run.path), "--output", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Not counted: 10 clips of labels that it was not taught (raise left)" in text
    flags = ["--data", str(synthetic), "--protocol", "odd-even"]
    assert main(["faithfulness", "--model", str(model), *flags, "--clips", "4", "--output", str(curves)]) == 0
    assert curves.is_file() and main(["doctor", "--data", str(synthetic)]) in (0, 1)


def test_a_run_that_was_stopped_goes_on_without_them_bit_for_bit(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, step = begin(synthetic, tmp_path / "whole"), Learner.step

    def stopping(learner: Learner, batch: object) -> object:
        if learner.steps == 1:  # the second epoch begins
            raise KeyboardInterrupt
        return step(learner, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", stopping)
        with pytest.raises(AppError, match=r"1 of 2 epochs are saved"):
            begin(synthetic, tmp_path / "stopped")
    train.resume(tmp_path / "stopped", is_exported=False)
    one, other = (open_run(tmp_path / name).load("last") for name in ("whole", "stopped"))
    assert all(torch.equal(one["network"][key], other["network"][key]) for key in one["network"])
    assert whole.facts["left_out"] == open_run(tmp_path / "stopped").facts["left_out"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param(
            ['leave_out=["jump"]'], "must be one of .*, found 'jump'.*raise left", id="no label of the data"
        ),
        pytest.param(
            ['leave_out=["raise left", "raise right"]'], "At least two labels must be left", id="one label is left"
        ),
        pytest.param(
            ['leave_out=["raise left"]'], "'raise right' shows 'raise left' when it is mirrored", id="half of a pair"
        ),
        pytest.param(
            ['leave_out=["squat"]', "background_share=0.3", "background_label=squat"],
            "leave_out must not name it",
            id="the background",
        ),
    ],
)
def test_what_cannot_be_left_out_is_one_sentence_before_a_folder_is_made(
    settings: list[str], sentence: str, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data", str(synthetic), "--protocol", "odd-even", "--output", str(tmp_path / "run")]
    assert main(["train", *flags, "--set", *SMALL, *settings]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=sentence):
        train.train(
            data=synthetic,
            protocol="odd-even",
            output=tmp_path / "run",
            settings=config.load(assignments=[*SMALL, *settings]),
        )


def test_a_word_in_place_of_a_list_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="'leave_out' must be"):
        config.load(assignments=["leave_out=squat"])


def only(cache: Cache, subject: int, label: int) -> Cache:
    """A cache in which a person shows a single label."""
    clips = cache.clips.copy()
    clips["label"][clips["subject"] == subject] = label
    return dataclasses.replace(cache, clips=clips)


@pytest.mark.parametrize(
    ("protocol", "side"),
    [pytest.param("loso-2", "test", id="test"), pytest.param("odd-even", "validation", id="val")],
)
def test_a_side_that_only_shows_them_is_one_sentence(synthetic: Path, protocol: str, side: str) -> None:
    cache = only(open_cache(synthetic), 2 if side == "test" else 1, 2)
    view = taught.without(cache, ["squat"])
    assert len(getattr(protocols.split(cache, protocol, validation_subjects=1), side))
    with pytest.raises(TrainingDataError, match=f"all clips of the {side} side"):
        protocols.split(view, protocol, validation_subjects=1)


def test_clips_keep_their_numbers_and_the_other_labels_their_mirrors(synthetic: Path) -> None:
    cache = open_cache(synthetic)
    view = taught.without(cache, ["raise left"])
    assert view.labels == ("raise right", "squat") and view.mirror_labels.tolist() == [0, 1]
    assert taught.without(cache, ["squat"]).mirror_labels.tolist() == [1, 0]
    assert [view.name(index) for index in range(len(view))] == [cache.name(index) for index in range(len(cache))]
    for index in range(len(cache)):
        name, label = cache.name(index).split("/")[0], int(view.clips["label"][index])
        assert label == LEFT_OUT if name == "raise left" else view.labels[label] == name
    assert taught.without(cache, []) is cache


def test_their_clips_do_not_come_back_as_background(synthetic: Path, tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, *FIRST, "background_share=0.3"]).training
    cache = taught.taught(open_cache(synthetic), settings)
    split = train.split_of(cache, "odd-even", settings)
    shutil.copytree(synthetic, tmp_path / "other")
    facts = json.loads((synthetic / "cache.json").read_text()) | {"labels": ["raise left", "wave", "jump"]}
    (tmp_path / "other" / "cache.json").write_text(json.dumps(facts | {"mirrored_labels": []}))
    (source,) = background.open_sources([tmp_path / "other"], cache, "odd-even", split, settings)
    shown = {source.cache.labels[label] for label in source.cache.clips["label"][source.indices]}
    assert shown == {"wave", "jump"}
