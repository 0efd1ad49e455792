"""The threaded pipeline: decides as offline, survives its source and its model, and always ends."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from live import source_thread
from live.board import Board
from live.decision import DecisionConfig
from live.offline import run
from live.pipeline import STOP_WITHIN_S, Pipeline
from live.recognizer import Recognizer
from live.sources.base import Position, SourceInfo, SourceStatus, Transport
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PersonState, PipelineView, Recognition, Severity
from skeleton.errors import ModelContractError, SourceLost, SourceUnavailable
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2_19
from skeleton.recording import Recording, RecordingInfo
from tests.live import tiny_model
from tests.live.fakes import WAIT_S, ScriptedSource, body, frame, recording, wait_until

QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)


class Counting:
    """A real recognizer whose runs are counted, and that fails when told to."""

    def __init__(self, model: Path) -> None:
        self._recognizer = Recognizer(model, provider="cpu")
        self.card, self.info, self.warning = self._recognizer.card, self._recognizer.info, None
        self.runs = 0
        self.error: Exception | None = None
        self.release = threading.Event()
        self.release.set()

    def recognize(self, windows) -> list[Recognition]:  # type: ignore[no-untyped-def]
        assert self.release.wait(WAIT_S)
        if self.error:
            raise self.error
        result = self._recognizer.recognize(windows)
        self.runs += 1
        return result


class Lockstep(ReplaySource):
    """A replay that waits, before each frame, until the one before was recognized: no frame is left out."""

    def __init__(self, whole: Recording | Path, recognizer: Counting, *, speed: float = math.inf) -> None:
        super().__init__(whole, speed=speed)
        self._recognizer = recognizer
        self._delivered = 0

    def is_recognized(self, count: int) -> bool:
        return self._recognizer.runs == count

    def read(self, timeout_s: float) -> BodyFrame | None:
        wait_until(lambda: self.is_recognized(self._delivered), what="the last frame recognized")
        found = super().read(timeout_s)
        self._delivered += found is not None
        return found


@contextmanager
def running(pipeline: Pipeline) -> Iterator[Pipeline]:
    with pipeline:
        yield pipeline
    wait_until(pipeline.stop, what="the threads' end")


def time_of_stop(pipeline: Pipeline) -> float:
    """How long ``stop`` takes, the shortest of some times: the computer may stand still meanwhile."""
    taken_s = []
    for _ in range(3):
        start_s = time.perf_counter()
        pipeline.stop()
        taken_s.append(time.perf_counter() - start_s)
    return min(taken_s)


def until(
    pipeline: Pipeline,
    condition: Callable[[PipelineView], object],
    *,
    what: str,
    events: list[ActionEvent] | None = None,
) -> PipelineView:
    """Polls until a view fulfills a condition, collecting the events on the way."""

    def fulfilled() -> PipelineView | None:
        view = pipeline.poll()
        if events is not None:
            events.extend(view.events)
        return view if condition(view) else None

    return wait_until(fulfilled, what=what)


def raised(count: int = 40, *, start: int = 0, key: int = 4) -> list[BodyFrame]:
    """Frames of a person with the right hand up."""
    return [frame(i, 5 + i / 30, body(key, i / 30, is_hand_up=True)) for i in range(start, start + count)]


def feed_when_ready(pipeline: Pipeline, source: ScriptedSource, frames: list[BodyFrame]) -> None:
    """Delivers frames once the model is loaded: a live source does not wait for it."""
    until(pipeline, lambda view: view.model, what="the model")
    source.put(*frames)


def loader(model: Path) -> Callable[[], Recognizer]:
    return partial(Recognizer, model, provider="cpu")


# Live equals offline.


def assert_live_equals_offline(whole: Recording | Path, model: Path, *, speed: float = math.inf) -> list[ActionEvent]:
    views = list(run(ReplaySource(whole, speed=math.inf), Recognizer(model, provider="cpu"), config=QUICK))
    expected = [event for view in views for event in view.events]
    recognizer, found = Counting(model), []
    with running(Pipeline(Lockstep(whole, recognizer, speed=speed), lambda: recognizer, config=QUICK)) as pipeline:
        until(pipeline, lambda view: view.status is SourceStatus.ENDED, what="the end", events=found)
        last = until(pipeline, lambda _: len(found) >= len(expected), what="all events", events=found)
    assert last.statistics.frames_unrecognized == 0
    assert last.statistics.frames_read == recognizer.runs == len(views)
    assert found == expected
    assert all(event.latency_ms is not None and event.latency_ms > 0 for event in found)
    assert all(event.latency_ms is None for event in expected)
    return found


def test_live_events_are_the_offline_events(model_file: Path) -> None:
    found = assert_live_equals_offline(recording(150, people=3, hand_up_s=(1.0, 2.5)), model_file)
    assert len(found) == 6


def test_live_events_of_a_real_recording_are_the_offline_events(model_file: Path, real_data: Path) -> None:
    assert assert_live_equals_offline(real_data / "labanotation" / "Ges01_wavehand.csv", model_file)


def test_a_replay_in_real_time_recognizes_every_frame_and_ends(model_file: Path) -> None:
    found = assert_live_equals_offline(recording(60, hand_up_s=(0.0, 9.0)), model_file, speed=1.0)
    assert found[-1].end_s == pytest.approx(59 / 30 - QUICK.rules(tiny_model.CARD).late_s)


# What is shown.


def test_people_frames_and_statistics_are_shown(model_file: Path) -> None:
    with running(Pipeline(ReplaySource(recording(90), is_looping=True), loader(model_file))) as pipeline:

        def is_at_its_pace(view: PipelineView) -> bool:
            """Once no moment in which the computer stood still counts any more."""
            shown = view.statistics
            return 10 < shown.source_fps < 60 and 0 < (shown.latency_ms or 0) <= shown.latency_p99_ms < 1000

        view = until(
            pipeline,
            lambda v: (
                v.people and v.people[0].state is PersonState.NOTHING and v.position.index and is_at_its_pace(v)
            ),
            what="an answer",
        )
        assert (view.source.name, view.model.provider, view.status) == ("recording", "CPU", SourceStatus.STREAMING)
        assert view.frame.bodies[0].tracking_id == view.people[0].body_id == 10
        assert view.banners == ()


def test_bodies_are_shown_without_a_model() -> None:
    with running(Pipeline(ReplaySource(recording(5)), None)) as pipeline:
        view = until(pipeline, lambda v: v.frame and v.status is SourceStatus.ENDED, what="the end")
        assert (view.people, view.model) == ((), None)


def test_news_come_with_a_decision_or_without_a_model_with_a_frame(model_file: Path) -> None:
    source, recognizer = ScriptedSource(), Counting(model_file)
    with running(Pipeline(source, lambda: recognizer)) as pipeline:
        feed_when_ready(pipeline, source, raised(3)[:1])
        wait_until(lambda: pipeline.news == 1, what="the first decision")
        recognizer.release.clear()
        source.put(*raised(80)[1:])
        until(pipeline, lambda view: view.frame and view.frame.index == 79, what="the last frame")
        held = pipeline.news
        assert held <= 2  # shown, but not decided about
        recognizer.release.set()
        wait_until(lambda: pipeline.news > held, what="the decision about it")
    with running(Pipeline(ScriptedSource(raised(5)), None)) as pipeline:
        wait_until(lambda: pipeline.news == 5, what="five frames")


def test_a_poll_never_waits_even_while_the_recognizer_works(model_file: Path) -> None:
    recognizer = Counting(model_file)
    recognizer.release.clear()
    source = ScriptedSource()
    with running(Pipeline(source, lambda: recognizer)) as pipeline:
        feed_when_ready(pipeline, source, raised())
        until(pipeline, lambda _: source.is_drained, what="all frames read")
        taken = []
        for _ in range(200):
            start = time.perf_counter()
            pipeline.poll()
            taken.append(time.perf_counter() - start)
        assert np.median(taken) < 1e-3
        recognizer.release.set()


def test_a_picture_is_fetched_at_most_once_for_each_poll_and_shown_with_its_own_frame() -> None:
    picture = np.zeros((4, 6, 3), dtype=np.uint8)
    source = ScriptedSource(raised(30), color=picture)
    with running(Pipeline(source, None)) as pipeline:
        wait_until(lambda: source.is_drained, what="all frames read")
        assert source.pictures == 1  # nobody polled: the first is waiting
        first = pipeline.poll()
        assert (first.frame.index, first.image is picture) == (0, True)
        view = until(pipeline, lambda v: v.frame.index == 29, what="the newest frame")
        assert view.image is picture
        assert source.pictures == 2


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_picture_waits_for_the_decision_about_its_frame_but_not_for_long(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, is_patient: bool
) -> None:
    monkeypatch.setattr(source_thread, "DECISION_WITHIN_S", 60.0 if is_patient else 0.02)
    recognizer = Counting(model_file)
    recognizer.release.clear()
    source = ScriptedSource(color=np.zeros((4, 6, 3), dtype=np.uint8))
    with running(Pipeline(source, lambda: recognizer)) as pipeline:
        wait_until(lambda: source.opened and pipeline.poll().model, what="the model")
        source.put(*raised(80))
        wait_until(lambda: source.is_drained, what="all frames read")
        if is_patient:
            wait_until(lambda: pipeline._recognition.is_busy, what="a decision that takes long")
            fetched = source.pictures
            pipeline.poll()  # the window wants the next picture
            source.put(*raised(3, start=80))
            wait_until(lambda: source.is_drained, what="more frames read")
            assert source.pictures == fetched
            recognizer.release.set()
        wait_until(lambda: pipeline.poll().image is not None and source.pictures, what="a picture")
        newest = 82 if is_patient else 79
        until(pipeline, lambda view: view.frame.index == newest, what="the newest frame with its picture")
        recognizer.release.set()


def test_a_window_that_stalls_costs_no_memory_and_no_events_and_then_sees_the_newest(model_file: Path) -> None:
    script = [
        frame(i, i / 30, body(4, i / 30, is_hand_up=(i // 45) % 2 == 1)) for i in range(30 * 30)
    ]  # thirty seconds: the hand goes up and down every 1.5 s
    recognizer = Counting(model_file)
    source = ScriptedSource()
    pipeline = Pipeline(source, lambda: recognizer, config=QUICK)
    with running(pipeline):
        feed_when_ready(pipeline, source, script)
        wait_until(lambda: source.is_drained and recognizer.runs, what="all frames read")
        until(pipeline, lambda v: v.people and v.frame is script[-1], what="the newest frame recognized")
        assert pipeline._recognition._engine._history.frames_kept < 60


@pytest.mark.parametrize(("most", "kept"), [(1024, [None, 4.3]), (1, [4.3])])
def test_events_wait_for_a_window_that_stalls_and_a_loss_is_counted(
    model_file: Path, most: int, kept: list[float | None]
) -> None:
    recognizer = Counting(model_file)
    source = Lockstep(recording(150, hand_up_s=(1.0, 4.0)), recognizer)
    with running(Pipeline(source, lambda: recognizer, config=QUICK, most_events=most)) as pipeline:
        wait_until(lambda: source.is_recognized(150), what="everything recognized")
        view = pipeline.poll()
        assert [event.end_s for event in view.events] == [end_s and pytest.approx(end_s, abs=0.5) for end_s in kept]
        assert view.statistics.events_lost == 2 - len(kept)
        assert pipeline.poll().events == ()


# Transport.


def test_transport_commands_reach_the_source(model_file: Path) -> None:
    with running(Pipeline(ReplaySource(recording(300), is_looping=True), loader(model_file))) as pipeline:
        until(pipeline, lambda v: v.frame, what="a frame")
        pipeline.command(Transport(play=False))
        until(pipeline, lambda v: v.status is SourceStatus.PAUSED, what="the pause")
        pipeline.command(Transport(seek_s=5.0))
        until(pipeline, lambda v: v.frame.index == v.position.index == 150, what="the frame at 5 s")
        pipeline.command(Transport(step=-2))
        until(pipeline, lambda v: v.frame.index == 148, what="two frames back")
        pipeline.command(Transport(speed=4.0, loop=None))
        until(pipeline, lambda v: v.position.speed == 4.0, what="the speed")
        pipeline.command(Transport(play=True))
        until(pipeline, lambda v: v.frame.index > 160, what="going on")


def test_a_paused_recording_is_not_lost(model_file: Path) -> None:
    pipeline = Pipeline(ReplaySource(recording(300)), loader(model_file), lost_after_s=0.05)
    with running(pipeline):
        pipeline.command(Transport(play=False))
        view = until(pipeline, lambda v: v.status is SourceStatus.PAUSED and v.frame, what="the pause")
        for _ in itertools.repeat(None, 5):
            threading.Event().wait(0.05)
            view = pipeline.poll()
        assert (view.status, view.banners) == (SourceStatus.PAUSED, ())


def test_a_seek_ends_the_action_that_goes_on(model_file: Path) -> None:
    found: list[ActionEvent] = []
    whole = recording(900, hand_up_s=(0.0, 20.0))
    with running(Pipeline(ReplaySource(whole), loader(model_file), config=QUICK)) as pipeline:
        until(pipeline, lambda _: found, what="the action", events=found)
        pipeline.command(Transport(seek_s=25.0))
        until(pipeline, lambda v: len(found) == 2 and v.people, what="its end", events=found)
    assert found[1].start_s == found[0].start_s
    assert found[1].end_s < 10.0  # when it was last seen, not where the seek went


class Pausable(ScriptedSource):
    """A live source that can be paused, as the demo can; it is."""

    is_paused = True

    @property
    def status(self) -> SourceStatus:
        return SourceStatus.PAUSED if self.is_paused else SourceStatus.STREAMING

    def apply(self, command: Transport) -> None:
        self.is_paused = not command.play


def test_a_live_source_that_is_paused_is_not_lost() -> None:
    source = Pausable(raised(3))
    with running(Pipeline(source, None, lost_after_s=0.2)) as pipeline:
        until(pipeline, lambda v: v.frame and v.status is SourceStatus.PAUSED, what="a frame and the pause")
        for _ in range(10):  # three times as long as silence may last
            threading.Event().wait(0.06)
            until(pipeline, lambda v: v.status is SourceStatus.PAUSED and not v.banners, what="no loss")
        assert source.opened == 1
        pipeline.command(Transport(play=True))
        until(pipeline, lambda v: v.status is SourceStatus.LOST, what="silence that counts again")


def test_frames_that_the_device_dropped_are_counted_over_reconnects() -> None:
    class Dropping(ScriptedSource):
        frames_lost = 2

    source = Dropping(raised(3))
    with running(Pipeline(source, None, first_delay_s=0.0)) as pipeline:
        until(pipeline, lambda v: v.statistics.frames_lost == 2, what="the count")
        source.lose(SourceLost("Unplugged."))
        until(pipeline, lambda v: v.statistics.frames_lost == 4, what="the sum")


def test_frames_that_were_dropped_just_before_the_device_went_away_are_shown_while_it_is_away() -> None:
    class DroppingAtLast(ScriptedSource):
        frames_lost = 0

        def read(self, timeout_s: float) -> BodyFrame | None:
            try:
                return super().read(timeout_s)
            except SourceLost:
                self.frames_lost = 3
                raise

    source = DroppingAtLast(raised(3))
    with running(Pipeline(source, None, first_delay_s=30.0)) as pipeline:
        until(pipeline, lambda v: v.statistics.frames_read == 3, what="all frames")
        source.lose(SourceLost("Unplugged."))
        until(pipeline, lambda v: v.statistics.frames_lost == 3, what="the count")


def test_a_seek_means_nothing_to_a_live_source(model_file: Path) -> None:
    source = ScriptedSource()
    with running(Pipeline(source, loader(model_file), config=QUICK)) as pipeline:
        feed_when_ready(pipeline, source, raised(40))
        until(pipeline, lambda v: v.people and v.people[0].state is not PersonState.WARMING_UP, what="an answer")
        pipeline.command(Transport(seek_s=0.0))
        source.put(*raised(1, start=40))
        view = until(
            pipeline, lambda v: v.frame.index == 40 and v.statistics.frames_read == 41, what="the next frame"
        )
        assert view.people[0].state is not PersonState.WARMING_UP


# Trouble.


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


# The end.


def test_it_starts_and_stops_many_times_without_leaving_a_thread(model_file: Path) -> None:
    before, taken_s = threading.active_count(), []
    for index in range(20):
        pipeline = Pipeline(ReplaySource(recording(30), is_looping=True), loader(model_file))
        pipeline.start()
        if index % 2:
            until(pipeline, lambda v: v.people, what="people")
        start_s = time.perf_counter()
        wait_until(pipeline.stop, what="the threads' end")
        assert pipeline.stop()
        taken_s.append(time.perf_counter() - start_s)
    assert np.median(taken_s) < STOP_WITHIN_S
    assert threading.active_count() == before


def test_it_stops_while_the_model_is_loading(model_file: Path) -> None:
    is_loading, may_load = threading.Event(), threading.Event()

    def slow() -> Recognizer:
        is_loading.set()
        assert may_load.wait(WAIT_S)
        return Recognizer(model_file, provider="cpu")

    pipeline = Pipeline(ReplaySource(recording(30)), slow)
    pipeline.start()
    assert is_loading.wait(WAIT_S)
    assert not pipeline.stop()
    assert time_of_stop(pipeline) < STOP_WITHIN_S + 0.2
    may_load.set()
    wait_until(pipeline.stop, what="the thread's end")


def test_stopping_ends_the_actions_that_go_on(model_file: Path) -> None:
    found: list[ActionEvent] = []
    whole = recording(900, hand_up_s=(0.0, 99.0))
    pipeline = Pipeline(ReplaySource(whole), loader(model_file), config=QUICK)
    with running(pipeline):
        until(pipeline, lambda _: found, what="the action", events=found)
    found.extend(pipeline.poll().events)
    assert [event.end_s is None for event in found] == [True, False]


def test_stopping_before_the_start_is_allowed(model_file: Path) -> None:
    assert Pipeline(ReplaySource(recording(3)), loader(model_file)).stop()
