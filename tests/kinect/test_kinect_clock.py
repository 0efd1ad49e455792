"""The sensor's clock jumps, forward or back: times go on, no window has both sides, what went on has ended."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from live.decision import DecisionConfig
from live.engine import Engine
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.sources.base import SourceStatus
from live.sources.kinect_v2 import BINDING, KinectV2Source
from live.view import ActionEvent
from skeleton.formats.table import open_recording
from skeleton.frames import Body
from skeleton.layout import KINECT_V2
from tests.kinect.reading import read
from tests.kinect.sensor import Kinect
from tests.kinect.test_kinect_pipeline import has_opened, wait_for
from tests.live import tiny_model
from tests.live.fakes import Watched, body

BEFORE_S, FRAMES, RATE_HZ = 100.0, 40, 30.0
JUMPS = [
    pytest.param(4000.0, id="ahead by an hour"),
    pytest.param(103.5, id="ahead by two seconds"),
    pytest.param(101.2, id="back by a tenth of a second"),
    pytest.param(0.5, id="it started again"),
]
QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(Recognizer(tiny_model.write(tmp_path / "tiny.onnx"), provider="cpu"))


def sides(after_s: float) -> list[tuple[float, Body]]:
    """The same person with the hand up, in one place before the jump and in another after it."""
    starts = [(BEFORE_S, -1.0), (after_s, 1.0)]
    return [
        (start_s + k / RATE_HZ, body(7, start_s + k / RATE_HZ, is_hand_up=True, x=x))
        for start_s, x in starts
        for k in range(FRAMES)
    ]


@pytest.fixture
def steady_computer(kinect: Kinect, monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which a frame arrives every thirtieth of a second: how long a jump took is measured by its clock."""
    binding, arrivals_s = importlib.import_module(BINDING), itertools.count(10.0, 1 / RATE_HZ)
    monkeypatch.setattr(binding, "time", SimpleNamespace(perf_counter=lambda: next(arrivals_s)))


@pytest.mark.usefixtures("steady_computer")
@pytest.mark.parametrize("after_s", JUMPS)
def test_no_frame_is_left_out_and_times_only_increase(source: KinectV2Source, kinect: Kinect, after_s: float) -> None:
    source.open()
    frames = []
    for time_s, person in sides(after_s):
        kinect.send(person, time_s=time_s)
        frames.append(read(source))
    steps_s = np.diff([frame.time_s for frame in frames])
    assert len(frames) == 2 * FRAMES and source.status is SourceStatus.STREAMING
    assert [frame.index for frame in frames] == list(range(2 * FRAMES)) and source.frames_lost == 0
    assert steps_s[FRAMES - 1] == pytest.approx(1.001, abs=0.02)
    np.testing.assert_allclose(np.delete(steps_s, FRAMES - 1), 1 / RATE_HZ, atol=1e-6)


@pytest.mark.usefixtures("steady_computer")
@pytest.mark.parametrize("after_s", JUMPS)
def test_no_window_has_both_sides_and_every_action_ends(
    source: KinectV2Source, kinect: Kinect, watched: Watched, after_s: float
) -> None:
    source.open()
    engine, events = Engine(watched, KINECT_V2, config=QUICK), list[ActionEvent]()
    for time_s, person in sides(after_s):
        kinect.send(person, time_s=time_s)
        observation = engine.observe(read(source))
        assert observation is not None
        decided = engine.decide(observation)
        assert decided is not None
        events += decided.events
    places = [set(np.sign(window.joints[..., 0][window.seen]).tolist()) for window in watched.windows]
    assert places and all(len(place) == 1 for place in places) and {-1.0} in places and {1.0} in places
    began, ended, again = events
    assert began.end_s is None and ended.start_s == began.start_s and ended.end_s is not None
    assert ended.end_s == pytest.approx((FRAMES - 1) / RATE_HZ, abs=1e-3)  # the last look
    assert again.end_s is None and again.start_s > ended.end_s + 1.0
    assert [event.end_s is None for event in engine.finish()] == [False]


def test_a_recording_goes_on_over_a_jump_with_a_gap(kinect: Kinect, tmp_path: Path) -> None:
    path = tmp_path / "jump.mcap"
    with Pipeline(KinectV2Source(available_s=0.2), None) as pipeline:
        pipeline.record(path)
        assert has_opened(kinect)
        for count, (time_s, person) in enumerate(sides(0.5), start=1):
            kinect.send(person, time_s=time_s)
            if count % 10 == 0:
                wait_for(pipeline, lambda view, count=count: view.recording and view.recording.frames == count)
        assert pipeline.poll().status is SourceStatus.STREAMING
    found = open_recording(path)
    assert len(found.frames) == 2 * FRAMES and found.gaps() == [FRAMES]


@pytest.mark.usefixtures("steady_computer")
def test_a_jump_is_no_loss_but_a_frame_that_is_gone_beside_it_is(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=50.0)
    kinect.send_gone()
    kinect.send(time_s=1.0)
    first, second = read(source), read(source)
    assert (second.index, source.frames_lost) == (2, 1)
    assert dataclasses.replace(second, time_s=0.0).bodies == () and second.time_s > first.time_s + 1.0
