"""The threaded pipeline ends, whatever it is doing, and leaves no thread."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

from live.pipeline import STOP_WITHIN_S, Pipeline
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import ActionEvent
from tests.live.fakes import WAIT_S, recording, wait_until
from tests.live.pipelines import (
    QUICK,
    loader,
    running,
    time_of_stop,
    until,
)


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
