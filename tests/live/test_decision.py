"""The decision: when an action starts and ends, as tables of probabilities over time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from live.decision import DecisionConfig, PersonDecision
from live.view import ActionEvent
from skeleton import config as settings
from skeleton.errors import ConfigError
from tests.live.tiny_model import CARD

LABELS = ("wave", "squat", "bow")
PLAIN = DecisionConfig(smoothing_s=0.0, min_duration_s=0.3, cool_down_s=0.5)
STEP_S = 0.1


def decision(config: DecisionConfig = PLAIN, thresholds: tuple[float, float] = (0.6, 0.4)) -> PersonDecision:
    return PersonDecision(body_id=77, person=2, labels=LABELS, thresholds=thresholds, config=config)


def spread(label: str, probability: float) -> np.ndarray:
    """``probability`` for a label, the rest shared by the others."""
    rest = (1 - probability) / (len(LABELS) - 1)
    return np.array([probability if name == label else rest for name in LABELS])


def run(machine: PersonDecision, script: list[tuple[str, float]], *, step_s: float = STEP_S) -> list[ActionEvent]:
    events: list[ActionEvent] = []
    for index, (label, probability) in enumerate(script):
        events += machine.update(index * step_s, spread(label, probability)).events
    return events


def brief(events: list[ActionEvent]) -> list[tuple[str, float, float | None]]:
    return [(e.label, round(e.start_s, 3), None if e.end_s is None else round(e.end_s, 3)) for e in events]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param([("wave", 0.5)] * 20, [], id="never sure enough"),
        pytest.param([("wave", 0.9)] * 3, [], id="too short"),
        pytest.param([("wave", 0.9)] * 4, [("wave", 0.0, None)], id="long enough: it started when it was first sure"),
        pytest.param(
            [("wave", 0.9)] * 6 + [("wave", 0.3)] * 3,
            [("wave", 0.0, None), ("wave", 0.0, 0.6)],
            id="ends below the lower threshold",
        ),
        pytest.param(
            [("wave", 0.9)] * 4 + [("wave", 0.45), ("wave", 0.7)] * 8,
            [("wave", 0.0, None)],
            id="does not blink between the thresholds",
        ),
        pytest.param(
            [("wave", 0.9), ("wave", 0.9), ("wave", 0.5)] * 6, [], id="an interrupted candidate starts from zero"
        ),
        pytest.param(
            [("wave", 0.9)] * 5 + [("wave", 0.35)] + [("wave", 0.9)] * 5,
            [("wave", 0.0, None), ("wave", 0.0, 0.5), ("wave", 0.6, None)],
            id="the same action again only after the cool-down",
        ),
        pytest.param(
            [("wave", 0.9)] * 5 + [("squat", 0.9)] * 5,
            [("wave", 0.0, None), ("wave", 0.0, 0.5), ("squat", 0.5, None)],
            id="another action need not wait for the cool-down",
        ),
    ],
)
def test_an_action_starts_and_ends(
    script: list[tuple[str, float]], expected: list[tuple[str, float, float | None]]
) -> None:
    assert brief(run(decision(), script)) == expected


def test_the_cool_down_delays_only_the_start_of_the_same_action() -> None:
    machine = decision(dataclasses.replace(PLAIN, cool_down_s=2.0))
    script = [("wave", 0.9)] * 5 + [("bow", 0.4)] * 1 + [("wave", 0.9)] * 30
    events = brief(run(machine, script))
    assert events[:2] == [("wave", 0.0, None), ("wave", 0.0, 0.5)]
    assert len(events) == 3
    reported = next(
        index * STEP_S
        for index in range(len(script))
        if len(run(decision(dataclasses.replace(PLAIN, cool_down_s=2.0)), script[: index + 1])) == 3
    )
    assert reported == pytest.approx(2.5)


def test_an_action_gives_way_to_another_that_is_sure_while_it_is_still_above_its_lower_threshold() -> None:
    machine = decision(thresholds=(0.5, 0.1))
    events = run(machine, [("wave", 0.9)] * 5 + [("squat", 0.6)] * 6)
    assert brief(events) == [("wave", 0.0, None), ("wave", 0.0, 0.8), ("squat", 0.8, None)]


@pytest.mark.parametrize("rate_hz", [10.0, 15.0, 30.0, 120.0])
def test_smoothing_takes_seconds_not_frames(rate_hz: float) -> None:
    machine = decision(DecisionConfig(smoothing_s=0.5, min_duration_s=0.0))
    machine.update(0.0, spread("wave", 0.0))
    for index in range(1, int(2 * rate_hz) + 1):
        verdict = machine.update(index / rate_hz, spread("wave", 1.0))
    assert verdict.probabilities[0] == pytest.approx(1 - np.exp(-2 / 0.5), abs=1e-3)
    assert verdict.probabilities.sum() == pytest.approx(1.0, abs=1e-5)


def test_one_wild_frame_does_not_start_an_action() -> None:
    machine = decision(DecisionConfig(smoothing_s=0.3, min_duration_s=0.0))
    assert run(machine, [("wave", 0.1)] * 10 + [("wave", 1.0)] + [("wave", 0.1)] * 10, step_s=1 / 30) == []


def test_a_person_who_leaves_takes_the_label_along_and_starts_anew() -> None:
    machine = decision(DecisionConfig(smoothing_s=1.0, min_duration_s=0.3, cool_down_s=0.0))
    run(machine, [("wave", 0.9)] * 6)
    assert brief(list(machine.leave(0.5))) == [("wave", 0.0, 0.5)]
    assert machine.leave(0.6) == ()
    verdict = machine.update(3.0, spread("bow", 0.8))
    assert verdict.label is None
    np.testing.assert_allclose(verdict.probabilities, spread("bow", 0.8), rtol=1e-6)


def test_the_confidence_is_the_mean_over_time_not_over_frames() -> None:
    machine = decision(dataclasses.replace(PLAIN, min_duration_s=0.0))
    machine.update(0.0, spread("wave", 0.9))
    machine.update(1.0, spread("wave", 0.9))
    for index in range(10):
        machine.update(1.0 + (index + 1) * 0.1, spread("wave", 0.5))
    [event] = machine.leave(2.0)
    assert event.confidence == pytest.approx(0.7)
    assert (event.body_id, event.person) == (77, 2)


def test_the_best_class_is_told_without_an_action() -> None:
    verdict = decision().update(0.0, spread("bow", 0.5))
    assert (verdict.label, verdict.confidence) == (None, pytest.approx(0.5))


def test_thresholds_come_from_the_card_unless_they_are_set() -> None:
    assert DecisionConfig().thresholds(CARD) == (CARD.enter_threshold, CARD.exit_threshold)
    assert DecisionConfig(enter_threshold=0.9).thresholds(CARD) == (0.9, CARD.exit_threshold)
    assert DecisionConfig(enter_threshold=0.2).thresholds(CARD) == (0.2, 0.2)


@pytest.mark.parametrize(
    "assignment", ["smoothing_s=-1", "min_duration_s=nan", "enter_threshold=1.5", "cool_down_s=inf", "no_such=1"]
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(assignment: str) -> None:
    with pytest.raises(ConfigError):
        settings.load(DecisionConfig, assignments=[assignment])
