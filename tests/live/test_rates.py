"""Rates and latencies of the last two seconds."""

from __future__ import annotations

import pytest

from live.rates import KEPT_S, MOST_SAMPLES, EventLatencies, RecentTimes
from live.view import ActionEvent, PersonState, PersonView


def filled(count: int, step_s: float) -> RecentTimes:
    times = RecentTimes()
    for index in range(count):
        times.add(index * step_s, index)
    return times


@pytest.mark.parametrize("rate_hz", [2.0, 15.0, 30.0, 400.0])
def test_a_steady_rate_is_told_right_at_any_moment(rate_hz: float) -> None:
    times = filled(int(5 * rate_hz), 1 / rate_hz)
    for late_s in (0.0, 0.5 / rate_hz, 0.99 / rate_hz):
        assert times.per_second(5 - 1 / rate_hz + late_s) == pytest.approx(rate_hz, rel=0.02)


def test_a_source_that_stops_is_seen_to_slow_down_to_zero() -> None:
    times = filled(150, 1 / 30)
    rates = [times.per_second(5.0 + wait_s) for wait_s in (0.0, 0.5, 1.0, 1.5, 2.5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 28
    assert rates[-1] == 0.0


def test_percentiles_look_at_two_seconds_only() -> None:
    times = filled(300, 1 / 30)
    median, most = times.percentiles(299 / 30, 50, 100) or (0.0, 0.0)
    assert (median, most) == (pytest.approx(269.5, abs=1), 299)
    assert times.percentiles(100.0, 50) is None


def test_memory_is_bounded() -> None:
    assert filled(50_000, 1e-6).per_second(0.05) == pytest.approx(1e6, rel=0.01)
    assert len(filled(50_000, 1e-6)._samples) == MOST_SAMPLES


def test_an_hour_leaves_no_more_to_look_through_than_some_seconds() -> None:
    assert len(filled(30 * 3600, 1 / 30)._samples) <= KEPT_S * 30 + 1


def action(person: int, label: str = "wave", *, end_s: float | None = None) -> ActionEvent:
    return ActionEvent(100 + person, person, label, 0.5, end_s, 0.9)


def doing(person: int, *, body_id: int = 1) -> PersonView:
    return PersonView(body_id, person, PersonState.ACTION, label="wave")  # another tracking id than it began under


def test_an_event_has_the_mean_latency_of_the_decisions_that_its_action_lasted_for() -> None:
    latencies = EventLatencies()
    assert [e.latency_ms for e in latencies.note([doing(7)], [action(7)], 10.0)] == [10.0]
    latencies.note([doing(7), doing(8)], [action(8)], 20.0)
    latencies.note([doing(7), doing(8)], [], 60.0)
    assert [e.latency_ms for e in latencies.note([], [action(7, end_s=1.0)], 500.0)] == [30.0]
    assert [e.latency_ms for e in latencies.end([action(8, end_s=2.0)])] == [40.0]
    assert latencies._sums == {}


def test_an_action_that_follows_another_at_once_begins_anew() -> None:
    latencies = EventLatencies()
    latencies.note([doing(7)], [action(7)], 10.0)
    told = latencies.note([doing(7)], [action(7, end_s=1.0), action(7, "bow")], 30.0)
    assert [(e.label, e.latency_ms) for e in told] == [("wave", 10.0), ("bow", 30.0)]


def test_the_latency_does_not_make_two_events_differ() -> None:
    [told] = EventLatencies().note([doing(7)], [action(7)], 10.0)
    assert told == action(7)
