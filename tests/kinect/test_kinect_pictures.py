"""The Kinect source's pictures and color map, on a scripted sensor."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from calibration import store
from calibration.color_map import ColorMap
from live.sources.kinect_v2 import KinectV2Source
from tests.kinect.reading import READ_S, read, read_until_lost
from tests.kinect.sensor import Delivery, Kinect
from tests.recordings import walking_body


def test_the_color_map_is_the_sensor_s_own(source: KinectV2Source, kinect: Kinect) -> None:
    info = source.open()
    assert kinect.color_map is not None and info.color_map is not None
    people = np.stack([walking_body(0.0, person).joints for person in range(3)])
    assert ColorMap(info.color_map).residuals(people, kinect.color_map.project(people)).max() < 0.01
    assert kinect.mapped_points == 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty configuration folder, so that no calibration of the user's is found."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


def test_a_sensor_that_does_not_map_yet_is_asked_again(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count(step=100.0).__next__, sleep=lambda _: None)  # it sleeps always
    monkeypatch.setattr("live.sources.kinect_v2.time", clock)
    true_map, kinect.color_map = kinect.color_map, None
    kinect.map_after_points(600, true_map)
    assert source.open().color_map is not None
    assert kinect.mapped_points == 900


def test_a_mapper_that_fails_is_no_reason_not_to_open(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.sources.kinect_v2.MAPPING_S", 0.1)
    kinect.is_mapper_broken = True
    assert source.open().color_map is None


def test_a_sensor_that_maps_nothing_takes_what_is_stored_for_it(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.sources.kinect_v2.MAPPING_S", 0.1)
    kinect.color_map = None
    assert source.open().color_map is None
    known = ColorMap.default().shifted(1.0, 2.0)
    path = store.save(store.Calibration(sensor_id=kinect.unique_id, color_map=known))
    assert source.open().color_map == known.coefficients
    path.write_text("damaged")
    assert source.open().color_map is None


def test_the_picture_is_red_where_the_sensor_saw_red(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    assert source.color() is None
    picture = np.zeros((1080, 1920, 4), dtype=np.uint8)
    picture[100, 1700] = (10, 20, 250, 255)  # BGRA
    kinect.send_picture(picture)
    kinect.send(time_s=1.0)  # the next event: the picture's is done with
    read(source)
    image = source.color()
    assert image is not None and image.shape == (1080, 1920, 3) and image.dtype == np.uint8
    assert image[100, 1700].tolist() == [250, 20, 10] and int(image.sum()) == 280
    assert source.color() is image  # no second copy of the same picture


def test_a_picture_is_read_without_asking_the_sensor_for_its_size_again(
    source: KinectV2Source, kinect: Kinect, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.open().color_size == (1920, 1080)
    monkeypatch.setattr(source._reader, "color_frame_desc", None)  # it was unplugged: nothing answers any more
    kinect.send_picture(np.full((1080, 1920, 4), 7, dtype=np.uint8))
    kinect.send(time_s=1.0)
    read(source)
    picture = source.color()
    assert picture is not None and picture.shape == (1080, 1920, 3)


def test_a_dropped_picture_leaves_the_last_one(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send_picture(np.full((1080, 1920, 4), 7, dtype=np.uint8))
    kinect.send(time_s=1.0)
    read(source)
    first = source.color()
    assert first is not None and first[0, 0].tolist() == [7, 7, 7]
    kinect.post("color", dropped := Delivery(is_pending=True))
    assert dropped.taken.wait(READ_S)
    kinect.send(time_s=1 + 1 / 30)
    read(source)
    assert source.color() is first


def test_only_a_picture_that_is_asked_for_is_converted(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    for drawn in range(3):
        for value in range(4):
            kinect.send_picture(np.full((1080, 1920, 4), 10 * drawn + value, dtype=np.uint8))
        kinect.send(time_s=1 + drawn / 30)
        read(source)
        assert kinect.pictures_converted == drawn
        picture = source.color()
        assert picture is not None and picture[5, 5, 0] == 10 * drawn + 3 and source.color() is picture
        assert kinect.pictures_converted == drawn + 1


def test_a_picture_that_the_driver_cannot_give_is_a_driver_error(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.post("color", broken := Delivery(failure=0x80004005))
    assert broken.taken.wait(READ_S)
    kinect.send(time_s=1.0)
    read(source)
    assert source.color() is None
    assert "its driver failed: error 0x80004005" in read_until_lost(source).message
