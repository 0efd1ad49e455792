"""The Kinect source on a scripted sensor: what arrives."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from live.sources.base import SourceStatus
from live.sources.kinect_v2 import QUEUE_FRAMES, KinectV2Source
from skeleton.frames import Body
from skeleton.layout import KINECT_V2
from tests.kinect.reading import read
from tests.kinect.sensor import COLOR_SIZE, FLOOR, Kinect, eventually
from tests.recordings import assert_same_body, walking_body, walking_recording


def test_an_open_sensor_says_what_it_is(source: KinectV2Source, kinect: Kinect) -> None:
    info = source.open()
    assert (info.kind, info.is_live, info.layout, info.rate_hz) == ("kinect", True, KINECT_V2, 30.0)
    assert (info.sensor_id, info.name) == ("012345670147", "Kinect v2 012345670147")
    assert info.color_size == COLOR_SIZE
    assert source.status is SourceStatus.STREAMING
    assert kinect.opened == 1


def test_bodies_arrive_with_their_joints_times_ids_hands_and_floor(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    recording = walking_recording(frames=12, bodies=3, come_and_go=True, start_s=4711.0)
    for sent in recording.frames:
        before_s = time.perf_counter()
        kinect.send(*sent.bodies, time_s=sent.time_s)
        frame = read(source)
        assert (frame.index, frame.time_s) == (sent.index, pytest.approx(sent.time_s, abs=1e-7))
        assert before_s <= frame.arrival_s <= time.perf_counter()
        assert frame.floor == pytest.approx(FLOOR)
        order = [body.tracking_id for body in frame.bodies]
        assert sorted(order) == [body.tracking_id for body in sent.bodies]
        for body in frame.bodies:
            assert_same_body(body, next(other for other in sent.bodies if other.tracking_id == body.tracking_id))


def test_six_people_arrive_in_one_frame(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    people = [walking_body(0.3, person) for person in range(6)]
    kinect.send(*people, time_s=1.0)
    assert [body.tracking_id for body in read(source).bodies] == [body.tracking_id for body in people]


def test_real_movements_arrive_bit_for_bit(source: KinectV2Source, kinect: Kinect, real_data: Path) -> None:
    from skeleton.formats.table import open_recording

    recording = open_recording(real_data / "labanotation" / "Ges01_wavehand.csv")
    source.open()
    for sent in recording.frames:
        kinect.send(*sent.bodies, time_s=sent.time_s)
        frame = read(source)
        assert frame.time_s == pytest.approx(sent.time_s, abs=1e-6)
        assert_same_body(frame.bodies[0], sent.bodies[0], details=False)


def test_a_joint_that_is_not_tracked_keeps_its_state(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    joints, state = np.full((25, 3), -np.inf, dtype=np.float32), np.arange(25) % 3
    joints[state > 0] = 1.0
    kinect.send(Body(tracking_id=2**64 - 2, joints=joints, state=state), time_s=1.0)
    (body,) = read(source).bodies
    assert body.tracking_id == 2**64 - 2
    np.testing.assert_array_equal(body.state, state)
    np.testing.assert_array_equal(body.seen, state > 0)


def test_an_empty_room_is_a_frame_without_bodies_and_without_a_floor(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0, floor=(0.0, 0.0, 0.0, 0.0))
    frame = read(source)
    assert frame.bodies == () and frame.floor is None


def test_no_frame_is_left_out_while_the_reader_keeps_up(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    indices = []
    for batch in range(20):  # the reader pauses for ten frames at a time, a third of a second of the sensor's
        for number in range(10):
            kinect.send(walking_body(number / 30), time_s=1 + (10 * batch + number) / 30)
        indices += [read(source).index for _ in range(10)]
    assert indices == list(range(200))
    assert source.frames_lost == 0


def test_a_reader_that_sleeps_gets_the_newest_two_seconds_and_the_loss_is_counted(
    source: KinectV2Source, kinect: Kinect
) -> None:
    source.open()
    for number in range(QUEUE_FRAMES + 7):
        kinect.send(time_s=1 + number / 30)
    assert eventually(lambda: source.frames_lost == 7)
    assert [read(source).index for _ in range(QUEUE_FRAMES)] == list(range(7, QUEUE_FRAMES + 7))


def test_a_frame_that_the_sdk_dropped_is_a_gap_and_not_an_error(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0)
    kinect.send_gone()
    kinect.send(time_s=1 + 2 / 30)
    assert [read(source).index, read(source).index] == [0, 2]
    assert source.frames_lost == 1


def test_frames_that_the_next_one_replaced_are_counted_by_the_sensor_s_clock(
    source: KinectV2Source, kinect: Kinect
) -> None:
    source.open()
    for number in (0, 1, 4, 6):
        kinect.send(time_s=1 + number / 30)
    assert [read(source).index for _ in range(4)] == [0, 1, 4, 6]
    assert source.frames_lost == 3
    kinect.send(time_s=20.0)  # a pause of the sensor
    assert read(source).index == 7
    assert source.frames_lost == 3


def test_a_frame_delivered_twice_is_read_once(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    for time_s in (1.0, 1.0, 1.1):
        kinect.send(time_s=time_s)
    assert [read(source).time_s, read(source).time_s] == pytest.approx([1.0, 1.1])
    assert source.read(timeout_s=0.01) is None
