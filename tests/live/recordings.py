"""Recordings to test: a source with pictures to tell apart, and what must come out of a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from live.pipeline import Pipeline
from live.sources.replay import ReplaySource
from live.view import PipelineView, RecordingView
from skeleton.formats.table import open_recording
from skeleton.frames import BodyFrame
from skeleton.recording import Recording
from tests.live.fakes import ScriptedSource, body, wait_until

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
