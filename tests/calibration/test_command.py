"""``python -m calibration``: fits a recording's sensor, keeps it, and shows what is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from calibration import store
from calibration.__main__ import main
from calibration.color_map import ColorMap
from skeleton.formats import ntu
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.recording import Recording
from tests.recordings import walking_recording

SENSOR = ColorMap.default().shifted(-2.5, 11.0)

pytestmark = pytest.mark.usefixtures("own_settings")


def with_pixels(body: Body) -> Body:
    details = BodyDetails(color_px=SENSOR.project(body.joints))
    return Body(tracking_id=body.tracking_id, joints=body.joints, state=body.state, details=details)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """An NTU file of two people, whose color pixels a sensor with a known map made."""
    plain = walking_recording(frames=9, bodies=2)
    frames = [
        BodyFrame(index=frame.index, time_s=frame.time_s, bodies=tuple(map(with_pixels, frame.bodies)))
        for frame in plain.frames
    ]
    path = tmp_path / "S001C001P001R001A001.skeleton"
    ntu.write(Recording(plain.info, plain.times_s, frames), path)
    return path


def test_fit_keeps_the_sensor_s_map_and_show_prints_it(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(recording), "--sensor", "lab 1"]) == 0
    printed = capsys.readouterr().out
    found = store.load("lab 1")
    assert found is not None and found.color_map is not None
    joints = np.random.default_rng(0).uniform([-0.5, -0.7, 2], [1, 0.7, 3], size=(40, 3))
    assert found.color_map.residuals(joints, SENSOR.project(joints)).max() < 0.5
    assert "px median" in printed and "shift       -2.5" in printed and str(store.path_of("lab 1")) in printed
    assert main(["show"]) == 0
    assert "lab 1" in capsys.readouterr().out
    assert main(["show", "lab 1", "--against", str(recording)]) == 0
    assert f"on {recording.name}: residual 0.00" in capsys.readouterr().out


def test_fit_writes_the_file_it_was_told_to(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.json"
    assert main(["fit", str(recording), "--output", str(output)]) == 0
    assert store.read(output).origin == recording.name and not store.stored()
    capsys.readouterr()
    assert main(["show", str(output)]) == 0
    assert "(not named)" in capsys.readouterr().out


def test_show_without_any_sensor_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show"]) == 0
    assert "No sensor is calibrated yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "unknown"], "There must be a calibration of sensor 'unknown'"),
        (["fit", "nothing.skeleton"], "nothing.skeleton"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and sentence in error and error.count(os.linesep) == 1


def test_a_recording_without_pixels_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.npz"
    from skeleton.formats import npz

    npz.write(walking_recording(frames=5), path)
    assert main(["fit", str(path), "--sensor", "x"]) == 1
    assert "must hold color pixels of the joints, but has none. NTU" in capsys.readouterr().err


def test_a_wrong_flag_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fit"])
    assert caught.value.code == 2
    assert "RECORDING" in capsys.readouterr().err.upper()
