"""The replay source: paced by sensor time at any speed, and obedient to the transport bar."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from live.sources.base import SourceStatus, Transport
from live.sources.color_video import ColorVideo
from live.sources.replay import ReplaySource
from skeleton.errors import RecordingError, SourceUnavailable
from skeleton.formats.base import FramesOnDemand
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.recording import Recording
from tests.live.fakes import FakeClock, recording

STEP_S = 1 / 30


def deliveries(source: ReplaySource, clock: FakeClock, count: int) -> list[tuple[int, float]]:
    """The next frames as (index, time of arrival since now)."""
    start, found = clock.now_s(), []
    while len(found) < count:
        frame = source.read(timeout_s=0.01)
        if frame is not None:
            found.append((frame.index, clock.now_s() - start))
        elif source.status is not SourceStatus.STREAMING:
            break
    return found


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
def test_frames_arrive_by_sensor_time_without_drift(speed: float) -> None:
    clock = FakeClock()
    with ReplaySource(recording(900), speed=speed, clock=clock) as source:
        found = deliveries(source, clock, 900)
    assert [index for index, _ in found] == list(range(900))
    np.testing.assert_allclose([at for _, at in found], np.arange(900) * STEP_S / speed, atol=1e-6)


def test_gaps_in_sensor_time_are_kept() -> None:
    clock, whole = FakeClock(), recording(5)
    times = whole.times_s + np.array([0, 0, 2, 2, 2.5])
    gappy = Recording(whole.info, times, whole.frames)
    with ReplaySource(gappy, clock=clock) as source:
        found = deliveries(source, clock, 5)
    np.testing.assert_allclose([at for _, at in found], times - times[0], atol=1e-6)


def test_as_fast_as_possible_never_waits() -> None:
    clock = FakeClock()
    with ReplaySource(recording(50), speed=math.inf, clock=clock) as source:
        found = deliveries(source, clock, 50)
    assert found == [(index, 0.0) for index in range(50)]


def test_a_consumer_that_is_late_once_does_not_shift_the_rest() -> None:
    clock = FakeClock()
    with ReplaySource(recording(30), clock=clock) as source:
        deliveries(source, clock, 5)
        clock.sleep(0.2)
        late = deliveries(source, clock, 10)
    at = dict(late)
    assert at[5] == at[9] == 0.0  # overdue frames come at once
    assert at[14] == pytest.approx(14 * STEP_S - (4 * STEP_S + 0.2))


def test_a_computer_that_slept_goes_on_from_now() -> None:
    clock = FakeClock()
    with ReplaySource(recording(600), clock=clock) as source:
        deliveries(source, clock, 5)
        clock.sleep(8.0)
        found = deliveries(source, clock, 3)
    assert found == [(5, 0.0), (6, pytest.approx(STEP_S)), (7, pytest.approx(2 * STEP_S))]


def test_a_change_of_speed_makes_no_jump() -> None:
    clock = FakeClock()
    with ReplaySource(recording(600), clock=clock) as source:
        deliveries(source, clock, 10)
        source.apply(Transport(speed=2.0))
        twice = deliveries(source, clock, 4)
        source.apply(Transport(speed=math.inf))
        assert deliveries(source, clock, 20)[-1] == (33, 0.0)
        source.apply(Transport(speed=1.0))
        once = deliveries(source, clock, 2)
    assert [index for index, _ in twice] == [10, 11, 12, 13]
    np.testing.assert_allclose([at for _, at in twice], np.arange(1, 5) * STEP_S / 2, atol=1e-6)
    np.testing.assert_allclose([at for _, at in once], np.arange(1, 3) * STEP_S, atol=1e-6)


def test_a_pause_holds_the_frame_and_play_goes_on_after_it() -> None:
    clock = FakeClock()
    with ReplaySource(recording(60), clock=clock) as source:
        deliveries(source, clock, 10)
        source.apply(Transport(play=False))
        before = clock.now_s()
        assert source.read(timeout_s=5.0) is None
        assert clock.now_s() - before == pytest.approx(5.0)  # it waited: no busy loop for its reader
        assert (source.status, source.position.index) == (SourceStatus.PAUSED, 9)
        source.apply(Transport(play=True))
        assert deliveries(source, clock, 1) == [(10, pytest.approx(STEP_S))]


@pytest.mark.parametrize(
    ("steps", "expected"), [((1, 1), [11, 12]), ((-1, -3), [9, 6]), ((-100,), [0]), ((100,), [59])]
)
def test_steps_go_both_ways_and_stop_at_the_ends(steps: tuple[int, ...], expected: list[int]) -> None:
    clock = FakeClock()
    with ReplaySource(recording(60), clock=clock) as source:
        deliveries(source, clock, 11)
        found = []
        for step in steps:
            source.apply(Transport(step=step))
            found += [index for index, _ in deliveries(source, clock, 1)]
            assert source.status is SourceStatus.PAUSED
            assert source.read(timeout_s=1.0) is None
    assert found == expected


def test_quick_steps_between_two_reads_add_up() -> None:
    clock = FakeClock()
    with ReplaySource(recording(60), clock=clock) as source:
        deliveries(source, clock, 11)
        for step in (1, 1, 1, -2, 4):
            source.apply(Transport(step=step))
        assert deliveries(source, clock, 2) == [(15, 0.0)]


def test_a_seek_shows_its_frame_at_once_and_goes_on_from_there() -> None:
    clock = FakeClock()
    with ReplaySource(recording(90), clock=clock) as source:
        deliveries(source, clock, 3)
        source.apply(Transport(seek_s=2.0))
        assert deliveries(source, clock, 2) == [(60, 0.0), (61, pytest.approx(STEP_S))]
        source.apply(Transport(play=False))
        source.apply(Transport(seek_s=0.5))
        assert deliveries(source, clock, 1) == [(15, 0.0)]
        assert source.status is SourceStatus.PAUSED
        assert source.position.time_s == pytest.approx(0.5)
        source.apply(Transport(seek_s=-7.0))
        assert deliveries(source, clock, 1) == [(0, 0.0)]


def test_what_leads_to_a_frame_is_given_without_going_there() -> None:
    whole = recording(90)
    with ReplaySource(whole, clock=FakeClock()) as source:
        assert source.lead_in(1.0) == []
        source.apply(Transport(seek_s=2.0))
        assert source.read(0.0) is not None
        assert [frame.index for frame in source.lead_in(0.5)] == list(range(45, 60))
        assert [frame.index for frame in source.lead_in(99.0)] == list(range(60))
        following = source.read(1.0)
        assert following is not None and following.index == 61


def test_the_end_is_said_and_play_or_seek_starts_again() -> None:
    clock = FakeClock()
    with ReplaySource(recording(10), clock=clock) as source:
        assert len(deliveries(source, clock, 99)) == 10
        assert source.status is SourceStatus.ENDED
        assert source.read(timeout_s=0.1) is None
        source.apply(Transport(play=True))
        assert [index for index, _ in deliveries(source, clock, 99)] == list(range(10))
        source.apply(Transport(seek_s=0.2))
        assert [index for index, _ in deliveries(source, clock, 99)] == [6, 7, 8, 9]
        source.apply(Transport(step=-1))
        assert deliveries(source, clock, 1) == [(8, 0.0)]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_loop_goes_round_without_a_pause_or_a_hurry(length: int) -> None:
    clock = FakeClock()
    with ReplaySource(recording(length), is_looping=True, clock=clock) as source:
        found = deliveries(source, clock, 3 * length)
        assert source.status is SourceStatus.STREAMING
        source.apply(Transport(loop=False))
        deliveries(source, clock, 99)
        assert source.status is SourceStatus.ENDED
    assert [index for index, _ in found] == list(range(length)) * 3
    np.testing.assert_allclose([at for _, at in found], np.arange(3 * length) * STEP_S, atol=1e-6)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_a_programming_mistake(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ReplaySource(recording(5), speed=speed)


def test_an_empty_recording_is_refused_in_a_sentence() -> None:
    with pytest.raises(RecordingError, match="holds none"):
        ReplaySource(recording(0)).open()


def write_video(path: Path, count: int, *, rate_hz: float = 30.0) -> Path:
    """A video whose picture n is uniformly gray 4n."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate_hz, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), 4 * index, dtype=np.uint8))
    writer.release()
    return path


