"""The decision: when an action starts and ends, as tables of probabilities over time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from live.decision import DecisionConfig, PersonDecision
from live.decision_rules import DecisionRules
from live.view import ActionEvent, PersonState
from skeleton import config as settings
from skeleton.errors import ConfigError
from tests.live.tiny_model import CARD

LABELS = ("wave", "squat", "bow")
PLAIN = DecisionConfig(smoothing_s=0.0, min_duration_s=0.3, cool_down_s=0.5)
STEP_S = 0.1


def decision(
    config: DecisionConfig = PLAIN, thresholds: tuple[float, float] = (0.6, 0.4), **rules: object
) -> PersonDecision:
    enter, leave = ((threshold,) * len(LABELS) for threshold in thresholds)
    values = {"labels": LABELS, "enter": enter, "exit": leave, **rules}
    return PersonDecision(body_id=77, person=2, rules=DecisionRules(**values), config=config)  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("late_s", "changed_s", "expected"),
    [
        pytest.param(0.0, 0.5, 88, id="changed before it starts"),
        pytest.param(0.0, 0.8, 88, id="changed as it starts"),
        pytest.param(0.0, 0.9, 77, id="changed before it is reported"),
        pytest.param(0.0, 1.3, 77, id="changed while it goes on"),
        pytest.param(0.5, 0.5, 77, id="changed after the moment that it is dated to"),
        pytest.param(0.5, 0.2, 88, id="changed before that moment"),
    ],
)
def test_an_event_carries_the_tracking_id_at_its_start(late_s: float, changed_s: float, expected: int) -> None:
    machine = decision(late_s=late_s)
    events = []
    for index in range(25):
        machine.body_id = 88 if index * STEP_S > changed_s - 1e-6 else 77
        events += machine.update(index * STEP_S, spread("wave", 0.9 if 8 <= index < 20 else 0.0)).events
    started, ended = events
    assert started.start_s == ended.start_s == pytest.approx(0.8 - late_s)
    assert (started.body_id, ended.body_id) == (expected, expected)


@pytest.mark.parametrize(("is_gone", "end_s"), [(True, 1.0), (False, 0.6)])
def test_who_is_gone_acted_until_the_last_look_and_who_does_something_else_until_before(
    is_gone: bool, end_s: float
) -> None:
    machine = decision(dataclasses.replace(PLAIN, cool_down_s=0.0), late_s=0.4)
    run(machine, [("wave", 0.9)] * 11, step_s=0.1)
    [ended] = machine.leave(1.0) if is_gone else machine.give_way(1.0)
    assert ended.end_s == pytest.approx(end_s)
    again = [event for step in range(11, 31) for event in machine.update(step / 10, spread("wave", 0.9)).events]
    assert again[0].start_s >= ended.end_s, "nobody does a thing twice at the same time"


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
    card = dataclasses.replace(CARD, enter_thresholds={"right hand up": 0.9}, exit_thresholds={"nothing": 0.1})
    enter, leave = CARD.enter_threshold, CARD.exit_threshold

    def found(**settings: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        rules = DecisionConfig(**settings).rules(card)
        return rules.enter, rules.exit

    assert found() == ((enter, 0.9, enter), (0.1, leave, leave))
    assert found(enter_threshold=0.95) == ((0.95,) * 3, (0.1, leave, leave))
    assert found(exit_threshold=0.3) == ((enter, 0.9, enter), (0.3,) * 3)
    assert found(enter_threshold=0.2) == ((0.2,) * 3, (0.1, 0.2, 0.2))


CENTERS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0]])


def test_the_feature_distance_is_to_the_nearest_center_in_units_of_the_scale() -> None:
    card = dataclasses.replace(CARD, feature_centers=tuple(map(tuple, CENTERS.tolist())), feature_scale=2.0)
    rules = DecisionRules.of(card)
    assert [rules.distance(np.array(place)) for place in ([0, 0], [9, 4], [0, 6])] == pytest.approx([0.0, 2.5, 1.0])
    assert DecisionRules.of(CARD).distance(np.array([9.0, 4.0])) == 0.0


ACTION, NOTHING, UNKNOWN = PersonState.ACTION, PersonState.NOTHING, PersonState.UNKNOWN
NEAR, FAR = 0.5, 3.0
"""Feature distances on either side of the rule's 2.0."""


def states(
    machine: PersonDecision, script: list[tuple[str, float, float]]
) -> tuple[list[tuple[PersonState, int]], list[tuple[str, float, float | None]]]:
    """The states that follow each other, each with how many frames it was shown for; and the events.

    Args:
        machine: With CENTERS and a scale of 1.
        script: Label, its probability, feature distance; one a frame.
    """
    shown: list[tuple[PersonState, int]] = []
    events: list[ActionEvent] = []
    for index, (label, probability, distance) in enumerate(script):
        verdict = machine.update(index * STEP_S, spread(label, probability), np.array([-distance, 0.0]))
        assert (verdict.state is ACTION) == (verdict.label is not None)
        events += verdict.events
        if shown and shown[-1][0] is verdict.state:
            shown[-1] = (verdict.state, shown[-1][1] + 1)
        else:
            shown.append((verdict.state, 1))
    return shown, brief(events)


