"""Recording: everything the source sent, in step with its pictures, whatever happens to program, disk and sensor."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import live.pipeline
from live.pipeline import Pipeline
from live.recorder import Recorder
from live.recording_file import RecordingClock, RecordingFile
from live.sources.base import SourceInfo
from live.sources.replay import ReplaySource
from live.view import PipelineView, RecordingView
from skeleton.errors import RecordingError, SourceLost
from skeleton.formats.table import open_recording
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording
from tests.live.fakes import WAIT_S, ScriptedSource, body, frame, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
LEVEL = 4
"""Pictures of neighboring frames differ by so much; JPEG changes a plain picture by less than half of it."""
LEVELS = 60


def painted(index: int) -> np.ndarray:
    """A picture whose brightness tells the index of its frame, modulo 60."""
    return np.full((40, 64, 3), LEVEL * (index % LEVELS), dtype=np.uint8)


class PaintedSource(ScriptedSource):
    """Its picture tells which frame was read last; ``every`` is how many frames share one picture."""

    def __init__(self, *, every: int = 1) -> None:
        super().__init__(color=painted(0))
        self.every = every
        self._shown: tuple[int, np.ndarray] = (-1, painted(0))

    def read(self, timeout_s: float) -> BodyFrame | None:
        found = super().read(timeout_s)
        if found is not None:
            number = found.index - found.index % self.every
            if number != self._shown[0]:
                self._shown = (number, painted(number))
        return found

    def color(self) -> np.ndarray | None:
        self.pictures += 1
        return self._shown[1]


def walk(count: int, *, start: int = 0, start_s: float = 50.0) -> list[BodyFrame]:
    """Frames at 30 Hz with two people, the second one there in every other frame, and a floor."""
    return [
        BodyFrame(
            index=start + k,
            time_s=start_s + k / 30,
            bodies=(body(2**56 + 7, k / 30), body(8, k / 30, x=1.0))[: 1 + k % 2],
            floor=(0.0, 0.9, -0.4, 1.1),
        )
        for k in range(count)
    ]


def recorded(pipeline: Pipeline, count: int) -> RecordingView:
    """Waits until so many frames were recorded."""

    def reached() -> RecordingView | None:
        view = pipeline.poll().recording
        return view if view is not None and view.frames >= count else None

    return wait_until(reached, what=f"{count} frames recorded")


def finished(pipeline: Pipeline) -> PipelineView:
    """Waits until the recording is closed."""

    def closed() -> PipelineView | None:
        view = pipeline.poll()
        return view if view.recording is not None and view.recording.is_closed else None

    return wait_until(closed, what="the recording closed")


def play(path: Path) -> Iterator[tuple[BodyFrame, np.ndarray | None]]:
    """What a replay shows of a recording."""
    with ReplaySource(path, speed=math.inf) as source:
        for _ in range(len(open_recording(path).frames)):
            found = source.read(1.0)
            assert found is not None
            yield found, source.color()


def steps_beside(path: Path) -> list[int]:
    """For each frame of a recording how many frames its picture is off."""
    steps = []
    for found, picture in play(path):
        assert picture is not None
        shown = round(float(picture.mean()) / LEVEL)
        steps.append((shown - found.index + LEVELS // 2) % LEVELS - LEVELS // 2)
    return steps


def assert_same(found: Recording, frames: list[BodyFrame]) -> None:
    assert [one.index for one in found.frames] == [one.index for one in frames]
    assert found.times_s == pytest.approx([one.time_s for one in frames], abs=1e-8)
    for one, other in zip(found.frames, frames):
        assert [b.tracking_id for b in one.bodies] == [b.tracking_id for b in other.bodies]
        assert one.floor == other.floor
        for a, b in zip(one.bodies, other.bodies):
            assert np.array_equal(a.joints, b.joints) and np.array_equal(a.state, b.state)


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


@dataclass
class Seams:
    """A writer between recorder and files that blocks or fails when told to."""

    release: threading.Event
    error: Exception | None = None

    def open(self, path: Path, *, with_video: bool) -> RecordingFile:
        seams = self

        class Slow(RecordingFile):
            def append(self, *arguments: object, **more: object) -> bool:
                assert seams.release.wait(WAIT_S)
                if seams.error is not None:
                    raise seams.error
                return super().append(*arguments, **more)  # type: ignore[arg-type]

        return Slow(path, with_video=with_video)


@pytest.fixture
def seams(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seams]:
    """Makes the pipeline's recorders write through seams, with small queues."""

    def install(**limits: int) -> Seams:
        made = Seams(threading.Event())
        monkeypatch.setattr(live.pipeline, "Recorder", partial(Recorder, open_file=made.open, **limits))
        return made

    return install