def shade(picture: np.ndarray | None) -> int:
    assert picture is not None
    return round(float(picture.mean()) / 4)


def test_each_frame_has_the_picture_of_its_time(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 24, rate_hz=12.0)
    clock = FakeClock()
    with ReplaySource(recording(60), video=video, clock=clock, speed=math.inf) as source:
        assert source.color() is None  # nothing read so far
        shades = []
        for _ in range(60):
            source.read(timeout_s=1.0)
            shades.append(shade(source.color()))
        assert shades == [min(round(index * 0.4), 23) for index in range(60)]
        for seek_s, expected in ((0.5, 6), (1.8, 22), (0.0, 0), (1.0, 12)):
            source.apply(Transport(seek_s=seek_s))
            source.read(timeout_s=1.0)
            assert shade(source.color()) == expected


def test_a_video_whose_name_is_not_utf_8_is_refused_before_opencv_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.avi"
    try:
        path.touch()
    except (OSError, UnicodeEncodeError):
        pytest.skip("names are text here")
    with pytest.raises(SourceUnavailable, match="UTF-8"):
        ColorVideo(path)


def test_the_recordings_own_video_is_shown_and_its_size_told(tmp_path: Path) -> None:
    whole = recording(4)
    info = dataclasses.replace(whole.info, color_video=write_video(tmp_path / "v.avi", 4))
    source = ReplaySource(Recording(info, whole.times_s, whole.frames))
    assert source.open().color_size == (64, 48)
    source.read(timeout_s=1.0)
    picture = source.color()
    assert picture is not None
    assert (picture.shape, picture.dtype, picture.flags.writeable) == ((48, 64, 3), np.uint8, False)
    source.close()


