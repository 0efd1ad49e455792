"""The engine and the offline run: everybody gets a label and a number, and a recording is always decided alike."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from live.decision import DecisionConfig
from live.engine import Decided, Engine
from live.identity import KEEP_S
from live.offline import run
from live.recognizer import Recognizer
from live.sources.base import Transport
from live.sources.replay import ReplaySource
from live.view import PersonState, PipelineView
from skeleton.errors import ModelContractError
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, KINECT_V2_19
from skeleton.recording import Recording, body_track
from skeleton.window import cut
from tests.live import tiny_model
from tests.live.fakes import FakeClock, body, frame, recording

QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)


def engine(recognizer: Recognizer) -> Engine:
    return Engine(recognizer, KINECT_V2, config=QUICK)


def decided(one: Engine, item: BodyFrame) -> Decided:
    observation = one.observe(item)
    assert observation is not None
    result = one.decide(observation)
    assert result is not None
    return result


def offline(source: ReplaySource, recognizer: Recognizer) -> list[PipelineView]:
    return list(run(source, recognizer, config=QUICK))


def test_a_raised_hand_is_an_action_that_starts_and_ends(recognizer: Recognizer) -> None:
    whole = recording(150, hand_up_s=(2.0, 3.5))
    views = offline(ReplaySource(whole, speed=math.inf), recognizer)
    started, ended = [event for view in views for event in view.events]
    assert (started.label, started.end_s, ended.start_s) == ("right hand up", None, started.start_s)
    # The model sees half a second, and turns when the hand was up for about a quarter of one: that is taken off.
    assert started.start_s == pytest.approx(2.0, abs=0.1)
    assert ended.end_s == pytest.approx(3.5, abs=0.1)
    assert (started.body_id, started.person) == (10, 1)
    shown = [view.people[0].label for view in views]
    assert shown[0] is None
    assert "right hand up" in shown
    assert shown[-1] is None


def test_the_warm_up_is_shown_before_the_first_answer(recognizer: Recognizer) -> None:
    views = offline(ReplaySource(recording(30), speed=math.inf), recognizer)
    people = [view.people[0] for view in views]
    first = next(index for index, person in enumerate(people) if person.state is not PersonState.WARMING_UP)
    shares = [person.warm_up for person in people[: first + 1]]
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] == 1.0
    assert people[0].probabilities is None
    assert people[first].probabilities is not None


def test_live_windows_are_the_cut_on_the_recording(real_data: Path, recognizer: Recognizer) -> None:
    taken = []

    class Spy:
        card, info, warning = recognizer.card, recognizer.info, None

        def recognize(self, windows):  # type: ignore[no-untyped-def]
            taken.extend(windows)
            return recognizer.recognize(windows)

    source = ReplaySource(real_data / "labanotation" / "Ges06_chickenwing.csv", speed=math.inf)
    whole = source_recording(source)
    for _ in run(source, Spy()):
        pass
    assert len(taken) > 100
    for window in taken:
        times, joints, seen = body_track(whole, window.body_ids[0])
        past = times <= window.end_s
        expected, expected_seen = cut(
            times[past],
            joints[past],
            seen[past],
            start_s=window.end_s - recognizer.card.span_s,
            end_s=window.end_s,
            frame_count=recognizer.card.frames,
        )
        np.testing.assert_allclose(window.joints[0], expected, atol=1e-5)
        np.testing.assert_array_equal(window.seen[0], expected_seen)


def source_recording(source: ReplaySource) -> Recording:
    source.open()
    whole = source._recording
    source.close()
    assert whole is not None
    return whole


def test_every_run_of_a_real_recording_is_the_same(real_data: Path, recognizer: Recognizer) -> None:
    path = real_data / "labanotation" / "Ges01_wavehand.csv"
    first, second = (offline(ReplaySource(path, speed=math.inf), recognizer) for _ in range(2))
    assert len(first) == 154
    events = [event for view in first for event in view.events]
    assert events == [event for view in second for event in view.events]
    assert {event.label for event in events} == {"right hand up"}  # the performer waves with the right hand
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one.people[0].probabilities, other.people[0].probabilities)


def test_an_offline_run_waits_for_nothing_at_the_end(recognizer: Recognizer) -> None:
    clock = FakeClock()
    before_s = clock.now_s()
    views = offline(ReplaySource(recording(30), speed=math.inf, clock=clock), recognizer)
    assert (len(views), clock.now_s()) == (30, before_s)


def test_people_are_numbered_as_they_appear_and_keep_their_numbers(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    scripts = [(0.0, [500]), (0.1, [500, 7]), (0.2, [7]), (0.3, [7, 500, 2**60])]
    found = [
        [(person.body_id, person.person) for person in decided(one, frame(i, t, *[body(k, t) for k in keys])).people]
        for i, (t, keys) in enumerate(scripts)
    ]
    assert found == [[(500, 1)], [(500, 1), (7, 2)], [(500, 1), (7, 2)], [(500, 1), (7, 2), (2**60, 3)]]


def test_six_people_are_told_apart(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    for index in range(60):
        t = index / 30
        bodies = [body(key, t, is_hand_up=key % 2 == 0, x=key - 3.0) for key in range(6)]
        result = decided(one, frame(index, t, *bodies))
    assert [person.label for person in result.people] == ["right hand up", None] * 3
    assert [person.person for person in result.people] == [1, 2, 3, 4, 5, 6]


def test_a_person_who_leaves_takes_the_label_along_at_once(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    for index in range(40):
        result = decided(one, frame(index, index / 30, body(4, index / 30, is_hand_up=True)))
    assert result.people[0].label == "right hand up"
    gone = decided(one, frame(40, 40 / 30))
    assert (gone.people[0].state, gone.people[0].label, gone.events) == (PersonState.LOST, None, ())
    later = [decided(one, frame(i, i / 30)) for i in range(41, 70)]
    # The action ends when the person was last seen; that it did is known when nobody waits for them any more.
    waited = [result for result in later if result.people]
    assert {result.people[0].state for result in waited} == {PersonState.LOST}
    assert len(waited) == pytest.approx(30 * KEEP_S, abs=1)
    assert [event.end_s for result in later for event in result.events] == [pytest.approx(39 / 30)]
    assert not any(result.events for result in waited)
    assert later[-1].people == ()


def raise_a_hand(tmp_path: Path, **rules: object) -> list[tuple[PersonState, str | None]]:
    """The states that follow each other while somebody stands, raises a hand at 1 s, lowers it at 2 s and leaves."""
    card = dataclasses.replace(tiny_model.CARD, **rules)  # type: ignore[arg-type]
    path = tiny_model.write(tmp_path / "rules.onnx", card)
    one = Engine(Recognizer(path, provider="cpu"), KINECT_V2, config=QUICK)
    shown: list[tuple[PersonState, str | None]] = []
    for index in range(100):
        time_s = index / 30
        present = [body(4, time_s, is_hand_up=1.0 <= time_s < 2.0)] if time_s < 3.0 else []
        for person in decided(one, frame(index, time_s, *present)).people:
            if not shown or shown[-1] != (person.state, person.label):
                shown.append((person.state, person.label))
    return shown


WARMING_UP, NOTHING, UNKNOWN, ACTION, LOST = (
    (state, "right hand up" if state is PersonState.ACTION else None)
    for state in (
        PersonState.WARMING_UP,
        PersonState.NOTHING,
        PersonState.UNKNOWN,
        PersonState.ACTION,
        PersonState.LOST,
    )
)
AT_REST = (0.0, -20.0, 0.0)
"""The embedding of a hand half a meter below its shoulder, from the weights of the tiny model."""


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({}, [WARMING_UP, NOTHING, ACTION, NOTHING, LOST], id="a card without rules"),
        pytest.param({"background": "right hand up"}, [WARMING_UP, NOTHING, LOST], id="the action is background"),
        pytest.param(
            {"unknown_distance": 20.0, "feature_centers": (AT_REST,) * 3},
            [WARMING_UP, NOTHING, UNKNOWN, NOTHING, LOST],
            id="far from the center while the hand is up",
        ),
        pytest.param(
            {"unknown_distance": 20.0, "feature_centers": (AT_REST, (0.0, 20.0, 0.0), AT_REST), "feature_scale": 1.2},
            [WARMING_UP, NOTHING, ACTION, NOTHING, LOST],
            id="near a center of its own",
        ),
        pytest.param(
            {"unknown_score": 0.6},
            [WARMING_UP, NOTHING, UNKNOWN, NOTHING, ACTION, NOTHING, UNKNOWN, LOST],
            id="no class scores enough at rest",
        ),
    ],
)
def test_the_five_states_follow_each_other(
    tmp_path: Path, rules: dict[str, object], expected: list[tuple[PersonState, str | None]]
) -> None:
    assert raise_a_hand(tmp_path, **rules) == expected


def test_someone_who_was_away_between_two_decisions_starts_anew(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    for index in range(40):
        result = decided(one, frame(index, index / 30, body(4, index / 30, is_hand_up=True)))
    assert result.people[0].state is PersonState.ACTION
    for index in range(40, 70):
        one.observe(frame(index, index / 30))  # nobody decided on these
    back = decided(one, frame(70, 70 / 30, body(4, 70 / 30, is_hand_up=True)))
    assert back.people[0].state is PersonState.WARMING_UP
    assert [event.end_s for event in back.events] == [pytest.approx(39 / 30)]


def test_a_jump_of_the_clock_ends_the_action_and_keeps_the_number(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    for index in range(40):
        late = one.observe(frame(index, 9 + index / 30, body(4, 0.0, is_hand_up=True)))
        assert late is not None
        one.decide(late)
    result = decided(one, frame(0, 3.0, body(4, 0.0, is_hand_up=True)))
    assert [event.end_s for event in result.events] == [pytest.approx(39 / 30)]
    assert [(person.person, person.state) for person in result.people] == [(1, PersonState.WARMING_UP)]
    assert one.decide(late) is None


def test_a_seek_forwards_ends_the_action_too(recognizer: Recognizer) -> None:
    one = engine(recognizer)
    for index in range(40):
        decided(one, frame(index, index / 30, body(4, 0.0, is_hand_up=True)))
    one.reset()
    result = decided(one, frame(41, 41 / 30, body(4, 0.0, is_hand_up=True)))
    assert [event.end_s for event in result.events] == [pytest.approx(39 / 30)]
    assert result.people[0].state is PersonState.WARMING_UP


def test_an_action_at_the_end_of_a_recording_is_ended_in_the_last_view(recognizer: Recognizer) -> None:
    views = offline(ReplaySource(recording(60, hand_up_s=(0.0, 9.0)), speed=math.inf), recognizer)
    assert len(views) == 60
    assert [event.end_s for event in views[-1].events] == [pytest.approx(59 / 30)]


def test_attention_lies_on_the_sources_joints_in_their_order(tmp_path: Path) -> None:
    joints = ("Head", "HandRight", "SpineBase", "ShoulderRight")
    path = tiny_model.write(tmp_path / "m.onnx", dataclasses.replace(tiny_model.CARD, joints=joints))
    one = Engine(Recognizer(path, provider="cpu"), KINECT_V2, config=QUICK)
    state = np.full(25, 2)
    state[KINECT_V2.index("HandRight")] = 0  # the tiny model's attention is the share of frames a joint was seen in
    for index in range(40):
        joint_positions = body(1, index / 30).joints
        result = decided(one, frame(index, index / 30, Body(1, joint_positions, state)))
    attention = result.people[0].joint_attention
    assert attention is not None
    expected = np.full(25, np.nan)
    expected[[KINECT_V2.index(name) for name in joints]] = 1.0
    expected[KINECT_V2.index("HandRight")] = 0.0
    np.testing.assert_allclose(attention, expected)
    assert result.people[0].frame_attention == pytest.approx(np.full(6, 0.75))


def test_a_layout_without_the_models_joints_is_refused_in_a_sentence(recognizer: Recognizer) -> None:
    with pytest.raises(ModelContractError, match="HandLeft"):
        Engine(recognizer, KINECT_V2_19)


def test_a_loop_forgets_at_its_seam(recognizer: Recognizer) -> None:
    source = ReplaySource(recording(45, hand_up_s=(0.0, 9.0)), speed=math.inf, is_looping=True)
    views = run(source, recognizer, config=QUICK)
    taken = [next(views) for _ in range(100)]
    views.close()
    ends = [event.end_s for view in taken for event in view.events if event.end_s is not None]
    assert ends == [pytest.approx(44 / 30)] * 2
    assert {person.person for view in taken for person in view.people} == {1}
    with pytest.raises(ValueError, match="not open"):
        source.apply(Transport(play=True))
