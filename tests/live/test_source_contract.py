"""What every source must do, whatever it is: one suite over the table of sources."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from live.sources.base import Source, SourceStatus, Transport
from live.sources.table import SOURCES, SourceOptions
from skeleton.errors import ConfigError, SourceUnavailable
from skeleton.formats.table import write_recording
from skeleton.frames import BodyFrame
from tests.live.fakes import WAIT_S, recording


@pytest.fixture
def options(tmp_path: Path) -> SourceOptions:
    path = tmp_path / "people.npz"
    write_recording(recording(90, people=2), path)
    return SourceOptions(recording=path, people=2, seed=5, speed=math.inf)


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest, options: SourceOptions) -> Source:
    """A source of each kind that this machine can open; tests/kinect runs this suite over the Kinect everywhere."""
    made = SOURCES[request.param](options)
    try:
        made.open()
    except SourceUnavailable as error:
        assert request.param == "kinect", f"{request.param} must open everywhere: {error}"
        pytest.skip(str(error))
    made.close()
    return made


def frames(source: Source, count: int) -> list[BodyFrame]:
    found: list[BodyFrame] = []
    end = time.perf_counter() + WAIT_S
    while len(found) < count and time.perf_counter() < end:
        frame = source.read(timeout_s=0.1)
        if frame is not None:
            found.append(frame)
    assert len(found) == count
    return found


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_closing_is_allowed_before_opening_and_twice(name: str, options: SourceOptions) -> None:
    made = SOURCES[name](options)
    made.close()
    made.close()


def test_frames_come_in_order_with_the_layout_that_was_announced(source: Source) -> None:
    info = source.open()
    found = frames(source, 60)
    source.close()
    times = np.array([frame.time_s for frame in found])
    assert (np.diff(times) > 0).all()
    assert [frame.index for frame in found] == list(range(found[0].index, found[0].index + 60))
    bodies = [body for frame in found for body in frame.bodies]
    assert bodies
    assert {len(body.joints) for body in bodies} == {len(info.layout)}
    assert all(len(frame.bodies) <= 6 for frame in found)
    assert np.median(np.diff(times)) == pytest.approx(1 / info.rate_hz, rel=0.2)


def test_frames_are_stamped_with_their_arrival(source: Source) -> None:
    before = time.perf_counter()
    with source:
        found = frames(source, 5)
        assert all(before <= frame.arrival_s <= time.perf_counter() for frame in found)


def test_it_opens_again_after_it_was_closed(source: Source) -> None:
    first, second = [], []
    for found in (first, second):
        source.open()
        found += frames(source, 10)
        source.close()
        source.close()
    assert [frame.index for frame in first] == [frame.index for frame in second]


def test_a_read_does_not_wait_longer_than_it_may(source: Source) -> None:
    with source:
        frames(source, 3)
        source.apply(Transport(play=False))
        source.apply(Transport(speed=1e-3))  # the next frame is due in half a minute
        for timeout_s in (0.0, 0.05):
            taken_s = []
            for _ in range(5):  # the computer may stand still in some of them
                start_s = time.perf_counter()
                source.read(timeout_s=timeout_s)
                taken_s.append(time.perf_counter() - start_s)
            assert min(taken_s) < timeout_s + 0.2


def test_it_streams_while_open_and_its_position_fits_its_kind(source: Source) -> None:
    info = source.open()
    frames(source, 3)
    assert source.status is SourceStatus.STREAMING
    position = source.position
    assert (position is None) == info.is_live
    assert info.is_live or (position is not None and position.index == 2)
    assert (info.duration_s is None) == info.is_live
    source.close()


def test_a_picture_fits_the_size_that_was_announced(source: Source) -> None:
    info = source.open()
    frames(source, 3)
    picture = source.color()
    source.close()
    assert (picture is None) == (info.color_size is None)
    if picture is not None and info.color_size is not None:
        assert (picture.shape, picture.dtype) == ((info.color_size[1], info.color_size[0], 3), np.uint8)


def test_a_replay_without_a_recording_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="must have a recording"):
        SOURCES["replay"](SourceOptions())
