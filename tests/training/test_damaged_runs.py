"""A run folder that is damaged, or was made to do harm, is one sentence."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from skeleton.errors import TrainingDataError
from tests.training.test_resume import begin
from training import export, train
from training.run import Run, open_run


@pytest.fixture(scope="module")
def whole(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four epochs."""
    return begin(synthetic, tmp_path_factory.mktemp("runs") / "whole")


def test_a_checkpoint_that_would_grow_is_not_unpacked(synthetic: Path, tmp_path: Path) -> None:
    made = begin(synthetic, tmp_path / "run")
    file = made.path / "last.pt"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(TrainingDataError, match=r"last\.pt is damaged or is not one\. Delete .* and train again"):
        train.resume(made.path)


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"a.", id="IndexError"),
        pytest.param(b"J1.", id="struct.error"),
        pytest.param(b"K\x01Q.", id="AssertionError"),
        pytest.param(b"ctorch._utils\n_rebuild_tensor_v2\n)R.", id="TypeError"),
        pytest.param(b"ctorch._utils\n_rebuild_parameter\n(}\x88}tR.", id="AttributeError"),
        pytest.param(b"cbuiltins\nbytearray\n(\x8a\x0a\0\0\0\0\0\0\0\0\0\x01tR.", id="OverflowError"),
    ],
)
def test_a_checkpoint_that_was_made_to_fail_is_one_sentence(pickled: bytes, whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    file = tmp_path / "run" / "last.pt"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, b"\x80\x02" + pickled if name.endswith("data.pkl") else data)
    with pytest.raises(TrainingDataError, match=r"last\.pt is damaged or is not one\. Delete .* and train again"):
        train.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("averaged", "sentence"),
    [
        pytest.param([], r"does not fit its settings\. Train again", id="a list"),
        pytest.param(None, r"does not fit its settings\. Train again", id="nothing"),
        pytest.param({1: torch.zeros(1)}, r"does not fit its settings\. Train again", id="a number for a name"),
        pytest.param("nan", r"must be finite, but some in .*best\.pt are not\. Train again", id="no numbers"),
    ],
)
def test_weights_that_are_none_are_one_sentence_and_no_model(
    averaged: object, sentence: str, whole: Run, tmp_path: Path
) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    made = open_run(tmp_path / "run")
    state = made.load("best")
    if averaged == "nan":
        averaged = {name: weight * math.nan for name, weight in state["averaged"].items()}
    made.save("best", state | {"averaged": averaged})
    with pytest.raises(TrainingDataError, match=sentence):
        export.export(made.path, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "x"},
        {"seed": 10**30},
        {"subjects": [1]},
        {"subjects": {"train": ["a"]}},
        {"data": 5},
        {"labels": ["a", 3]},
        {"persons": 7},
        {"people": {"1": 2}},
        {"settings": 1},
        {"versions": "x"},
        {"versions": None},
    ],
)
def test_a_run_json_of_other_kinds_is_one_sentence(changes: dict, whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(whole.facts | changes))
    with pytest.raises(TrainingDataError, match=r"another or damaged\. Put back the file"):
        train.resume(tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [{"rows": []}, {"rows": [{"epoch": 1.0}] * 4}, {"best_epoch": float("inf")}, {"epoch": "x"}, {"epoch": 3}],
)
def test_a_checkpoint_whose_epochs_do_not_fit_is_one_sentence(changes: dict, synthetic: Path, tmp_path: Path) -> None:
    made = begin(synthetic, tmp_path / "run")
    made.save("last", made.load("last") | changes)
    with pytest.raises(TrainingDataError, match="the numbers of its epochs"):
        train.resume(made.path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda state: state | {"steps": state["steps"] + 1}, id="a step more than its epochs have"),
        pytest.param(lambda state: state | {"steps": -1}, id="steps below zero"),
        pytest.param(lambda state: state | {"optimizer": {"state": {}}}, id="an optimizer that knows nothing"),
        pytest.param(lambda state: state | {"optimizer": [1]}, id="no optimizer"),
        pytest.param(lambda state: state | {"best": float("nan")}, id="a best score that is no number"),
    ],
)
def test_a_checkpoint_that_training_did_not_write_is_one_sentence(
    change: Callable[[dict[str, Any]], dict[str, Any]], whole: Run, tmp_path: Path
) -> None:
    shutil.copytree(whole.path, tmp_path / "run")
    made = open_run(tmp_path / "run")
    made.save("last", change(made.load("last")))
    with pytest.raises(TrainingDataError, match=r"The checkpoint of .* does not fit its settings\. Train again"):
        train.resume(made.path)