@pytest.mark.parametrize(
    ("script", "expected_states", "expected_events"),
    [
        pytest.param([("squat", 0.99, NEAR)] * 20, [(NOTHING, 20)], [], id="the background is never an action"),
        pytest.param(
            [("wave", 0.9, NEAR)] * 5 + [("squat", 0.9, NEAR)] * 5,
            [(NOTHING, 3), (ACTION, 2), (NOTHING, 5)],
            [("wave", 0.0, None), ("wave", 0.0, 0.5)],
            id="the background follows an action",
        ),
        pytest.param([("bow", 0.45, NEAR)] * 6, [(NOTHING, 3), (UNKNOWN, 3)], [], id="unknown by its low score"),
        pytest.param([("bow", 0.95, FAR)] * 6, [(NOTHING, 3), (UNKNOWN, 3)], [], id="unknown by its distance"),
        pytest.param([("squat", 0.95, FAR)] * 6, [(NOTHING, 3), (UNKNOWN, 3)], [], id="the background is no excuse"),
        pytest.param([("bow", 0.55, NEAR)] * 6, [(NOTHING, 6)], [], id="not unknown, and not sure enough either"),
        pytest.param(
            [("bow", 0.55, NEAR), ("bow", 0.45, NEAR), ("bow", 0.45, NEAR)] * 4,
            [(NOTHING, 12)],
            [],
            id="unknown for two frames out of three is not shown",
        ),
        pytest.param(
            [("wave", 0.9, NEAR)] * 5 + [("wave", 0.9, FAR)] * 5 + [("wave", 0.9, NEAR)] * 4,
            [(NOTHING, 3), (ACTION, 5), (UNKNOWN, 2), (NOTHING, 3), (ACTION, 1)],
            [("wave", 0.0, None), ("wave", 0.0, 0.8), ("wave", 1.0, None)],
            id="an action ends when it has been unknown for a while",
        ),
        pytest.param(
            [("wave", 0.9, NEAR)] * 5 + [("wave", 0.9, FAR)] * 3 + [("wave", 0.9, NEAR)] * 3,
            [(NOTHING, 3), (ACTION, 8)],
            [("wave", 0.0, None)],
            id="an action survives being unknown for a moment",
        ),
        pytest.param(
            [("wave", 0.9, FAR)] * 2 + [("wave", 0.9, NEAR)] * 5,
            [(NOTHING, 5), (ACTION, 2)],
            [("wave", 0.2, None)],
            id="an action starts when it is known",
        ),
    ],
)
def test_each_state_is_shown_in_its_time(
    script: list[tuple[str, float, float]],
    expected_states: list[tuple[PersonState, int]],
    expected_events: list[tuple[str, float, float | None]],
) -> None:
    machine = decision(background=1, unknown_score=0.5, unknown_distance=2.0, centers=CENTERS)
    assert states(machine, script) == (expected_states, expected_events)


def test_without_an_unknown_rule_nothing_is_unknown() -> None:
    assert states(decision(centers=CENTERS), [("bow", 0.4, 1e6)] * 9) == ([(NOTHING, 9)], [])


def test_each_class_has_thresholds_of_its_own() -> None:
    machine = decision(enter=(0.5, 0.9, 0.6), exit=(0.5, 0.9, 0.2))
    script = (
        [("squat", 0.8)] * 5 + [("wave", 0.55)] * 5 + [("wave", 0.45)] * 3 + [("bow", 0.65)] * 5 + [("bow", 0.34)] * 9
    )
    assert brief(run(machine, script)) == [("wave", 0.5, None), ("wave", 0.5, 1.0), ("bow", 1.3, None)]


def test_the_distance_is_smoothed_over_seconds_like_the_probabilities() -> None:
    machine = decision(DecisionConfig(smoothing_s=0.5, min_duration_s=0.0), unknown_distance=2.0, centers=CENTERS)
    machine.update(0.0, spread("bow", 0.9), np.array([0.0, 0.0]))
    found = [machine.update(index / 30, spread("bow", 0.9), np.array([-4.0, 0.0])) for index in range(1, 31)]
    assert found[-1].distance == pytest.approx(4 * (1 - np.exp(-1 / 0.5)), abs=1e-3)
    unknown = [verdict.state is UNKNOWN for verdict in found]
    assert unknown.index(True) == pytest.approx(0.5 * np.log(2) * 30, abs=1)  # half of 4 is the rule's 2


def test_someone_who_returns_is_judged_by_the_new_features_alone() -> None:
    machine = decision(DecisionConfig(smoothing_s=5.0, min_duration_s=0.0), unknown_distance=2.0, centers=CENTERS)
    assert machine.update(0.0, spread("bow", 0.9), np.array([-9.0, 0.0])).state is UNKNOWN
    machine.leave(0.1)
    assert machine.update(3.0, spread("bow", 0.9), np.array([0.0, 0.0])).state is ACTION


@pytest.mark.parametrize(
    "assignment", ["smoothing_s=-1", "min_duration_s=nan", "enter_threshold=1.5", "cool_down_s=inf", "no_such=1"]
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(assignment: str) -> None:
    with pytest.raises(ConfigError):
        settings.load(DecisionConfig, assignments=[assignment])
