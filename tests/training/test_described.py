"""What a model file says of itself: shown, and completed with what was measured on it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ConfigError, TrainingDataError
from training.__main__ import main
from training.described import describe
from training.export import export


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
    for top1 in ("5", "-1", "true", "1e308"):
        values = f'{{"dataset": "x", "protocol": "y", "top1": {top1}, "macro_f1": 0.5, "top1_live": 0.5}}'
        other.write_text(values, encoding="utf-16")
        assert main(["card", str(model), "--results", str(other), "--output", str(output)]) == 1
        assert "numbers from 0 to 1" in capsys.readouterr().err and not output.exists()
    assert main(["card", str(model), "--note", "x"]) == 1 and "--output FILE goes with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            [{"dataset": "ui-prmd"}], "the dataset of .*0.json is ui-prmd and that of", id="another data set"
        ),
        pytest.param([{"protocol": "loso-1"}], "the protocol of", id="another protocol"),
        pytest.param([{"network": "tiny"}], "the network of .* and that of .* csta_cnn", id="another network"),
        pytest.param([{"attention": "none"}], "the attention of", id="without attention"),
        pytest.param([{"seed": 4}], "the seed of .*0.json is 4 and that of .* 3", id="another run"),
        pytest.param([{"temperature": 1.3}], "the temperature of .*0.json is 1.3 and that of", id="once calibrated"),
        pytest.param([{}, {"seed": 5, "attention": "s"}], "the attention of .*1.json", id="another one beside it"),
        pytest.param([{}, {"seed": 3}], "0.json and .*1.json are of seed 3", id="a run twice"),
        pytest.param([{}, {"seed": 4, "per_class": {"a": {}, "b": {}}}], "1.json is of other classes", id="others"),
        pytest.param([{}, {"seed": 4}, {"seed": 5}], "", id="of three seeds"),
    ],
)
def test_results_of_another_model_do_not_come_onto_a_card(
    changes: list[dict], sentence: str, model: Path, tmp_path: Path
) -> None:
    own = {"dataset": "synthetic", "protocol": "odd-even", "network": "csta_cnn", "attention": "st", "seed": 3}
    own |= {"top1": 0.9, "macro_f1": 0.9, "top1_live": 0.8}
    files = [tmp_path / f"{number}.json" for number in range(len(changes))]
    for file, change in zip(files, changes):
        file.write_text(json.dumps(own | change))
    made = (
        lambda: describe(model, results=files),
        lambda: export(model.parent, tmp_path / "new.onnx", results=files) and read_card(tmp_path / "new.onnx"),
    )
    for make in made:
        if sentence:
            with pytest.raises(TrainingDataError, match=sentence):
                make()
        else:
            assert make().results["seeds"]["top1"]["runs"] == 3


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        pytest.param('"\\ud800"', "encodable as UTF-8", id="half a character"),
        pytest.param("NaN", "must hold what 'python -m training evaluate --json' prints", id="no number"),
        pytest.param("[" * 900 + "]" * 900, "must not be nested deeply", id="lists in lists"),
        pytest.param("[" * 90_000 + "]" * 90_000, "must hold what", id="more lists in lists"),
        pytest.param('"' + "x" * (2 << 20) + '"', "must have at most 1 MiB", id="a book"),
    ],
)
def test_what_no_card_can_hold_is_one_sentence(
    value: str, sentence: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = '{"dataset": "synthetic", "protocol": "odd-even", "top1": 0.9, "macro_f1": 0.9, "top1_live": 0.8'
    (tmp_path / "result.json").write_text(f'{own}, "more": {value}}}')
    (tmp_path / "streams.json").write_text(f'{{"engine": {{"more": {value}}}}}')
    output = tmp_path / "new.onnx"
    for flag, name in (("--results", "result.json"), ("--streams", "streams.json")):
        assert main(["card", str(model), flag, str(tmp_path / name), "--output", str(output)]) == 1
        said = capsys.readouterr().err
        wanted = sentence.replace("evaluate", "evaluate-stream") if flag == "--streams" else sentence
        assert wanted in said and said.count("\n") == 1 and not output.exists()


@pytest.mark.parametrize("name", [" ", "a\0b", "two\nlines", os.fsdecode(b"\xff"), "x" * 1_000_000])
def test_a_name_that_nobody_can_read_is_refused(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new.onnx"
    assert main(["card", str(model), "--name", name, "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert "A model's name must be 1 to 200 letters" in said and len(said) < 1000 and not output.exists()
    with pytest.raises(ConfigError, match="A model's name must be"):
        export(model.parent, output, name=name)


def test_a_note_in_bytes_that_are_no_text_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", str(model), "--note", os.fsdecode(b"\xff"), "--output", str(tmp_path / "new.onnx")]) == 1
    assert "encodable as UTF-8" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_results_on_other_clips_do_not_come_onto_the_card_of_a_run(model: Path, tmp_path: Path) -> None:
    result = {"dataset": "synthetic", "protocol": "odd-even", "top1": 0.9, "macro_f1": 0.9, "top1_live": 0.8}
    file = tmp_path / "result.json"
    content = json.loads((model.parent / "run.json").read_text("utf-8"))["content"]
    for found, is_refused in ((content, False), ("other", True)):
        file.write_text(json.dumps(result | {"content": found}))
        if is_refused:
            with pytest.raises(TrainingDataError, match=r"result\.json is of other clips than the run .* began with"):
                export(model.parent, tmp_path / "new.onnx", results=[file])
        else:
            export(model.parent, tmp_path / "new.onnx", results=[file])


@pytest.mark.parametrize(("name", "value"), [("dataset", "machete"), ("protocol", "loso-1")])
def test_streams_of_another_data_set_or_protocol_do_not_come_onto_a_card(
    name: str, value: str, model: Path, tmp_path: Path
) -> None:
    own = {"dataset": "synthetic", "protocol": "odd-even", "engine": {}}
    (tmp_path / "streams.json").write_text(json.dumps(own))
    assert describe(model, streams=tmp_path / "streams.json").results["streams"] == own
    (tmp_path / "streams.json").write_text(json.dumps(own | {name: value}))
    with pytest.raises(TrainingDataError, match=rf"the {name} of .*streams\.json is"):
        describe(model, streams=tmp_path / "streams.json")


def read_card(file: Path) -> ModelCard:
    return Recognizer(file, provider="cpu").card
