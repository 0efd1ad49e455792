"""Recording survives what happens to program, disk and computer: what was written is kept, and the end is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import live.pipeline
from live.pipeline import Pipeline
from live.recorder import Recorder
from live.recording_file import RecordingFile
from skeleton.formats.table import open_recording
from skeleton.frames import BodyFrame
from tests.live.fakes import WAIT_S, ScriptedSource, body, frame, wait_until
from tests.live.recordings import (
    PaintedSource,
    assert_same,
    finished,
    play,
    recorded,
    steps_beside,
    walk,
)

REPOSITORY = Path(__file__).resolve().parents[2]


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
from tests.live.recordings import PaintedSource, recorded, walk

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
from tests.live.recordings import recorded, walk

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
