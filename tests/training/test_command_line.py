"""What the user reads: one sentence for what cannot be done, and recordings that replay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skeleton.formats.table import open_recording
from tests.training.conftest import LAYOUT
from training.__main__ import main
from training.clip import SENSOR_HEIGHT_M


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param("prepare octopus a.zip --output new", "no data set 'octopus'", id="unknown data set"),
        pytest.param("prepare ui-prmd nowhere.zip --output new", "there is none", id="no archive"),
        pytest.param("train --data {data} --protocol odd-even", "needs --output", id="no run folder"),
        pytest.param("train --data {data} --protocol odd --output new", "no protocol 'odd'", id="unknown protocol"),
        pytest.param("train --data nowhere --protocol odd-even --output new", "no cache.json", id="no cache"),
        pytest.param(
            "train --data {data} --protocol odd-even --output new --set x=1", "no setting 'x'", id="unknown setting"
        ),
        pytest.param(
            "train --data {data} --protocol odd-even --output new --config none.toml",
            "cannot be read",
            id="no recipe",
        ),
        pytest.param("train --data {data} --protocol odd-even --output {data}", "exists already", id="folder there"),
        pytest.param("train --resume new", "has no run.json", id="nothing to resume"),
        pytest.param("train --resume new --seed 3", "keeps its settings", id="another seed for a resumed run"),
        pytest.param("train --resume new --output other", "stays in its folder", id="another folder"),
        pytest.param("evaluate --model no.onnx --data {data} --protocol odd-even", "no.onnx", id="no model"),
        pytest.param("export new --output a.onnx", "has no run.json", id="no run to export"),
        pytest.param("clip --data {data} --output a.npz", "Say which clips", id="no clip named"),
        pytest.param("clip --data {data} --index 60 --output a.npz", "clips 0 to 59", id="no such clip"),
        pytest.param(
            "clip --data {data} --label jump --subject 1 --output a.npz", "no label 'jump'", id="unknown label"
        ),
        pytest.param(
            "clip --data {data} --label squat --subject 9 --output a.npz", "by subject 9", id="unknown person"
        ),
        *(
            pytest.param(
                f"clip --data {{data}} --index 0 {flag} --output a.npz", "not by both", id=f"index and {flag}"
            )
            for flag in ("--label squat", "--subject 0", "--repetition 0")
        ),
        pytest.param("clip --data {data} --index 1 --output a.txt", "a.txt", id="unknown suffix"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments.format(data=synthetic).split()) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert sentence in captured.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", ["", "fly", "prepare ui-prmd", "train --seed -1", "clip --data a --index x"])
def test_bad_flags_end_with_two(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2 and "usage:" in capsys.readouterr().err


def test_everything_that_can_be_chosen_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(
        name in listed for name in ("ui-prmd", "machete", "odd-even", "loso-N", "csta_cnn", "span_s", "attention")
    )


def test_a_clip_becomes_a_recording_at_a_plausible_height(synthetic: Path, tmp_path: Path) -> None:
    output = tmp_path / "clip.npz"
    arguments = [
        "clip",
        "--data",
        str(synthetic),
        "--label",
        "squat",
        "raise left",
        "--subject",
        "2",
        "--repeat",
        "2",
    ]
    assert main([*arguments, "--output", str(output)]) == 0
    recording = open_recording(output)
    assert recording.info.layout == LAYOUT and recording.info.labels["label"] == "squat, raise left"
    assert recording.info.floor == pytest.approx((0, 1, 0, SENSOR_HEIGHT_M))
    assert (np.diff(recording.times_s) > 0).all() and np.diff(recording.times_s).max() < 0.1
    feet = [frame.bodies[0].joints[LAYOUT.index("FootLeft"), 1] for frame in recording.frames]
    assert np.allclose(feet, -SENSOR_HEIGHT_M, atol=0.1)
    base = np.array([frame.bodies[0].joints[LAYOUT.index("SpineBase"), 1] for frame in recording.frames])
    lows = (base[1:] < base.mean() - 0.1).astype(int)
    assert (np.diff(lows) == 1).sum() == 2  # two squats, then an arm twice
