"""Recording: everything the source sent, in step with its pictures and its clock."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from live.pipeline import Pipeline
from live.recording_file import RecordingClock, RecordingFile
from live.sources.base import SourceInfo
from live.view import RecordingView
from skeleton.errors import RecordingError, SourceLost
from skeleton.formats.table import open_recording
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2
from tests.live.fakes import ScriptedSource, frame, wait_until
from tests.live.recordings import (
    LEVEL,
    PaintedSource,
    assert_same,
    finished,
    recorded,
    steps_beside,
    walk,
)


def test_every_frame_is_recorded_from_the_moment_it_is_asked_for(tmp_path: Path) -> None:
    source, path = ScriptedSource(), tmp_path / "walk.mcap"
    frames = walk(140)
    with Pipeline(source, None) as pipeline:
        source.put(*frames[:20])
        wait_until(lambda: pipeline.poll().statistics.frames_read == 20, what="the frames before")
        assert pipeline.poll().recording is None
        pipeline.record(path)
        source.put(*frames[20:])
        view = recorded(pipeline, 120)
        assert view == RecordingView(path, seconds=pytest.approx(119 / 30), frames=120)
        pipeline.stop_recording()
        view = finished(pipeline).recording
        assert view == RecordingView(
            path, is_running=False, is_closed=True, seconds=pytest.approx(119 / 30), frames=120
        )
        source.put(frame(200, 99.0))
        wait_until(lambda: pipeline.poll().statistics.frames_read == 141, what="a frame after")
    found = open_recording(path)
    assert_same(found, frames[20:])
    assert found.info.is_complete and found.info.layout == KINECT_V2
    assert found.info.floor is None and found.frames[0].floor == frames[0].floor
    assert found.info.labels == {"source": "scripted"}
    assert found.info.created and found.info.color_video is None
    assert [one.name for one in tmp_path.iterdir()] == ["walk.mcap"]


def test_what_the_source_says_of_itself_is_in_the_recording(tmp_path: Path) -> None:
    class Sensor(ScriptedSource):
        def open(self) -> SourceInfo:
            super().open()
            map_numbers = tuple(float(k) for k in range(20))
            return SourceInfo(
                "kinect", "Kinect v2 0147", KINECT_V2, True, rate_hz=15.0, sensor_id="0147", color_map=map_numbers
            )

    source = Sensor(walk(3))
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "a.mcap")
        source.put(*walk(3, start=3, start_s=60.0))
        recorded(pipeline, 3)
    info = open_recording(tmp_path / "a.mcap").info
    assert (info.sensor_id, info.rate_hz, info.color_map) == ("0147", 15.0, tuple(float(k) for k in range(20)))


@pytest.mark.parametrize("every", [1, 2, 5])
def test_pictures_are_in_step_with_the_skeletons(tmp_path: Path, every: int) -> None:
    source, path = PaintedSource(every=every), tmp_path / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path, with_video=True)
        for k in range(0, 90, 10):  # in portions, so that no picture waits for long
            source.put(*walk(10, start=k, start_s=50.0 + k / 30))
            recorded(pipeline, k + 10)
    view = finished(pipeline).recording
    assert view is not None and view.video == tmp_path / "a.mkv"
    assert (view.frames, view.pictures, view.pictures_lost, view.lost) == (90, 90 // every, 0, 0)
    assert open_recording(path).info.color_video == tmp_path / "a.mkv"
    assert steps_beside(path) == [-(k % every) for k in range(90)]


def test_a_picture_is_fetched_once_for_window_and_recording(tmp_path: Path) -> None:
    source = PaintedSource()
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "a.mcap", with_video=True)
        for k in range(12):
            source.put(*walk(1, start=k, start_s=50.0 + k / 30))
            wait_until(
                lambda k=k: (view := pipeline.poll()).frame is not None and view.frame.index == k, what="the frame"
            )
            assert round(float(pipeline.poll().image.mean()) / LEVEL) == k
        assert source.pictures == 12


def test_a_source_without_pictures_is_recorded_without_video(tmp_path: Path) -> None:
    source = ScriptedSource(walk(5))
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "a.mcap", with_video=True)
        source.put(*walk(5, start=5, start_s=60.0))
        assert recorded(pipeline, 5).video is None
    assert [one.name for one in tmp_path.iterdir()] == ["a.mcap"]


def test_a_recording_survives_a_sensor_whose_clock_starts_again_with_a_marked_gap(tmp_path: Path) -> None:
    source, path = PaintedSource(), tmp_path / "a.mcap"
    began_s = time.perf_counter()
    with Pipeline(source, None, first_delay_s=0.02) as pipeline:
        pipeline.record(path, with_video=True)
        source.put(*walk(10, start_s=500.0))
        recorded(pipeline, 10)
        source.lose(SourceLost("The sensor was unplugged."))
        wait_until(lambda: source.opened == 2, what="opened again")
        source.put(*walk(7, start_s=0.25))
        recorded(pipeline, 17)
    found = open_recording(path)
    assert len(found.frames) == 17 and found.gaps() == [10]
    assert found.frames[10].index == 0
    assert found.times_s[:10] == pytest.approx(500 + np.arange(10) / 30)
    assert 1.0 <= found.times_s[10] - found.times_s[9] < 1.1 + time.perf_counter() - began_s
    assert np.diff(found.times_s[10:]) == pytest.approx(np.full(6, 1 / 30))
    assert steps_beside(path) == [0] * 17


@pytest.mark.parametrize(
    ("why", "is_live", "received_s", "time_s", "expected_s"),
    [
        ("time goes on", True, 10.1, 70.1, 70.1),
        ("the sensor was away and its clock went on", True, 40.0, 100.0, 100.0),
        ("a frame came late", True, 12.0, 70.1, 70.1),
        ("the same frame again", True, 10.1, 70.0, None),
        ("the clock started again while nothing was missed", True, 10.03, 0.5, 71.001),
        ("the clock started again a minute later", True, 70.0, 0.5, 130.0),
        ("the clock leapt ahead", True, 10.03, 9070.0, 71.001),
        ("a recording is played quickly over its own gap", False, 10.03, 9070.0, 9070.0),
        ("a recording starts again", False, 10.03, 5.0, 71.001),
    ],
)
def test_the_recording_keeps_one_time(
    why: str, is_live: bool, received_s: float, time_s: float, expected_s: float | None
) -> None:
    clock = RecordingClock()
    assert clock.time_of(frame(0, 70.0), received_s=10.0, is_live=is_live) == 70.0
    found = clock.time_of(frame(1, time_s), received_s=received_s, is_live=is_live)
    assert found == (None if expected_s is None else pytest.approx(expected_s)), why
    if expected_s is not None:
        following = clock.time_of(frame(2, time_s + 0.03), received_s=received_s + 0.03, is_live=is_live)
        assert following == pytest.approx(expected_s + 0.03)


def test_a_sensor_that_comes_back_with_a_later_time_leaves_a_gap_as_well(tmp_path: Path) -> None:
    first, again = (SourceInfo(kind="kinect", name="sensor", layout=KINECT_V2, is_live=True) for _ in range(2))
    with RecordingFile(tmp_path / "a.mcap") as file:
        assert file.append(first, frame(0, 3.0), None, received_s=10.0)
        assert file.append(first, frame(1, 3.0 + 1 / 30), None, received_s=10.0 + 1 / 30)
        assert file.append(again, frame(0, 3.1), None, received_s=15.0)
        assert file.append(again, frame(1, 3.1 + 1 / 30), None, received_s=15.0 + 1 / 30)
    found = open_recording(tmp_path / "a.mcap")
    assert found.gaps() == [2] and found.times_s[2] == pytest.approx(8.0)
    assert found.times_s[3] - found.times_s[2] == pytest.approx(1 / 30)


def test_a_stalled_source_leaves_nothing_in_memory(tmp_path: Path) -> None:
    source, path = ScriptedSource(), tmp_path / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path)
        source.put(*walk(4))
        recorded(pipeline, 4)
        wait_until(lambda: path.exists() and len(_whole_frames(path)) == 4, what="all frames readable while it runs")


def _whole_frames(path: Path) -> list[BodyFrame]:
    try:
        return list(open_recording(path).frames)
    except RecordingError:  # not even the head is there yet
        return []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.npz", r"must be named '\*\.mcap'"),
        ("no/such/a.mcap", "folder that exists"),
        ("there.mcap", "already there"),
        ("video.mcap", "video.mkv is already there"),
    ],
)
def test_a_place_that_does_not_do_is_refused_at_once(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "there.mcap").touch()
    (tmp_path / "video.mkv").touch()
    with Pipeline(ScriptedSource(), None) as pipeline:
        with pytest.raises(RecordingError, match=sentence):
            pipeline.record(tmp_path / name, with_video=True)
        assert pipeline.poll().recording is None


def test_one_recording_runs_at_a_time_and_another_can_follow(tmp_path: Path) -> None:
    source = ScriptedSource()
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "a.mcap")
        with pytest.raises(RecordingError, match=r"a\.mcap still does"):
            pipeline.record(tmp_path / "b.mcap")
        source.put(*walk(3))
        recorded(pipeline, 3)
        pipeline.stop_recording()
        pipeline.record(tmp_path / "b.mcap")
        source.put(*walk(5, start=3, start_s=60.0))
        recorded(pipeline, 5)
    assert [len(open_recording(tmp_path / name).frames) for name in ("a.mcap", "b.mcap")] == [3, 5]


def test_a_recording_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    with Pipeline(ScriptedSource(), None) as pipeline:
        pipeline.record(tmp_path / "a.mcap")
    assert finished(pipeline).recording.frames == 0  # type: ignore[union-attr]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_vanished_is_a_banner(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    source = ScriptedSource()
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "gone" / "a.mcap")
        (tmp_path / "gone").rmdir()
        source.put(*walk(3))
        view = finished(pipeline)
    assert "cannot be written" in view.banners[0].text
    assert view.recording is not None and not view.recording.is_running and view.recording.lost > 0