def test_a_disk_that_stands_still_ends_the_recording_and_keeps_what_is_there(
    tmp_path: Path, seams: Callable[..., Seams]
) -> None:
    disk, source, path = seams(most_frames=20), ScriptedSource(), tmp_path / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path)
        source.put(*walk(60))
        view = wait_until(
            lambda: view if (view := pipeline.poll()).banners else None, what="the banner while the disk stands still"
        )
        assert "as fast as the sensor sends" in view.banners[0].text and "faster disk" in view.banners[0].text
        assert view.recording is not None and not view.recording.is_running
        wait_until(lambda: pipeline.poll().statistics.frames_read == 60, what="the source, which waited for nobody")
        disk.release.set()
        view = finished(pipeline).recording
    assert view is not None and view.lost == 1 and view.frames in (20, 21)  # one may be in the writer's hands
    found = open_recording(path)
    assert found.info.is_complete
    assert_same(found, walk(60)[: view.frames])


def test_pictures_that_find_no_place_are_counted_and_skeletons_go_on(
    tmp_path: Path, seams: Callable[..., Seams]
) -> None:
    disk, source, path = seams(most_pictures=3), PaintedSource(), tmp_path / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path, with_video=True)
        source.put(*walk(30))
        wait_until(lambda: pipeline.poll().statistics.frames_read == 30, what="all frames read")
        lost = pipeline.poll().recording.pictures_lost  # type: ignore[union-attr]
        assert lost in (26, 27)  # one may be in the writer's hands
        disk.release.set()
        view = recorded(pipeline, 30)
        assert view.is_running and view.pictures + view.pictures_lost == 30
    assert len(open_recording(path).frames) == 30
    assert steps_beside(path)[:3] == [0, 0, 0]


def test_a_computer_that_loses_too_many_pictures_ends_the_recording(
    tmp_path: Path, seams: Callable[..., Seams]
) -> None:
    disk, source, path = seams(most_pictures=3), PaintedSource(), tmp_path / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path, with_video=True)
        source.put(*walk(120))
        view = wait_until(lambda: view if (view := pipeline.poll()).banners else None, what="the banner")
        assert "pictures found no place" in view.banners[0].text and "without the color video" in view.banners[0].text
        disk.release.set()
        view = finished(pipeline).recording
    assert view is not None and view.frames >= 90 and view.lost == 0
    assert view.pictures_lost == 91
    assert len(open_recording(path).frames) == view.frames


