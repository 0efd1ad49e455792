"""``python -m calibration``: fits a recording's sensor, keeps it, and shows what is known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from calibration import store
from calibration.__main__ import main
from calibration.color_map import ColorMap
from calibration.floor import Floor, Plane
from calibration.store import Calibration
from skeleton.formats import npz, ntu
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo
from tests.calibration.test_floor import a_person, frame, in_sensor_axes, plane_of
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
    assert error.startswith("error: ") and sentence in error and error.count("\n") == 1


def test_a_recording_without_pixels_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.npz"
    npz.write(walking_recording(frames=5), path)
    assert main(["fit", str(path), "--sensor", "x"]) == 1
    assert "must hold color pixels of the joints, but has none. NTU" in capsys.readouterr().err


def test_fit_keeps_the_floor_that_is_known(recording: Path) -> None:
    known = Floor.from_plane(plane_of(height_m=1.1, tilt_deg=8))
    store.save(Calibration(sensor_id="lab 1", floor=known))
    assert main(["fit", str(recording), "--sensor", "lab 1"]) == 0
    kept = store.load("lab 1")
    assert kept is not None and kept.floor == known and kept.color_map is not None


def leveled_recording(
    path: Path, *, plane: Plane | None, joints: np.ndarray | None, sensor_id: str = "lab 1"
) -> Path:
    """Three seconds of a person before a sensor that reports a plane."""
    times_s = np.arange(90) / 30
    frames = [frame(float(time_s), floor=plane, joints=joints) for time_s in times_s]
    npz.write(Recording(RecordingInfo("npz", None, KINECT_V2, sensor_id=sensor_id), times_s, frames), path)
    return path


STOOD = in_sensor_axes(a_person(), height_m=1.1, tilt_deg=8.0)
SAT = in_sensor_axes(a_person(bend_m=0.4), height_m=1.1, tilt_deg=8.0)
SEEN = plane_of(height_m=1.1, tilt_deg=8.0)
TABLE = plane_of(height_m=0.35, tilt_deg=8.0)


def test_level_keeps_height_and_tilt_beside_the_color_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.save(Calibration(sensor_id="lab 1", color_map=SENSOR))
    path = leveled_recording(tmp_path / "a.npz", plane=SEEN, joints=STOOD)
    assert main(["level", str(path)]) == 0
    kept = store.load("lab 1")
    assert kept is not None and kept.color_map == SENSOR and kept.origin == "a.npz"
    assert kept.floor is not None and kept.floor.is_measured and kept.floor.plane == pytest.approx(SEEN)
    assert "sensor 1.10 m above it, looking down 8.0°, leaning 0.0° (seen by the sensor)" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--standing"]])
def test_a_standing_person_levels_a_sensor_that_sees_no_floor(tmp_path: Path, flags: list[str]) -> None:
    path = leveled_recording(tmp_path / "a.npz", plane=None, joints=STOOD)
    assert main(["level", str(path), *flags]) == 0
    kept = store.load("lab 1")
    assert kept is not None and kept.floor is not None and not kept.floor.is_measured
    assert (kept.floor.tilt_deg, kept.floor.height_m) == pytest.approx((8.0, 1.1), abs=0.5)


def test_with_standing_the_person_is_believed_and_not_the_table(tmp_path: Path) -> None:
    path = leveled_recording(tmp_path / "a.npz", plane=TABLE, joints=STOOD)
    assert main(["level", str(path), "--standing"]) == 0
    kept = store.load("lab 1")
    assert kept is not None and kept.floor is not None and kept.floor.height_m == pytest.approx(1.1, abs=0.06)


@pytest.mark.parametrize(
    ("plane", "joints", "flags", "words"),
    [
        (TABLE, STOOD, [], "takes something else for the floor"),
        (None, SAT, [], "stand upright on both feet for a second, but in 'a.npz' nobody does"),
        (SEEN, SAT, ["--standing"], "Somebody who sits or crouches shows no floor"),
        (None, None, [], "'a.npz' has neither"),
        ((0.0, -1.0, 0.0, 1.1), None, [], "must lie below the sensor"),
        ((0.0, 1.0, 0.0, 0.0), SAT, [], "0.00 m above it"),
        ((0.0, 1.0, 0.0, 10.0), SAT, [], "10.00 m above it"),
    ],
    ids=["a table", "sits", "sits, asked to stand", "nothing", "upside down", "height 0", "height 10"],
)
def test_a_floor_that_cannot_be_measured_is_one_sentence_and_nothing_is_lost(
    tmp_path: Path,
    plane: Plane | None,
    joints: np.ndarray | None,
    flags: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = Calibration(sensor_id="lab 1", floor=Floor.from_plane(SEEN), color_map=SENSOR)
    store.save(known)
    assert main(["level", str(leveled_recording(tmp_path / "a.npz", plane=plane, joints=joints)), *flags]) == 1
    error = capsys.readouterr().err
    assert words in error and error.startswith("error: ") and error.count("\n") == 1
    assert store.load("lab 1") == known


def test_a_recording_of_a_nameless_sensor_asks_for_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = leveled_recording(tmp_path / "a.npz", plane=SEEN, joints=None, sensor_id="")
    assert main(["level", str(path)]) == 1
    assert "'--sensor ID'" in capsys.readouterr().err
    assert main(["level", str(path), "--sensor", "lab 2"]) == 0
    assert store.load("lab 2") is not None


@pytest.mark.parametrize("output", [[], ["--output", "own.json"]])
def test_an_id_that_could_not_be_read_again_is_refused_before_anything_is_written(
    output: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = leveled_recording(tmp_path / "a.npz", plane=SEEN, joints=None, sensor_id="x" * 201)
    assert main(["level", str(path), *output]) == 1
    error = capsys.readouterr().err
    assert "has 201" in error and "'--sensor ID'" in error and error.count("\n") == 1
    assert store.stored() == [] and not (tmp_path / "own.json").exists()
    assert main(["level", str(path), "--sensor", "x" * 200, *output]) == 0
    capsys.readouterr()
    assert main(["show"]) == 0
    assert capsys.readouterr().err == ""


def test_one_damaged_file_hides_no_other_and_calibrating_sets_it_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.save(Calibration(sensor_id="lab 2", floor=Floor.from_plane(SEEN)))
    damaged = store.path_of("lab 1")
    damaged.write_text('{"schema": 1, "floor": [0, 1]}', encoding="utf-8")
    assert main(["show"]) == 1
    printed = capsys.readouterr()
    assert "lab 2" in printed.out and printed.err.count("error: ") == 1 and damaged.name in printed.err
    assert main(["level", str(leveled_recording(tmp_path / "a.npz", plane=SEEN, joints=None))]) == 0
    assert store.load("lab 1") is not None
    assert damaged.with_suffix(".damaged").read_text(encoding="utf-8") == '{"schema": 1, "floor": [0, 1]}'


def test_without_windows_the_kinect_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    if sys.platform == "win32":
        pytest.skip("a Kinect may be plugged in")
    assert main(["level", "--kinect"]) == 1
    assert "A Kinect v2 needs Windows" in capsys.readouterr().err


def test_a_wrong_flag_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fit"])
    assert caught.value.code == 2
    assert "RECORDING" in capsys.readouterr().err.upper()
