"""Pipelines to test: sources that count or keep step, and waiting for what they show."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from live.decision import DecisionConfig
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PipelineView, Recognition
from skeleton.frames import BodyFrame
from skeleton.recording import Recording
from tests.live.fakes import WAIT_S, ScriptedSource, body, frame, wait_until

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