def test_a_missing_or_damaged_video_is_a_sentence_only_when_it_was_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(500))
    for video, sentence in ((tmp_path / "absent.avi", "There is no"), (damaged, "must be a video")):
        with pytest.raises(SourceUnavailable, match=sentence):
            ReplaySource(recording(5), video=video).open()
        whole = recording(5)
        named = Recording(dataclasses.replace(whole.info, color_video=video), whole.times_s, whole.frames)
        with ReplaySource(named) as source:
            assert source.read(timeout_s=1.0) is not None
            assert source.color() is None
    assert capfd.readouterr().err == ""


def test_a_recording_with_pixels_brings_its_own_color_map() -> None:
    from calibration.color_map import ColorMap

    whole, truth = recording(20), ColorMap.default().shifted(3.0, -7.0)
    generator = np.random.default_rng(0)
    frames = []
    for frame in whole.frames:
        joints = generator.uniform((-1, -1, 1.5), (1, 1, 4), size=(25, 3)).astype(np.float32)
        details = BodyDetails(color_px=truth.project(joints))
        frames.append(
            BodyFrame(frame.index, frame.time_s, bodies=(Body(1, joints, np.full(25, 2), details=details),))
        )
    info = ReplaySource(Recording(whole.info, whole.times_s, frames)).open()
    assert info.color_map is not None
    points = np.array([[0.1, 0.2, 2.0], [-0.8, 0.9, 3.0]])
    np.testing.assert_allclose(ColorMap(info.color_map).project(points), truth.project(points), atol=0.1)


def test_opening_a_long_recording_without_pixels_builds_few_of_its_frames() -> None:
    whole, built = recording(5000), []

    def build(index: int) -> BodyFrame:
        built.append(index)
        return whole.frames[index]

    long = Recording(whole.info, whole.times_s, FramesOnDemand(5000, build))
    assert ReplaySource(long).open().color_map is None
    assert len(built) < 100


def test_reopening_starts_from_the_beginning() -> None:
    clock = FakeClock()
    source = ReplaySource(recording(10), clock=clock)
    for _ in range(2):
        info = source.open()
        assert (info.frame_count, info.duration_s) == (10, pytest.approx(0.3))
        assert [index for index, _ in deliveries(source, clock, 4)] == [0, 1, 2, 3]
        source.close()
        source.close()


def test_real_recordings_play_to_their_end_frame_by_frame(real_data: Path) -> None:
    files = sorted((real_data / "labanotation").glob("*.csv"))
    assert files
    for file in files:
        clock = FakeClock()
        with ReplaySource(file, clock=clock) as source:
            info = source.open()
            found = deliveries(source, clock, 10_000)
            assert len(found) == info.frame_count
            assert found[-1][1] == pytest.approx(info.duration_s)
