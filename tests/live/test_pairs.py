"""Two people acting together: who is asked about with whom, what is decided, and that nobody's order matters.

The model of these tests looks at right hands: one person who raises it is "waving", two who both do are "greeting".
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from live import offline
from live.decision import DecisionConfig
from live.engine import Decided, Engine
from live.evidence import questions
from live.offline import run
from live.pairs import MOST_PAIRS
from live.pipeline import Pipeline
from live.rates import EventLatencies
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PersonState, PersonView
from models.card import ModelCard
from skeleton.frames import Body
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo
from tests.live import tiny_model
from tests.live.fakes import WAIT_S, Watched, body, frame, wait_until

QUICK = DecisionConfig(smoothing_s=0.0, min_duration_s=0.1, cool_down_s=0.1)
CARD = dataclasses.replace(
    tiny_model.CARD,
    labels=("nothing", "waving", "greeting"),
    background="nothing",
    persons=2,
    pair_labels=("greeting",),
)
STEP_S = 1 / 30


def weights(card: ModelCard) -> np.ndarray:
    """(M, T, V, 3, K): hands half a meter above the shoulder score 20 for one person's wave, 30 for two of them.

    The second person's hand counts a third more, so that the answer depends on who comes first.
    """
    result = np.zeros((card.persons, card.frames, len(card.joints), 3, 3), dtype=np.float32)
    for joint, sign in (("HandRight", 1), ("ShoulderRight", -1)):
        scores = result[:, :, card.joints.index(joint), 1]
        scores[0, :, 1], scores[0, :, 2] = sign * 40 / card.frames, sign * 30 / card.frames
        scores[1:, :, 2] = sign * 40 / card.frames
    return result


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("pairs") / "pairs.onnx", CARD, weights=weights(CARD))


@pytest.fixture
def greeter(pair_model: Path) -> Recognizer:
    return Recognizer(pair_model, provider="cpu")


def moments(
    count: int, at: Callable[[float], Iterable[tuple[int, float, bool]]], *, first: int = 0
) -> list[tuple[float, list[Body]]]:
    """Times and bodies of (tracking id, x in meters, whether the hand is up)."""
    times_s = [index * STEP_S for index in range(first, first + count)]
    return [(t, [body(key, t, x=x, is_hand_up=up) for key, x, up in at(t)]) for t in times_s]


def shown(engine: Engine, script: Iterable[tuple[float, list[Body]]]) -> list[Decided]:
    found = []
    for index, (time_s, bodies) in enumerate(script):
        observation = engine.observe(frame(index, time_s, *bodies))
        assert observation is not None
        decided = engine.decide(observation)
        assert decided is not None
        found.append(decided)
    return found


def engine_of(recognizer: object, **changes: float) -> Engine:
    return Engine(recognizer, KINECT_V2, config=dataclasses.replace(QUICK, **changes))  # type: ignore[arg-type]


def events_of(decided: Iterable[Decided]) -> list[ActionEvent]:
    return [event for one in decided for event in one.events]


def greet(t: float, *, apart_m: float = 1.0) -> list[tuple[int, float, bool]]:
    """Two people who stand beside each other and raise their hands from 1 s to 2 s."""
    return [(7, 0.0, 1.0 <= t < 2.0), (8, apart_m, 1.0 <= t < 2.0)]


def test_two_who_greet_are_one_action_of_both(greeter: Recognizer) -> None:
    found = shown(engine_of(greeter), moments(90, greet))
    started, ended = events_of(found)
    assert (started.label, started.body_ids, started.people, started.end_s) == ("greeting", (7, 8), (1, 2), None)
    assert (started.start_s, ended.end_s) == (pytest.approx(1.0, abs=0.2), pytest.approx(2.0, abs=0.2))
    assert dataclasses.replace(ended, end_s=None, confidence=started.confidence) == started
    middle = next(one for one in found if one.pairs and one.pairs[0].label)
    assert [(one.label, one.person, one.partner, one.state) for one in middle.people] == [
        ("greeting", 1, 2, PersonState.ACTION),
        ("greeting", 2, 1, PersonState.ACTION),
    ]
    assert middle.pairs[0].people == (1, 2) and middle.pairs[0].distance_m == pytest.approx(1.0, abs=0.01)


def test_people_far_from_each_other_each_act_alone(greeter: Recognizer) -> None:
    watched = Watched(greeter)
    found = shown(engine_of(watched), moments(60, lambda t: greet(t, apart_m=2.5)))
    assert not any(one.pairs for one in found)
    assert {len(window.body_ids) for window in watched.windows} == {1}
    assert {(event.label, event.body_ids) for event in events_of(found)} == {("waving", (7,)), ("waving", (8,))}


def test_what_only_two_can_do_is_not_said_of_one(tmp_path: Path) -> None:
    """Even where the model is sure of it: the second person is absent."""
    loud = weights(CARD)
    loud[0, ..., 2] *= 3
    recognizer = Recognizer(tiny_model.write(tmp_path / "loud.onnx", CARD, weights=loud), provider="cpu")
    alone = shown(engine_of(recognizer), moments(60, lambda t: greet(t)[:1]))
    assert max(one.recognitions[0].probabilities[2] for one in alone[40:]) > 0.99
    assert not events_of(alone)
    last = alone[-1].people[0]
    assert last.state is PersonState.NOTHING and last.probabilities is not None
    assert last.probabilities[2] == 0 and last.probabilities.sum() == pytest.approx(1.0, abs=1e-5)


def test_what_one_does_beside_another_is_not_said_of_both(greeter: Recognizer) -> None:
    found = shown(engine_of(greeter), moments(60, lambda t: [(7, 0.0, t >= 1.0), (8, 1.0, False)]))
    (event,) = events_of(found)
    assert (event.label, event.body_ids, event.other_person) == ("waving", (7,), None)
    assert found[-1].pairs[0].label is None


def test_the_order_of_two_people_does_not_matter(tmp_path: Path) -> None:
    unsure = tiny_model.write(tmp_path / "unsure.onnx", CARD, weights=weights(CARD) / 8)
    recognizer = Recognizer(unsure, provider="cpu")

    def one_is_up(t: float) -> list[tuple[int, float, bool]]:
        return [(7, 0.0, 1.0 <= t < 2.0), (8, 1.0, False)]

    for script in (one_is_up, greet):
        here, there = (
            shown(engine_of(recognizer), moments(75, how)) for how in (script, lambda t, s=script: s(t)[::-1])
        )
        # Who is in the frame first has the lower number, so the windows are asked the other way round.
        pairs = [[pair for decided in found for pair in decided.pairs] for found in (here, there)]
        assert pairs[0][0].body_ids == (7, 8) and pairs[1][0].body_ids == (8, 7)
        assert [pair.confidence for pair in pairs[0]] == pytest.approx(
            [pair.confidence for pair in pairs[1]], abs=1e-6
        )
        times = [
            [(event.label, event.start_s, event.end_s) for event in events_of(found) if event.other_person]
            for found in (here, there)
        ]
        assert times[0] == times[1] and len(times[0]) == (2 if script is greet else 0)


def test_one_order_alone_would_matter_to_this_model(greeter: Recognizer) -> None:
    watched = Watched(greeter)
    shown(engine_of(watched), moments(40, lambda t: [(7, 0.0, True), (8, 1.0, False)]))
    there, back = watched.windows[-2:]
    assert there.body_ids == back.body_ids[::-1]
    np.testing.assert_array_equal(there.joints, back.joints[::-1])
    answers = greeter.recognize([there, back])
    assert abs(answers[0].probabilities[2] - answers[1].probabilities[2]) > 0.001


def test_everybody_and_every_pair_go_through_the_model_in_one_run(greeter: Recognizer) -> None:
    runs = []

    class Counted(Watched):
        def recognize(self, windows):  # type: ignore[no-untyped-def]
            runs.append([window.body_ids for window in windows])
            return super().recognize(windows)

    shown(engine_of(Counted(greeter)), moments(40, lambda t: [(7, 0.0, False), (8, 1.0, False), (9, 3.0, False)]))
    assert len(runs) == 40 and runs[-1] == [(7,), (8,), (9,), (7, 8), (8, 7)]


def test_six_people_close_together_are_six_pairs_at_most(greeter: Recognizer) -> None:
    watched = Watched(greeter)
    places = (0.0, 0.1, 0.25, 0.45, 0.7, 1.0)
    decided = shown(engine_of(watched), moments(30, lambda t: [(k, x, False) for k, x in enumerate(places)]))[-1]
    assert len(decided.windows) == 6 + 2 * MOST_PAIRS
    nearest = sorted(itertools.combinations(range(6), 2), key=lambda pair: places[pair[1]] - places[pair[0]])
    assert {pair.body_ids for pair in decided.pairs} == set(nearest[:MOST_PAIRS])


def test_what_one_can_do_is_not_said_of_two(tmp_path: Path) -> None:
    """Even where the model is sure of it when it sees both."""
    waves = np.zeros_like(weights(CARD))
    waves[..., 1] = weights(CARD)[:1, ..., 1]
    recognizer = Recognizer(tiny_model.write(tmp_path / "waves.onnx", CARD, weights=waves), provider="cpu")
    found = shown(engine_of(recognizer), moments(60, greet))
    assert found[-1].windows[2].body_ids == (7, 8) and found[-1].recognitions[2].probabilities[1] > 0.99
    assert {(event.label, event.people) for event in events_of(found)} == {("waving", (1,)), ("waving", (2,))}


def test_the_end_of_everything_ends_what_two_do(greeter: Recognizer) -> None:
    engine = engine_of(greeter)
    shown(engine, moments(45, lambda t: [(7, 0.0, True), (8, 1.0, True)]))
    (ended,) = engine.finish()
    assert (ended.label, ended.people) == ("greeting", (1, 2)) and ended.end_s is not None
    assert engine.finish() == ()


def test_the_attention_of_each_is_of_their_own_joints(greeter: Recognizer) -> None:
    foot = KINECT_V2.index("FootLeft")

    def without_foot(whole: Body) -> Body:
        state = whole.state.copy()
        state[foot] = 0
        return dataclasses.replace(whole, state=state)

    script = moments(45, lambda t: [(7, 0.0, True), (8, 1.0, True)])
    found = shown(engine_of(greeter), [(t, [one, without_foot(other)]) for t, (one, other) in script])
    attention = {one.person: one.joint_attention for one in found[-1].people if one.partner}
    assert attention[1] is not None and attention[2] is not None
    assert (attention[1][foot], attention[2][foot]) == (1.0, 0.0)


def test_people_join_at_one_distance_and_part_at_another(greeter: Recognizer) -> None:
    def there_and_back(t: float) -> list[tuple[int, float, bool]]:
        return [(7, 0.0, False), (8, 3.0 - t if t < 2.0 else t - 1.0, False)]

    found = shown(engine_of(greeter), moments(120, there_and_back))
    near = [(index * STEP_S, bool(one.pairs)) for index, one in enumerate(found)]
    changes = [t for (t, is_near), (_, was) in zip(near[1:], near) if is_near != was]
    assert changes == [pytest.approx(1.5, abs=0.05), pytest.approx(3.0, abs=0.05)]
    other = shown(engine_of(greeter, pair_join_m=0.5, pair_part_m=0.6), moments(120, there_and_back))
    assert not any(one.pairs for one in other)


@pytest.mark.parametrize("how", ["parts", "leaves"])
def test_who_parts_or_leaves_takes_the_label_along_at_once(greeter: Recognizer, how: str) -> None:
    engine = engine_of(greeter)
    together = shown(engine, moments(45, lambda t: [(7, 0.0, True), (8, 1.0, True)]))
    assert together[-1].pairs[0].label == "greeting"
    left = [(7, 0.0, False)] + [(8, 4.0, False)] * (how == "parts")
    after = shown(engine, moments(40, lambda t: left, first=45))
    assert not after[0].pairs
    assert not any(one.label == "greeting" or one.partner for one in after[0].people)
    (ended,) = [event for event in events_of(after) if event.other_person]
    assert (ended.label, ended.people) == ("greeting", (1, 2))
    assert ended.end_s == pytest.approx(44 * STEP_S, abs=0.3), "when they were last together, less what answers lag"


def test_a_moment_of_losing_one_of_two_is_not_the_end_of_what_they_do(greeter: Recognizer) -> None:
    def with_a_gap(t: float) -> list[tuple[int, float, bool]]:
        return [(7, 0.0, True)] + [(8 if t < 1.5 else 9, 1.0, True)] * (not 1.45 <= t < 1.55)

    found = shown(engine_of(greeter), moments(75, with_a_gap))
    (started,) = [event for event in events_of(found) if event.other_person]
    assert (started.label, started.body_ids, started.end_s) == ("greeting", (7, 8), None)
    gap = next(one for one in found if len(one.windows) == 1 and one.events == () and one.people[0].partner is None)
    assert gap is not None and found[-1].pairs[0].body_ids == (7, 9) and found[-1].pairs[0].label == "greeting"


def test_ids_that_change_are_no_end_of_what_two_do_and_both_events_carry_the_first(greeter: Recognizer) -> None:
    first, second = (7, 8), (107, 108)
    script = moments(
        90, lambda t: [(a if t < 1.6 else b, x, up) for (_, x, up), a, b in zip(greet(t), first, second)]
    )
    found = shown(engine_of(greeter), script)
    started, ended = events_of(found)
    assert started.body_ids == ended.body_ids == first
    assert ended.end_s == pytest.approx(2.0, abs=0.2)
    labeled = [pair.body_ids for one in found for pair in one.pairs if pair.label]
    assert set(labeled) == {first, second}


def test_an_action_of_one_ends_where_the_two_begin_one(greeter: Recognizer) -> None:
    def first_one_then_both(t: float) -> list[tuple[int, float, bool]]:
        return [(7, 0.0, t >= 0.5), (8, 1.0, t >= 1.5)]

    news = events_of(shown(engine_of(greeter), moments(75, first_one_then_both)))
    assert [(event.label, event.people, event.end_s is None) for event in news] == [
        ("waving", (1,), True),
        ("waving", (1,), False),
        ("greeting", (1, 2), True),
    ]


def test_nobody_acts_in_two_pairs_at_once(greeter: Recognizer) -> None:
    three = [(7, 0.0, True), (8, 1.0, True), (9, 2.0, True)]
    found = shown(engine_of(greeter, pair_join_m=1.2, pair_part_m=1.4), moments(60, lambda t: three))
    assert {pair.people for pair in found[-1].pairs} == {(1, 2), (2, 3)}
    assert [pair.label for pair in found[-1].pairs] == ["greeting", None]
    assert [(one.label, one.partner) for one in found[-1].people] == [
        ("greeting", 2),
        ("greeting", 1),
        ("waving", None),
    ]


@pytest.mark.parametrize("changes", [{"persons": 1, "pair_labels": ()}, {"pair_labels": ()}])
def test_a_model_without_such_labels_is_asked_about_single_people_only(tmp_path: Path, changes: dict) -> None:
    card = dataclasses.replace(CARD, **changes)
    of_one = weights(CARD)[: card.persons]
    watched = Watched(Recognizer(tiny_model.write(tmp_path / "one.onnx", card, weights=of_one), provider="cpu"))
    found = shown(engine_of(watched), moments(45, greet))
    assert {window.body_ids for window in watched.windows} == {(7,), (8,)}
    assert not any(one.pairs for one in found)


def test_evidence_is_of_both_and_asked_of_the_pair(greeter: Recognizer) -> None:
    decided = shown(engine_of(greeter), moments(45, lambda t: [(7, 0.0, True), (8, 1.0, True)]))[-1]
    asked = questions(decided, CARD.labels)
    assert [(one.body_id, one.name, one.window.body_ids, one.person) for one in asked] == [
        (7, "greeting", (7, 8), 0),
        (8, "greeting", (7, 8), 1),
    ]


def greeting_recording() -> Recording:
    script = moments(75, greet)
    frames = [frame(index, t, *bodies) for index, (t, bodies) in enumerate(script)]
    info = RecordingInfo("fake", None, KINECT_V2, rate_hz=30.0)
    return Recording(info, np.array([t for t, _ in script]), frames)


def test_offline_both_skeletons_have_heat_of_their_own(tmp_path: Path) -> None:
    unsure = tiny_model.write(tmp_path / "unsure.onnx", CARD, weights=weights(CARD) / 8)  # certainty has no evidence
    recognizer = Recognizer(unsure, provider="cpu")
    source = ReplaySource(greeting_recording(), speed=math.inf)
    views = list(run(source, recognizer, config=QUICK, with_evidence=True))
    view = next(view for view in views if view.pairs and view.pairs[0].label)
    assert {one.body_id: one.label for one in view.evidence} == {7: "greeting", 8: "greeting"}
    one, other = (found.falls for found in view.evidence)
    arm = [KINECT_V2.index("ShoulderRight"), KINECT_V2.index("HandRight")]
    assert np.flatnonzero(one).tolist() == np.flatnonzero(other).tolist() == arm
    assert abs(one[arm] - other[arm]).min() > 0.01, "each of its own joints, not of the other's"
    assert all(person.joint_attention is not None for person in view.people)


def test_the_threads_tell_of_pairs_what_offline_does(pair_model: Path) -> None:
    recognizer = Recognizer(pair_model, provider="cpu")
    source = ReplaySource(greeting_recording(), speed=math.inf)
    views = list(offline.run(source, recognizer, config=QUICK))
    expected = [event for view in views for event in view.events]
    live: list[ActionEvent] = []
    seen_pairs = []

    def load() -> Recognizer:
        return Recognizer(pair_model, provider="cpu")

    replay = ReplaySource(greeting_recording(), speed=1.0)
    with Pipeline(replay, load, config=QUICK) as pipeline:

        def is_over() -> bool:
            is_done = pipeline.is_done
            view = pipeline.poll()
            live.extend(view.events)
            seen_pairs.append([pair.people for pair in view.pairs])
            return is_done

        wait_until(is_over, what="the recording is over", within_s=WAIT_S)
    told = [(event.label, event.people, event.end_s is None) for event in live]
    assert told == [(event.label, event.people, event.end_s is None) for event in expected] and len(told) == 2
    assert all(event.latency_ms is not None for event in live)
    assert seen_pairs[-1] == [(1, 2)], "they still stand there when the recording is over"


def test_the_latency_of_what_two_do_is_the_mean_over_its_decisions() -> None:
    latencies = EventLatencies()
    both = tuple(PersonView(key, number, PersonState.ACTION, "greeting") for key, number in ((7, 1), (8, 2)))
    start = ActionEvent(7, 1, "greeting", 0.0, None, 0.9, other_body_id=8, other_person=2)
    latencies.note(both, (start,), 2.0)
    latencies.note(both, (), 4.0)
    (ended,) = latencies.end((dataclasses.replace(start, end_s=1.0),))
    assert ended.latency_ms == pytest.approx(3.0)


def test_the_distances_of_pairs_must_make_sense() -> None:
    with pytest.raises(ValueError, match="pair_join_m must be above 0 and not exceed pair_part_m"):
        DecisionConfig(pair_join_m=2.0, pair_part_m=1.5)