def test_an_unexpected_error_is_a_banner_and_the_picture_goes_on(tmp_path: Path, seams: Callable[..., Seams]) -> None:
    disk, source = seams(), ScriptedSource()
    disk.error = ZeroDivisionError("not foreseen")
    disk.release.set()
    with Pipeline(source, None) as pipeline:
        pipeline.record(tmp_path / "a.mcap")
        source.put(*walk(3))
        view = finished(pipeline)
        assert "recording" in view.banners[0].text.lower()
        source.put(*walk(3, start=3, start_s=60.0))
        wait_until(lambda: pipeline.poll().statistics.frames_read == 6, what="frames after the error")
        disk.error = None
        pipeline.record(tmp_path / "b.mcap")
        assert not pipeline.poll().banners, "a new recording takes the old one's banner away"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        pytest.skip(f"no small disk: {mount.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("with_video", [False, True])
def test_a_full_disk_ends_the_recording_in_a_sentence_and_keeps_what_is_there(
    small_disk: Path, with_video: bool
) -> None:
    random = np.random.default_rng(3)

    class Noisy(PaintedSource):
        def color(self) -> np.ndarray | None:
            return random.integers(0, 256, (200, 300, 3), dtype=np.uint8)

    def dancing(k: int) -> BodyFrame:
        bodies = [body(7, 0.0), body(8, 0.0)]
        moved = [type(b)(b.tracking_id, random.normal(size=(25, 3)), b.state) for b in bodies]
        return frame(k, 10 + k / 30, *moved)

    source, path = Noisy() if with_video else ScriptedSource(), small_disk / "a.mcap"
    with Pipeline(source, None) as pipeline:
        pipeline.record(path, with_video=with_video)
        for k in range(0, 20_000, 10):
            source.put(*(dancing(i) for i in range(k, k + 10)))
            wait_until(lambda: source.is_drained, what="frames read")
            if not pipeline.poll().recording.is_running:  # type: ignore[union-attr]
                break
            recorded_or_ended(pipeline, k + 10)
        view = finished(pipeline)
    assert "the disk is full" in view.banners[0].text and "are kept" in view.banners[0].text
    found = open_recording(path)
    assert view.recording is not None and view.recording.frames == len(found.frames) > 10
    assert [one.index for one in found.frames] == list(range(len(found.frames)))
    if with_video:
        assert all(picture is not None for _, picture in play(path))


def recorded_or_ended(pipeline: Pipeline, count: int) -> None:
    def reached() -> bool:
        view = pipeline.poll().recording
        return view is not None and (view.frames >= count or not view.is_running)

    wait_until(reached, what="frames recorded, or the end")


VICTIM = """
import sys, time
from pathlib import Path
from live.pipeline import Pipeline
from tests.live.test_recorder import PaintedSource, recorded, walk

source, count = PaintedSource(), 0
with Pipeline(source, None) as pipeline:
    pipeline.record(Path(sys.argv[1]), with_video=sys.argv[2] == "True")
    while True:
        source.put(*walk(1, start=count, start_s=50.0 + count / 30))
        count += 1
        time.sleep(1 / 30)
        recorded(pipeline, count)
        print(count, flush=True)
"""
"""Waits for each frame to be on its way to the file, however long the computer stands still."""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal that cannot be caught")
@pytest.mark.parametrize("with_video", [False, True])
def test_killed_at_any_moment_all_but_the_last_second_replays(tmp_path: Path, with_video: bool) -> None:
    path = tmp_path / "a.mcap"
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path), str(with_video)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    sent = next(int(line) for line in victim.stdout if int(line) >= 75)
    victim.kill()
    victim.communicate()
    found = open_recording(path)
    assert not found.info.is_complete
    assert len(found.frames) >= sent - 30
    assert [one.index for one in found.frames] == list(range(len(found.frames)))
    if with_video:
        assert steps_beside(path) == [0] * len(found.frames)


FORGETFUL = """
import sys
from pathlib import Path
from live.pipeline import Pipeline
from tests.live.fakes import ScriptedSource, wait_until
from tests.live.test_recorder import recorded, walk

pipeline = Pipeline(ScriptedSource(walk(5)), None)
pipeline.record(Path(sys.argv[1]))
pipeline.start()
recorded(pipeline, 5)
"""


def test_a_program_that_ends_without_stopping_closes_its_recording_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORGETFUL, str(tmp_path / "a.mcap")]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=2 * WAIT_S)
    found = open_recording(tmp_path / "a.mcap")
    assert found.info.is_complete and len(found.frames) == 5


def test_a_stopped_pipeline_records_nothing_more(tmp_path: Path) -> None:
    with Pipeline(ScriptedSource(), None) as pipeline:
        pass
    with pytest.raises(ValueError, match="was stopped"):
        pipeline.record(tmp_path / "a.mcap")
