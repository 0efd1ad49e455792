"""The threaded pipeline: it decides as offline, shows what it knows, and never waits for a window."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path

import numpy as np
import pytest

from live import recognizer_thread, rhythm, source_thread
from live.offline import run
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.recognizer_thread import RecognizerThread
from live.sources.base import SourceInfo, SourceStatus, Transport
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PersonState, PipelineView
from skeleton.recording import Recording
from tests.live.fakes import ScriptedSource, body, frame, recording, wait_until
from tests.live.pipelines import (
    QUICK,
    Counting,
    Lockstep,
    feed_when_ready,
    loader,
    raised,
    running,
    until,
)


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
    assert found[-1].end_s == pytest.approx(59 / 30)


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


class ScriptedVideo(ScriptedSource):
    """A recording with pictures."""

    def open(self) -> SourceInfo:
        return dataclasses.replace(super().open(), kind="replay", is_live=False)


@pytest.mark.parametrize("is_patient", [True, False])
@pytest.mark.parametrize("kind", [ScriptedSource, ScriptedVideo])
def test_a_picture_waits_for_the_decision_about_its_frame_but_not_for_long(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, kind: type[ScriptedSource], is_patient: bool
) -> None:
    module, bound = (rhythm, "LONGEST_WAIT_S") if kind is ScriptedSource else (source_thread, "DECISION_WITHIN_S")
    monkeypatch.setattr(module, bound, 60.0 if is_patient else 0.02)
    monkeypatch.setattr(recognizer_thread, "QUICK_S", 0.0)  # the frames come all at once
    recognizer = Counting(model_file)
    recognizer.release.clear()
    source = kind(color=np.zeros((4, 6, 3), dtype=np.uint8))
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


@pytest.mark.parametrize("kind", [ScriptedSource, ScriptedVideo])
def test_a_picture_of_a_sensor_that_fits_before_no_frame_is_left_out(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, kind: type[ScriptedSource]
) -> None:
    monkeypatch.setattr(rhythm, "LONGEST_WAIT_S", 60.0)
    rest_s = [math.inf]
    monkeypatch.setattr(RecognizerThread, "rest_s", property(lambda thread: rest_s[0]))
    source = kind(color=np.zeros((4, 6, 3), dtype=np.uint8))
    with running(Pipeline(source, loader(model_file))) as pipeline:
        feed_when_ready(pipeline, source, raised(2)[:1])
        until(pipeline, lambda view: view.image is not None, what="a picture while nothing else is expected")
        rest_s[0], fetched = 1e-6, source.pictures
        source.put(*raised(2)[1:])
        if kind is ScriptedVideo:  # what is left out must be decoded with the next one
            until(pipeline, lambda view: view.frame.index == 1, what="the next picture of a video")
            return
        wait_until(lambda: pipeline.poll().statistics.frames_read == 2, what="the next frame")
        for index in range(2, 12):
            source.put(*raised(1, start=index))
            wait_until(lambda count=index + 1: pipeline.poll().statistics.frames_read == count, what="a frame")
        assert (source.pictures, pipeline.poll().frame.index) == (fetched, 0)
        rest_s[0] = 60.0
        until(pipeline, lambda view: view.frame.index == 11, what="the newest frame, where there is room")
        assert source.pictures == fetched + 1


def test_a_rest_lasts_until_the_next_frame_and_there_is_none_during_a_decision(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rhythm, "USUAL_INTERVAL_S", 1000.0)  # a moment that does not pass
    monkeypatch.setattr(recognizer_thread, "QUICK_S", 0.0)  # the frames come all at once
    source, recognizer = ScriptedSource(), Counting(model_file)
    with running(Pipeline(source, lambda: recognizer)) as pipeline:
        assert pipeline.rest_s == math.inf
        feed_when_ready(pipeline, source, raised(1))
        wait_until(lambda: 900 < pipeline.rest_s <= 1000, what="a rest")
        recognizer.release.clear()
        source.put(*raised(79, start=1))
        until(pipeline, lambda _: source.is_drained, what="all frames read")
        assert pipeline._recognition.is_busy and pipeline.rest_s == pytest.approx(0.0)
        recognizer.error = RuntimeError("no more")
        recognizer.release.set()
        wait_until(lambda: pipeline.rest_s == math.inf, what="a recognizer that decides no more")


def test_nothing_is_waited_for_when_no_frame_is_expected_or_they_come_too_fast(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rhythm, "IDLE_FRAMES", 10**9)  # said, not guessed from a silence
    source = ReplaySource(recording(90), is_looping=True)
    with running(Pipeline(source, loader(model_file))) as pipeline:
        wait_until(lambda: pipeline.rest_s < 1.0, what="thirty frames a second")
        for pause in (Transport(play=False), Transport(step=1), Transport(seek_s=0.5)):
            pipeline.command(pause)
            wait_until(lambda: math.isinf(pipeline.rest_s), what="a pause")
        pipeline.command(Transport(play=True))
        wait_until(lambda: pipeline.rest_s < 1.0, what="frames again")
        pipeline.command(Transport(speed=8.0))
        wait_until(lambda: math.isinf(pipeline.rest_s), what="more frames than can be painted")
    with running(Pipeline(ReplaySource(recording(9)), loader(model_file))) as pipeline:
        wait_until(lambda: pipeline.is_done and math.isinf(pipeline.rest_s), what="the end")
    with running(Pipeline(ReplaySource(recording(90), is_looping=True), None)) as pipeline:
        until(pipeline, lambda view: view.frame, what="a frame")
        assert pipeline.rest_s == math.inf


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
