"""The threaded pipeline under the hands of a user: pause, seek, and what a device drops."""

from __future__ import annotations

import itertools
import math
import threading
from pathlib import Path

import numpy as np
import pytest

from live import offline
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.sources.base import SourceStatus, Transport
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PersonState
from skeleton.errors import SourceLost
from skeleton.frames import BodyFrame
from skeleton.window import Window
from tests.live.fakes import ScriptedSource, Watched, recording
from tests.live.pipelines import (
    QUICK,
    feed_when_ready,
    loader,
    raised,
    running,
    until,
)


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


@pytest.mark.parametrize("jump", [Transport(seek_s=12.0), Transport(step=-60)])
def test_a_jump_into_an_action_shows_it_at_once(model_file: Path, jump: Transport) -> None:
    found: list[ActionEvent] = []
    whole = recording(600, people=2, hand_up_s=(8.0, 16.0))
    with running(Pipeline(ReplaySource(whole), loader(model_file), config=QUICK)) as pipeline:
        pipeline.command(Transport(play=False))
        pipeline.command(Transport(seek_s=14.0))
        until(pipeline, lambda v: v.frame and v.frame.index == 420 and v.people, what="the first jump", events=found)
        pipeline.command(jump)
        view = until(pipeline, lambda v: v.frame.index == 360 and v.people, what="the second jump", events=found)
        shown = until(pipeline, lambda v: v.people[0].state is PersonState.ACTION, what="the action", events=found)
    assert view.status is shown.status is SourceStatus.PAUSED and shown.frame.index == 360
    assert [person.label for person in shown.people] == ["right hand up"] * 2
    assert all(person.joint_attention is not None and person.warm_up == 1.0 for person in shown.people)
    ends_s = [event.end_s for event in found if event.end_s is not None]
    assert len(ends_s) == 2 and all(end_s < 14.0 + 1e-6 for end_s in ends_s), "ended where it was left"


@pytest.mark.parametrize("index", [200, 40])
def test_a_window_after_a_jump_is_that_of_playing_to_it(model_file: Path, index: int) -> None:
    whole = recording(300, people=2, hand_up_s=(5.0, 9.0))

    def of_windows(recognizer: Watched) -> dict[tuple[int, int], Window]:
        return {(window.body_ids[0], round((window.end_s - 1000) * 30)): window for window in recognizer.windows}

    played = Watched(Recognizer(model_file, provider="cpu"))
    list(offline.run(ReplaySource(whole, speed=math.inf), played))
    jumped = Watched(Recognizer(model_file, provider="cpu"))
    with running(Pipeline(ReplaySource(whole), lambda: jumped)) as pipeline:
        pipeline.command(Transport(play=False))
        pipeline.command(Transport(seek_s=index / 30))
        until(pipeline, lambda v: v.frame and v.frame.index == index and v.people, what="the jump")
    expected, found = of_windows(played), of_windows(jumped)
    assert (10, index) in found
    for key, window in found.items():
        np.testing.assert_array_equal(window.seen, expected[key].seen)
        np.testing.assert_array_equal(window.joints, expected[key].joints)


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
