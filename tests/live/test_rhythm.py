"""The rhythm of frames, and what fits between two of them, on clocks of the tests' own."""

from __future__ import annotations

import math

import pytest

from live.rhythm import ENOUGH_S, LONGEST_WAIT_S, RESERVE_S, Interlude, Rhythm

FRAME_S = 1 / 30


def steady(count: int, interval_s: float = FRAME_S) -> list[float]:
    return [7.0 + number * interval_s for number in range(count)]


@pytest.mark.parametrize(
    ("arrivals", "since_last_s", "expected_s"),
    [
        pytest.param([], 0.0, math.inf, id="no frame yet: none is expected"),
        pytest.param([7.0], 0.010, FRAME_S - 0.010, id="one frame: thirty a second, until more is known"),
        pytest.param(steady(40), 0.010, FRAME_S - 0.010, id="a steady sensor"),
        pytest.param(steady(40, 0.066), 0.010, 0.056, id="a slower one"),
        pytest.param([*steady(40), 7 + 49 * FRAME_S], 0.010, FRAME_S - 0.010, id="a gap: then the beat begins anew"),
        pytest.param(steady(40), 1.5 * FRAME_S, 0.0, id="a frame that is late comes any moment"),
        pytest.param(steady(40), 2.9 * FRAME_S, 0.0, id="for almost three frames"),
        pytest.param(steady(40), 3.1 * FRAME_S, math.inf, id="then none is expected any more"),
        pytest.param(steady(40, 0.2), 0.5, 0.0, id="three of its own frames, of a slow sensor"),
    ],
)
def test_the_next_frame_is_expected_on_the_beat_of_the_last_ones(
    arrivals: list[float], since_last_s: float, expected_s: float
) -> None:
    rhythm = Rhythm(lambda: (arrivals or [7.0])[-1] + since_last_s)
    for received_s in arrivals:
        rhythm.note(received_s)
    assert rhythm.until_next_s() == pytest.approx(expected_s, abs=1e-3)


def test_the_frame_after_one_that_was_held_up_is_on_time() -> None:
    rhythm, on_time = Rhythm(lambda: 7.0 + 41 * FRAME_S - 0.015), steady(41)
    for received_s in (*on_time[:-1], on_time[-1] + 0.010):
        rhythm.note(received_s)
    assert 0.015 <= rhythm.until_next_s() < 0.017  # from the late frame it were 0.025


def test_a_sensor_that_stays_late_is_followed() -> None:
    now_s = [0.0]
    rhythm = Rhythm(lambda: now_s[0])
    for received_s in (*steady(40), *(received_s + 0.010 for received_s in steady(80)[40:])):
        now_s[0] = received_s
        rhythm.note(received_s)
    assert rhythm.until_next_s() == pytest.approx(FRAME_S, abs=1e-3)


def test_a_source_that_rests_is_expected_to_send_nothing_and_its_rest_is_no_interval() -> None:
    now_s = [0.0]
    rhythm = Rhythm(lambda: now_s[0])

    def send(*arrivals: float) -> None:
        for now_s[0] in arrivals:
            rhythm.note(now_s[0])

    send(*steady(5))
    assert rhythm.until_next_s() == pytest.approx(FRAME_S)
    assert rhythm.until_idle_s() == pytest.approx(3 * FRAME_S)
    rhythm.rest()
    assert (rhythm.until_next_s(), rhythm.until_idle_s()) == (math.inf, 0.0)
    for step_s in range(100, 200):  # single steps of a paused recording
        send(float(step_s))
        assert rhythm.until_next_s() == pytest.approx(FRAME_S)
        rhythm.rest()
    assert rhythm.interval_s == pytest.approx(FRAME_S)


@pytest.mark.parametrize(
    ("costs", "rest_s", "since_s", "fits"),
    [
        pytest.param([], 0.020, 0.030, True, id="what it costs is not known: it is tried"),
        pytest.param([0.004] * 9, 0.020, 0.030, True, id="as much time is left"),
        pytest.param([0.004] * 9, 0.004 + 2 * RESERVE_S, 0.030, True, id="just so much"),
        pytest.param([0.004] * 9, 0.004 + RESERVE_S / 2, 0.030, False, id="with nothing to spare"),
        pytest.param([0.004] * 9, 0.0, 0.030, False, id="a decision is being made"),
        pytest.param([], 0.0, 0.030, False, id="likewise, before it is known what it costs"),
        pytest.param([0.004] * 9, math.inf, 0.030, True, id="nothing is expected"),
        pytest.param([0.002] * 4 + [0.5] * 11, 0.005, 0.030, True, id="the computer had something else to do"),
        pytest.param([0.5] * 8 + [0.002] * 20, 0.005, 0.030, True, id="what it cost long ago is forgotten"),
        pytest.param(
            [0.050] * 9,
            ENOUGH_S + 2 * RESERVE_S,
            0.030,
            True,
            id="more than is ever left: not begun late",
        ),
        pytest.param([0.050] * 9, ENOUGH_S, 0.099, False, id="late"),
        pytest.param([0.050] * 9, ENOUGH_S, LONGEST_WAIT_S + 0.001, True, id="or three frames after the last time"),
        pytest.param([0.050] * 9, 0.0, LONGEST_WAIT_S + 0.001, True, id="even beside a decision"),
    ],
)
def test_work_is_put_between_two_decisions_where_it_fits_and_is_never_left_out_for_long(
    costs: list[float], rest_s: float, since_s: float, fits: bool
) -> None:
    work, now_s = Interlude(), 50.0
    for cost_s in costs:
        work.begin(now_s)
        work.end(now_s + cost_s)
        now_s += 1.0
    work.begin(now_s)
    assert work.since_s(now_s + since_s) == pytest.approx(since_s)
    assert work.fits(rest_s, now_s + since_s) is fits


def test_the_first_time_work_is_done_at_once() -> None:
    assert Interlude().fits(0.0, 50.0)


@pytest.mark.parametrize(("decision_s", "cost_s", "each"), [(0.006, 0.010, 1), (0.006, 0.020, 1), (0.028, 0.010, 3)])
def test_every_frame_is_painted_where_it_fits_and_ten_a_second_where_none_ever_does(
    decision_s: float, cost_s: float, each: int
) -> None:
    """A decision after each frame, and a look every 2 ms."""
    now_s, painted = 0.0, []
    rhythm, painting = Rhythm(lambda: now_s), Interlude()
    for number in range(120):
        now_s = max(now_s, number * FRAME_S)
        rhythm.note(number * FRAME_S)
        now_s += decision_s
        while now_s < (number + 1) * FRAME_S:
            if number not in painted[-1:] and painting.fits(rhythm.until_next_s(), now_s):
                painting.begin(now_s)
                painted.append(number)
                now_s += cost_s
                painting.end(now_s)
            now_s += 0.002
    assert painted[10:15] == list(range(painted[10], painted[10] + 5 * each, each))
