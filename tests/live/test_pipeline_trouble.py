"""The threaded pipeline whose source or model fails: the reason is seen, and the rest goes on."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from live import offline, source_thread
from live.board import Board
from live.pipeline import STOP_WITHIN_S, Pipeline
from live.recognizer import Recognizer
from live.source_thread import READ_TIMEOUT_S
from live.sources.base import Position, SourceInfo, SourceStatus
from live.sources.replay import ReplaySource
from live.view import ActionEvent, Severity
from skeleton.errors import ModelContractError, SourceLost, SourceUnavailable
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2_19
from skeleton.recording import Recording, RecordingInfo
from tests.live.fakes import WAIT_S, ScriptedSource, frame, recording, wait_until
from tests.live.pipelines import (
    QUICK,
    Counting,
    feed_when_ready,
    loader,
    raised,
    running,
    time_of_stop,
    until,
)


def test_a_source_that_cannot_be_opened_says_why_and_is_tried_again() -> None:
    may_open_again = threading.Event()

    class Unplugged(ScriptedSource):
        def open(self) -> SourceInfo:
            assert not self.opened or may_open_again.wait(WAIT_S)
            return super().open()

    source = Unplugged(raised())
    source.open_errors.append(SourceUnavailable("There is no sensor.", remedy="Plug one in."))
    source.open_errors.append(SourceUnavailable("There is still no sensor."))
    with running(Pipeline(source, None, first_delay_s=0.05)) as pipeline:
        view = until(pipeline, lambda v: v.status is SourceStatus.FAILED and v.banners, what="the failure")
        assert [(banner.severity, banner.text) for banner in view.banners] == [
            (Severity.ERROR, "There is no sensor. Plug one in.")
        ]
        may_open_again.set()
        view = until(pipeline, lambda v: v.status is SourceStatus.STREAMING and v.frame, what="frames at last")
        assert view.banners == ()
    assert source.opened == source.closed == 3


@pytest.mark.parametrize("status", [SourceStatus.FAILED, SourceStatus.LOST])
def test_trouble_is_never_seen_without_its_reason(status: SourceStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    set_status = Board.set_status

    def look_first(board: Board, new: SourceStatus, position: Position | None = None) -> None:
        if new is status:
            reasons.extend(one.text for one in board.view(0.0, silence=None, unrecognized=0).banners)
        set_status(board, new, position)

    monkeypatch.setattr(Board, "set_status", look_first)
    source = ScriptedSource(raised(3))
    if status is SourceStatus.FAILED:
        source.open_errors.append(SourceUnavailable("Gone."))
    with running(Pipeline(source, None, first_delay_s=30.0)) as pipeline:
        if status is SourceStatus.LOST:
            until(pipeline, lambda v: v.frame, what="a frame")
            source.lose(SourceLost("Gone."))
        until(pipeline, lambda v: v.status is status, what="the trouble")
    assert len(reasons) == 1 and reasons[0].startswith("Gone.")


def test_a_recording_that_cannot_be_opened_is_not_tried_again(tmp_path: Path) -> None:
    with running(Pipeline(ReplaySource(tmp_path / "absent.csv"), None, first_delay_s=0.0)) as pipeline:
        view = until(pipeline, lambda v: v.status is SourceStatus.FAILED and v.banners, what="the failure")
        assert "absent.csv" in view.banners[0].text
        wait_until(lambda: not pipeline._feed.thread.is_alive(), what="the thread's end")


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_recording_that_is_not_whole_says_so_while_it_plays(model_file: Path, is_complete: bool) -> None:
    made = recording(40)
    made = dataclasses.replace(made, info=dataclasses.replace(made.info, is_complete=is_complete))
    sentence = "was not closed or is damaged"
    with running(Pipeline(ReplaySource(made), None)) as pipeline:
        view = until(pipeline, lambda v: v.frame is not None, what="a frame")
        assert [sentence in banner.text for banner in view.banners] == ([] if is_complete else [True])
    recognizer = Recognizer(model_file, provider="cpu")
    views = list(offline.run(ReplaySource(made, speed=math.inf), recognizer))
    assert views and all(any(sentence in b.text for b in view.banners) != is_complete for view in views)


def test_a_lost_source_ends_the_actions_and_comes_back_by_itself(model_file: Path) -> None:
    found: list[ActionEvent] = []
    source, recognizer = ScriptedSource(), Counting(model_file)
    with running(Pipeline(source, lambda: recognizer, config=QUICK, first_delay_s=0.2)) as pipeline:
        feed_when_ready(pipeline, source, [])
        for index in range(60):
            source.put(*raised(1, start=index))
            until(pipeline, lambda _, done=index: recognizer.runs > done, what="recognized", events=found)
        until(pipeline, lambda v: v.people and v.people[0].label, what="the label", events=found)
        source.lose(SourceLost("The sensor was unplugged."))
        view = until(pipeline, lambda v: v.status is SourceStatus.LOST and v.banners, what="the loss", events=found)
        assert view.banners[0].text == "The sensor was unplugged. Reconnecting."
        until(pipeline, lambda v: v.people == () and found[-1].end_s, what="label and action gone", events=found)
        wait_until(lambda: source.opened == 2, what="opened again")
        source.put(*raised(5, start=1000))
        view = until(pipeline, lambda v: v.status is SourceStatus.STREAMING, what="frames again", events=found)
        assert view.banners == ()
        view = until(pipeline, lambda v: v.people, what="people again", events=found)
        assert view.people[0].person == 2, "nobody can tell whether it is person 1 of before"
    assert source.closed == 2


def test_a_live_source_that_falls_silent_is_lost_and_reopened(model_file: Path) -> None:
    source = ScriptedSource(raised(10))
    pipeline = Pipeline(source, loader(model_file), lost_after_s=0.2, first_delay_s=0.05)
    with running(pipeline):
        # The window keeps its picture.
        view = until(pipeline, lambda v: v.status is SourceStatus.LOST and v.frame and v.banners, what="the loss")
        assert "no frame for" in view.banners[0].text
        wait_until(lambda: source.opened >= 2, what="opened again")


def test_a_computer_that_stood_still_is_no_silent_source(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.perf_counter() + 1e6]  # ahead of the window's clock
    monkeypatch.setattr(source_thread, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    class Slept(ScriptedSource):
        def read(self, timeout_s: float) -> BodyFrame | None:
            if self.is_drained and now[0] < 2e6:
                now[0] += 2e6  # in the middle of a read, which then ends without a frame
                self.put(*raised(2, start=3))
                return None
            return super().read(timeout_s)

    source = Slept(raised(3))
    with running(Pipeline(source, None)) as pipeline:
        until(pipeline, lambda v: v.statistics.frames_read == 5, what="the frames after it")
    assert source.opened == 1


def test_a_demo_that_a_busy_computer_lets_wait_is_never_lost() -> None:
    class Starved(ScriptedSource):
        idle = 0

        def open(self) -> SourceInfo:
            return dataclasses.replace(super().open(), kind="demo")

        def read(self, timeout_s: float) -> BodyFrame | None:
            self.idle += self.is_drained
            return super().read(timeout_s)

    source, seen = Starved(raised(3)), set()
    pipeline = Pipeline(source, None, lost_after_s=2 * READ_TIMEOUT_S)
    with running(pipeline):
        until(pipeline, lambda v: seen.add((v.status, v.banners)) or source.idle > 10, what="some reads in vain")
    assert source.opened == 1 and seen <= {(SourceStatus.OPENING, ()), (SourceStatus.STREAMING, ())}


def test_a_read_that_does_not_return_is_shown_as_lost_and_does_not_hold_up_the_end() -> None:
    class Hanging(ScriptedSource):
        def read(self, timeout_s: float) -> BodyFrame | None:
            if self.is_drained and not self.is_blocked.is_set():
                self.release.clear()
            return super().read(timeout_s)

    source = Hanging(raised(3))
    pipeline = Pipeline(source, None, lost_after_s=0.2)
    with pipeline:
        view = until(pipeline, lambda v: v.status is SourceStatus.LOST, what="the loss")
        assert "reconnecting" in view.banners[0].text and source.is_blocked.is_set()
        assert not pipeline.stop()
        assert time_of_stop(pipeline) < STOP_WITHIN_S + 0.2
        source.release.set()
    wait_until(pipeline.stop, what="the thread's end")
    assert source.closed == 1


def test_a_source_with_a_bug_is_an_internal_error_that_names_the_log(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(raised(3))
    with running(Pipeline(source, None, log_file=Path("app.log"))) as pipeline:
        until(pipeline, lambda v: v.frame, what="a frame")
        source.lose(ZeroDivisionError("bug"))  # type: ignore[arg-type]
        view = until(pipeline, lambda v: v.status is SourceStatus.FAILED and v.banners, what="the failure")
        assert "app.log" in view.banners[0].text
    assert "ZeroDivisionError" in caplog.text
    assert source.closed == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(ValueError("bug"), "unexpected error; the details are in app.log", id="a bug"),
        pytest.param(ModelContractError("The model must answer."), "The model must answer.", id="a bad model"),
    ],
)
def test_a_recognizer_that_raises_is_said_while_the_bodies_go_on(
    model_file: Path, error: Exception, sentence: str
) -> None:
    recognizer, source = Counting(model_file), ScriptedSource()
    with running(Pipeline(source, lambda: recognizer, log_file=Path("app.log"))) as pipeline:
        feed_when_ready(pipeline, source, raised())
        until(pipeline, lambda v: v.people, what="people")
        recognizer.error = error
        source.put(*raised(1, start=40))
        view = until(pipeline, lambda v: v.banners, what="the banner")
        assert sentence in view.banners[0].text
        source.put(*raised(1, start=41))
        view = until(pipeline, lambda v: v.frame.index == 41 and v.people == (), what="the bodies alone")
        assert view.status is SourceStatus.STREAMING


def test_a_paused_recording_shows_the_pictures_it_jumps_to_though_the_recognizer_failed(model_file: Path) -> None:
    class Paused(ScriptedSource):
        status = SourceStatus.PAUSED

        def open(self) -> SourceInfo:
            return dataclasses.replace(super().open(), kind="replay", is_live=False)

    recognizer, source = Counting(model_file), Paused(color=np.zeros((4, 6, 3), dtype=np.uint8))
    recognizer.error = ValueError("bug")
    with running(Pipeline(source, lambda: recognizer)) as pipeline:
        source.put(*raised())
        until(pipeline, lambda view: view.banners, what="the banner")
        for index in (40, 41):
            source.put(*raised(1, start=index))
            until(pipeline, lambda view, index=index: view.image is not None and view.frame.index == index, what="it")
        assert not pipeline._recognition.is_busy


def test_a_frame_that_nobody_decides_about_since_its_source_was_lost_is_not_waited_for(model_file: Path) -> None:
    recognizer, source = Counting(model_file), ScriptedSource()
    with running(Pipeline(source, lambda: recognizer, first_delay_s=WAIT_S)) as pipeline:
        feed_when_ready(pipeline, source, raised())
        until(pipeline, lambda view: view.people and not pipeline._recognition.is_busy, what="people")
        recognizer.release.clear()
        for index in (40, 41):
            source.put(*raised(1, start=index))
            until(pipeline, lambda view, index=index: view.frame.index == index, what="the frame")
            if index == 40:
                wait_until(lambda: pipeline._recognition._tasks._item is None, what="a decision that takes long")
        source.lose(SourceLost("The cable is out."))
        until(pipeline, lambda view: view.status is SourceStatus.LOST, what="the loss")
        assert pipeline._recognition.is_busy
        recognizer.release.set()
        until(pipeline, lambda view: not view.people and not pipeline._recognition.is_busy, what="the end of it")


def test_a_model_that_does_not_load_is_said_and_a_recording_plays_without(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with running(Pipeline(ReplaySource(recording(5)), loader(tmp_path / "bad.onnx"))) as pipeline:
        view = until(pipeline, lambda v: v.status is SourceStatus.ENDED, what="the end")
        assert "is not an ONNX file" in view.banners[0].text
        assert view.frame.index == 4


def test_a_model_that_does_not_fit_the_source_is_said_once(model_file: Path) -> None:
    whole = recording(5)
    order = [whole.info.layout.index(name) for name in KINECT_V2_19.joints]
    frames = [
        frame(f.index, f.time_s, *[type(b)(b.tracking_id, b.joints[order], b.state[order]) for b in f.bodies])
        for f in whole.frames
    ]
    small = Recording(RecordingInfo("fake", None, KINECT_V2_19), whole.times_s, frames)
    with running(Pipeline(ReplaySource(small), loader(model_file))) as pipeline:
        view = until(pipeline, lambda v: v.status is SourceStatus.ENDED, what="the end")
        assert [("HandLeft" in banner.text) for banner in view.banners] == [True]


def test_the_fall_back_from_cuda_is_a_banner(model_file: Path) -> None:
    if Recognizer(model_file).provider == "CUDA":
        pytest.skip("this machine has CUDA")
    with running(Pipeline(ReplaySource(recording(5)), partial(Recognizer, model_file))) as pipeline:
        view = until(pipeline, lambda v: v.model and v.banners, what="the model")
        assert (view.model.provider, view.banners[0].severity) == ("CPU", Severity.WARNING)
        assert view.banners[0].text.startswith("CUDA cannot be used")
