"""The store: what is written comes back, and what somebody else wrote cannot hurt."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from calibration import store
from calibration.color_map import ColorMap
from calibration.floor import Floor
from calibration.store import Calibration
from skeleton.errors import CalibrationError

FULL = Calibration(
    sensor_id="012345670147",
    color_map=ColorMap.default().shifted(1.25, -3.5),
    residual_px=0.0004,
    largest_residual_px=0.03,
    points=1275,
    floor=Floor.from_plane((0.0, 0.98, -0.199, 1.1)),
    origin="S001C001P001R001A001.skeleton",
    created="2026-01-31T12:00:00+00:00",
)

pytestmark = pytest.mark.usefixtures("own_settings")


def test_what_was_saved_is_loaded_again(own_settings: Path) -> None:
    path = store.save(FULL)
    assert own_settings in path.parents
    found = store.load("012345670147")
    assert found is not None and found.floor is not None and FULL.floor is not None
    assert found.floor.plane == pytest.approx(FULL.floor.plane)
    assert found.color_map == FULL.color_map and found.floor.is_measured
    assert (found.residual_px, found.largest_residual_px, found.points) == (0.0004, 0.03, 1275)
    assert (found.origin, found.created) == (FULL.origin, FULL.created)
    assert store.stored() == [path]


def test_a_floor_estimated_from_feet_stays_an_estimate() -> None:
    store.save(Calibration(sensor_id="x", floor=Floor.from_plane((0.0, 1.0, 0.0, 1.0), is_measured=False)))
    found = store.load("x")
    assert found is not None and found.floor is not None and not found.floor.is_measured


def test_an_unknown_sensor_and_one_without_an_id_have_nothing_stored() -> None:
    assert store.load("never seen") is None
    assert store.load("") is None
    assert store.stored() == []


def test_a_calibration_without_a_sensor_needs_a_file() -> None:
    nameless = Calibration(sensor_id="", color_map=FULL.color_map)
    with pytest.raises(CalibrationError, match=r"names no sensor\. Name the sensor with '--sensor ID'"):
        store.save(nameless)


@pytest.mark.parametrize(
    "sensor_id", ["../../etc/passwd", "/root/x", "C:\\x", "a\0b", "..", "CON", "é" * 3000, "\ud800"]
)
def test_no_sensor_id_leaves_the_folder(sensor_id: str, own_settings: Path) -> None:
    path = store.path_of(sensor_id)
    assert path.parent == store.folder() and len(path.name) < 100
    assert path.name.isascii() and path.name.startswith("sensor-")


def test_ids_that_differ_in_odd_characters_have_files_of_their_own() -> None:
    assert store.path_of("a/b") != store.path_of("a_b") != store.path_of("a:b")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save(FULL)
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        store.save(Calibration(sensor_id=FULL.sensor_id))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def changed(**values: object) -> str:
    path = store.save(FULL)
    return json.dumps(json.loads(path.read_text(encoding="utf-8")) | values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"schema": 2}, "no calibration of schema 1"),
        ({"color_map": [1.0] * 19}, "20 numbers under 'color_map'"),
        ({"color_map": ["1"] * 20}, "20 numbers under 'color_map'"),
        ({"color_map": [float("nan")] * 20}, "20 numbers under 'color_map'"),
        ({"color_map": [10**400] * 20}, "20 numbers under 'color_map'"),
        ({"floor": [0, 0, 0, 0]}, "does not fit"),
        ({"floor": {"x": 1}}, "4 numbers under 'floor'"),
        ({"points": -1}, "number of points"),
        ({"points": True}, "number of points"),
        ({"residual_px": "none"}, "a number under 'residual_px'"),
        ({"origin": "x" * 5000}, "a short text under 'origin'"),
        ({"sensor_id": 7}, "a short text under 'sensor_id'"),
    ],
)
def test_a_file_with_senseless_values_is_a_sentence(values: dict[str, object], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(changed(**values), encoding="utf-8")
    with pytest.raises(CalibrationError, match=sentence) as caught:
        store.read(path)
    assert "damaged.json" in caught.value.message and caught.value.remedy


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no JSON"),
        (b"[1, 2", "no JSON"),
        (b"[]", "no calibration"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 60000, "no JSON"),
        (b'{"schema": 1, "points": 1' + b"0" * 5000 + b"}", "no JSON"),
        (b" " * 70000, "larger than 64 KiB"),
    ],
    ids=["empty", "cut off", "a list", "no text", "nested deep", "a number of 5000 digits", "too large"],
)
def test_a_file_that_is_no_calibration_is_a_sentence(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_bytes(data)
    with pytest.raises(CalibrationError, match=sentence):
        store.read(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="cannot be read: No such file"):
        store.read(tmp_path / "nothing.json")
