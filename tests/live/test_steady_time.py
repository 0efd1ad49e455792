"""A clock that starts again or jumps becomes a time that only increases, with a gap at the jump."""

from __future__ import annotations

import math

import pytest

from live.steady_time import SteadyTime
from skeleton.recording import GAP_S

START_S, LEAP_S = 500.0, 2.0


@pytest.mark.parametrize(
    ("why", "clock_s", "passed_s", "expected_s"),
    [
        ("the same reading twice", 500.0, 0.02, None),
        ("the next frame", 500.0333, 0.033, 500.0333),
        ("a frame that was long under way", 500.0333, 0.9, 500.0333),
        ("a pause of the sensor", 530.0, 30.0, 530.0),
        ("a leap that could be lost frames", 501.9, 0.033, 501.9),
        ("a leap ahead by an hour", 4100.0, 0.033, 501.001),
        ("a step back by one tick", 499.9999999, 0.033, 501.001),
        ("a clock that started again after a minute", 0.1, 60.0, 560.0),
    ],
)
def test_one_reading_after_another(why: str, clock_s: float, passed_s: float, expected_s: float | None) -> None:
    time = SteadyTime()
    assert time.of(START_S, received_s=10.0, longest_leap_s=LEAP_S) == START_S
    found = time.of(clock_s, received_s=10.0 + passed_s, longest_leap_s=LEAP_S)
    assert found == (None if expected_s is None else pytest.approx(expected_s)), why
    if found is not None:
        following = time.of(clock_s + 1 / 30, received_s=10.0 + passed_s + 1 / 30, longest_leap_s=LEAP_S)
        assert following == pytest.approx(found + 1 / 30)


def test_a_jump_is_a_gap_that_readers_of_a_recording_see() -> None:
    time = SteadyTime()
    before_s = time.of(START_S, received_s=0.0, longest_leap_s=LEAP_S)
    after_s = time.of(1.0, received_s=0.0, longest_leap_s=LEAP_S)
    assert before_s is not None and after_s is not None
    nanoseconds = [round(time_s * 1e9) for time_s in (before_s, after_s)]
    assert (nanoseconds[1] - nanoseconds[0]) / 1e9 >= GAP_S


@pytest.mark.parametrize(
    ("why", "clock_s", "passed_s", "expected_s"),
    [
        ("its clock went on", 530.02, 30.0, 530.02),
        ("its clock began again, with a later time", 503.0, 30.0, 530.0),
        ("its clock began again, with the next frame's time", 500.0333, 3.0, 503.0),
        ("its clock began again, with the same time", 500.0, 3.0, 503.0),
        ("its clock began again, and it was away for a moment", 500.0333, 0.6, 501.001),
    ],
)
def test_a_device_that_was_away(why: str, clock_s: float, passed_s: float, expected_s: float) -> None:
    time = SteadyTime()
    assert time.of(START_S, received_s=10.0, longest_leap_s=LEAP_S, is_reopened=True) == START_S
    found = time.of(clock_s, received_s=10.0 + passed_s, longest_leap_s=LEAP_S, is_reopened=True)
    assert found == pytest.approx(expected_s), why


def test_what_may_run_faster_than_the_time_passes_does_not_leap() -> None:
    time = SteadyTime()
    time.of(START_S, received_s=0.0, longest_leap_s=math.inf)
    assert time.of(9000.0, received_s=0.0, longest_leap_s=math.inf) == 9000.0
