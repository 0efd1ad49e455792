"""What a model file says of itself: shown, and completed with what was measured on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from live.recognizer import Recognizer
from training.__main__ import main


def graph_of(file: Path) -> onnx.ModelProto:
    model = onnx.load(file)
    del model.metadata_props[:]
    return model


def test_what_was_measured_comes_into_the_card_and_the_graph_stays(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", str(model), "--data", str(synthetic), "--protocol", "odd-even", "--json"]
    clips, streams, output = tmp_path / "clips.json", tmp_path / "streams.json", tmp_path / "finished.onnx"
    assert main(["evaluate", *flags, "--quick"]) == 0
    clips.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["evaluate-stream", *flags, "--set", "clips=3", "lead_s=1.5"]) == 0
    streams.write_text(capsys.readouterr().out, encoding="utf-8")
    measured = ["--results", str(clips), "--streams", str(streams), "--name", "three", "--note", "measured once"]
    assert main(["card", str(model), *measured, "--output", str(output)]) == 0
    printed = json.loads(capsys.readouterr().out)
    card = Recognizer(output, provider="cpu").card
    assert card.name == printed["name"] == "three" and card.results["note"] == "measured once"
    assert card.results["top1"] == json.loads(clips.read_text("utf-8"))["top1"]
    assert card.results["streams"]["engine"] == json.loads(streams.read_text("utf-8"))["engine"]
    assert "timelines" not in card.results["streams"] and "confusion" not in card.results
    assert graph_of(output) == graph_of(model)
    np.testing.assert_array_equal(card.feature_centers, Recognizer(model, provider="cpu").card.feature_centers)


def test_without_changes_the_card_is_shown(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(model)]) == 0
    assert json.loads(capsys.readouterr().out)["feature_centers"] == "3 centers"


def test_a_file_of_something_else_is_refused_and_nothing_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, output = tmp_path / "other.json", tmp_path / "finished.onnx"
    other.write_text('{"engine": 3}', encoding="utf-8")
    for flag, sentence in (("--streams", "evaluate-stream --json"), ("--results", "evaluate --json")):
        assert main(["card", str(model), flag, str(other), "--output", str(output)]) == 1
        assert sentence in capsys.readouterr().err and not output.exists()
    assert main(["card", str(model), "--note", "x"]) == 1 and "--output FILE goes with" in capsys.readouterr().err
