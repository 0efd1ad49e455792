"""Evidence: which joints speak for an action, whose turn it is, and that no frame waits for it."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from live import heat_kinds
from live.decision import DecisionConfig
from live.engine import Decided, Engine
from live.evidence import Inquiry, Question, evidence, questions, without
from live.evidence_rota import EVERY_S, FIRST_COPIES, EvidenceRota
from live.offline import run
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.rhythm import Rhythm
from live.sources.base import SourceStatus, Transport
from live.sources.replay import ReplaySource
from live.view import JointEvidence, PersonState
from skeleton.layout import KINECT_V2
from skeleton.window import Window
from tests.live import tiny_model
from tests.live.fakes import Watched, body, frame, recording, wait_until

QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)
HAND, SHOULDER = KINECT_V2.index("HandRight"), KINECT_V2.index("ShoulderRight")
UP = 1
"""The class of a raised right hand."""


def window(*, persons: int = 1, seed: int = 0) -> Window:
    shape = (persons, 6, 25)
    joints = np.random.default_rng(seed).normal(size=(*shape, 3))
    return Window(tuple(range(4, 4 + persons)), 7.0, joints, np.ones(shape, dtype=bool))


# Hidden joints.


def test_a_hidden_joint_is_never_seen_and_nothing_else_changes() -> None:
    whole = window(persons=2)
    hidden = without(whole, [3, 8], person=1)
    assert not hidden.seen[1][:, [3, 8]].any()
    assert hidden.seen.sum() == whole.seen.sum() - 2 * 6
    np.testing.assert_array_equal(hidden.joints, whole.joints)
    assert (hidden.body_ids, hidden.end_s) == (whole.body_ids, whole.end_s)
    assert whole.seen.all()


def test_evidence_is_by_how_much_the_probability_falls_when_a_joint_is_hidden(tmp_path: Path) -> None:
    card = tiny_model.CARD
    model = tiny_model.write(tmp_path / "model.onnx", weights=8 * tiny_model.random_weights(card))
    watched, whole = Watched(Recognizer(model, provider="cpu")), window()
    falls = evidence(watched, whole, 2)
    assert falls.shape == (25,)
    alone = Recognizer(model, provider="cpu")
    before = alone.recognize([whole])[0].probabilities[2]
    for joint in (0, 7, 24):
        after = alone.recognize([without(whole, [joint])])[0].probabilities[2]
        assert falls[joint] == pytest.approx(before - after, abs=1e-6)
    assert np.ptp(falls) > 0.01  # not all the same


def test_all_copies_are_one_run_and_a_known_probability_is_not_asked_for_again(recognizer: Recognizer) -> None:
    runs: list[int] = []

    class Counted(Watched):
        def recognize(self, windows):  # type: ignore[no-untyped-def]
            runs.append(len(windows))
            return super().recognize(windows)

    whole = window()
    probability = float(recognizer.recognize([whole])[0].probabilities[UP])
    asked = evidence(Counted(recognizer), whole, UP)
    given = evidence(Counted(recognizer), whole, UP, probability=probability)
    assert runs == [26, 25]
    np.testing.assert_allclose(asked, given, atol=1e-6)


def test_an_inquiry_in_parts_gives_what_one_run_gives(recognizer: Recognizer) -> None:
    whole = window(seed=1)
    inquiry = Inquiry(Question(4, "right hand up", UP, whole))
    while inquiry.left:
        inquiry.go_on(recognizer, 7)
    np.testing.assert_allclose(inquiry.falls, evidence(recognizer, whole, UP), atol=1e-6)


def test_the_joints_of_the_person_asked_about_are_hidden(tmp_path: Path) -> None:
    model = tiny_model.write(
        tmp_path / "two.onnx",
        dataclasses.replace(tiny_model.CARD, persons=2),
        weights=tiny_model.random_weights(dataclasses.replace(tiny_model.CARD, persons=2)),
    )
    watched = Watched(Recognizer(model, provider="cpu"))
    evidence(watched, window(persons=2), 0, person=1)
    assert all(copy.seen[0].all() for copy in watched.windows)
    assert sum(not copy.seen[1].all() for copy in watched.windows) == 25


# After a decision.


def decisions(recognizer: Recognizer, *, people: int = 1, seconds: float = 1.5) -> tuple[Engine, list[Decided]]:
    """A recording of people with a raised hand, decided about frame by frame."""
    whole = recording(round(30 * seconds), people=people, hand_up_s=(0.0, 99.0))
    engine = Engine(recognizer, KINECT_V2, config=QUICK)
    found = [engine.decide(engine.observe(item)) for item in whole.frames]
    return engine, found


def test_a_question_is_asked_of_whoever_acts_and_holds_what_the_model_saw(recognizer: Recognizer) -> None:
    _, found = decisions(recognizer, people=3)
    assert questions(found[0], recognizer.card.labels) == []  # still warming up
    asked = questions(found[-1], recognizer.card.labels)
    assert [(one.body_id, one.name, one.label) for one in asked] == [(10 + i, "right hand up", UP) for i in range(3)]
    for one in asked:
        assert one.window.body_ids == (one.body_id,)
        again = recognizer.recognize([one.window])[0].probabilities[UP]
        assert one.probability == pytest.approx(float(again), abs=1e-6)


def test_nobody_is_asked_about_without_an_action(recognizer: Recognizer) -> None:
    engine = Engine(recognizer, KINECT_V2, config=QUICK)
    found = [engine.decide(engine.observe(item)) for item in recording(45).frames]
    assert found[-1].people[0].state is PersonState.NOTHING
    assert questions(found[-1], recognizer.card.labels) == []


# Whose turn it is.


class Stepped:
    """A clock that moves when told to, and by the cost of each copy that the model is given."""

    def __init__(self, recognizer: Recognizer, *, cost_s: float = 0.0005) -> None:
        self._recognizer, self.cost_s = recognizer, cost_s
        self.card, self.info, self.warning = recognizer.card, recognizer.info, None
        self.now_s = 50.0
        self.rhythm = Rhythm(self)
        self.runs: list[int] = []

    def __call__(self) -> float:
        return self.now_s

    def recognize(self, windows):  # type: ignore[no-untyped-def]
        self.runs.append(len(windows))
        self.now_s += self.cost_s * len(windows)
        return self._recognizer.recognize(windows)


def play(stepped: Stepped, rota: EvidenceRota, engine: Engine, found: list[Decided], *, decision_s: float = 0.005):
    """Lets the frames arrive thirty times a second, and the rota work in between; returns when each was late."""
    late, next_s = [], stepped.now_s
    for item in found:
        late.append(max(0.0, stepped.now_s - next_s))
        stepped.now_s = max(stepped.now_s, next_s)
        stepped.rhythm.note(next_s)
        next_s += 1 / 30
        stepped.now_s += decision_s
        rota.look(engine, item)
        while stepped.now_s + rota.wait_s() < next_s:
            stepped.now_s += rota.wait_s()
            rota.work()
    return late


@pytest.mark.parametrize("cost_s", [0.0005, 0.002, 0.008], ids=["one run", "some parts", "single joints"])
def test_evidence_never_makes_a_frame_wait(recognizer: Recognizer, cost_s: float) -> None:
    stepped = Stepped(recognizer, cost_s=cost_s)
    engine, found = decisions(recognizer, people=2, seconds=3.0)
    rota = EvidenceRota(stepped, stepped.rhythm, stepped)
    assert max(play(stepped, rota, engine, found)) == 0.0
    assert {one.body_id for one in rota.newest} == {10, 11}
    if cost_s == 0.0005:
        assert 25 in stepped.runs  # where there is room, all copies are one run


def test_a_computer_without_any_room_gives_up_evidence_and_not_frames(recognizer: Recognizer) -> None:
    stepped = Stepped(recognizer)
    engine, found = decisions(recognizer)
    rota = EvidenceRota(stepped, stepped.rhythm, stepped)
    assert max(play(stepped, rota, engine, found, decision_s=0.032)) < 0.001
    assert rota.newest == () and stepped.runs == []


def test_five_inquiries_a_second_are_shared_by_all_people_in_turn(recognizer: Recognizer) -> None:
    stepped = Stepped(recognizer, cost_s=0.0002)
    engine, found = decisions(recognizer, people=3, seconds=4.0)
    rota, order = EvidenceRota(stepped, stepped.rhythm, stepped), []
    work = rota.work

    def noted() -> bool:
        is_new = work()
        if is_new:
            order.append((max(rota.newest, key=lambda one: one.time_s).body_id, stepped.now_s))
        return is_new

    rota.work = noted  # type: ignore[method-assign]
    play(stepped, rota, engine, found)
    turns = [key for key, _ in order]
    assert turns[:6] in ([10, 11, 12, 10, 11, 12], turns[:3] * 2) and len(set(turns[:3])) == 3
    steps = np.diff([now_s for _, now_s in order])
    assert steps.min() > 0.8 * EVERY_S and np.median(steps) < 1.4 * EVERY_S


def test_the_hand_speaks_for_a_raised_hand_on_the_sources_joints(recognizer: Recognizer) -> None:
    stepped = Stepped(recognizer)
    engine, found = decisions(recognizer)
    rota = EvidenceRota(stepped, stepped.rhythm, stepped)
    play(stepped, rota, engine, found)
    (one,) = rota.newest
    assert (one.body_id, one.label) == (10, "right hand up")
    assert one.falls.shape == (25,)
    speaking = np.flatnonzero(np.abs(one.falls) > 1e-3)
    assert len(speaking) and set(speaking) <= {HAND, SHOULDER}  # the tiny model looks at nothing else


def test_evidence_goes_with_the_action_that_it_speaks_for(recognizer: Recognizer) -> None:
    stepped = Stepped(recognizer)
    engine, found = decisions(recognizer)
    rota = EvidenceRota(stepped, stepped.rhythm, stepped)
    play(stepped, rota, engine, found)
    assert rota.newest
    ended = dataclasses.replace(
        found[-1],
        people=tuple(dataclasses.replace(one, state=PersonState.NOTHING, label=None) for one in found[-1].people),
    )
    rota.look(engine, ended)
    assert rota.newest == ()
    assert rota.wait_s() == math.inf


def test_while_no_frame_comes_everybody_is_brought_up_to_the_frame_shown(recognizer: Recognizer) -> None:
    stepped = Stepped(recognizer)
    engine, found = decisions(recognizer, people=3)
    rota = EvidenceRota(stepped, stepped.rhythm, stepped)
    stepped.rhythm.note(stepped.now_s)
    rota.look(engine, found[-1])
    for _ in range(100):
        if math.isinf(rota.wait_s()):
            break
        stepped.now_s += rota.wait_s()
        rota.work()
    asked = questions(found[-1], recognizer.card.labels)
    assert {one.body_id: one.time_s for one in rota.newest} == {one.body_id: one.window.end_s for one in asked}
    assert stepped.runs[0] == FIRST_COPIES or stepped.runs[0] == 25


# In the pipeline.


def loader(model: Path):  # type: ignore[no-untyped-def]
    return partial(Recognizer, model, provider="cpu")


def test_the_pipeline_shows_evidence_when_it_is_wanted(model_file: Path) -> None:
    source = ReplaySource(recording(90, people=2, hand_up_s=(0.0, 99.0)), is_looping=True)
    with Pipeline(source, loader(model_file), config=QUICK) as pipeline:
        wait_until(lambda: any(one.label for one in pipeline.poll().people), what="an action")
        assert pipeline.poll().evidence == ()
        pipeline.explain(True)
        found = wait_until(lambda: {one.body_id: one for one in pipeline.poll().evidence}, what="evidence")
        for one in found.values():
            assert isinstance(one, JointEvidence)
            assert int(np.nanargmax(one.falls)) in (HAND, SHOULDER)


def test_a_paused_recording_gets_evidence_of_the_frame_it_shows_for_everybody(model_file: Path) -> None:
    source = ReplaySource(recording(900, people=3, hand_up_s=(0.0, 99.0)))  # longer than any stall of this thread
    with Pipeline(source, loader(model_file), config=QUICK) as pipeline:
        pipeline.explain(True)
        wait_until(lambda: sum(bool(one.label) for one in pipeline.poll().people) == 3, what="three actions")
        pipeline.command(Transport(play=False))
        wait_until(lambda: pipeline.poll().status is SourceStatus.PAUSED, what="the pause")

        def is_explained() -> bool:
            view = pipeline.poll()
            return [one.time_s for one in view.evidence] == [view.frame.time_s] * 3

        wait_until(is_explained, what="evidence of the frame shown")


def test_offline_views_carry_evidence_when_asked_and_the_same_every_time(model_file: Path) -> None:
    def views(*, with_evidence: bool):  # type: ignore[no-untyped-def]
        source = ReplaySource(recording(75, people=2, hand_up_s=(0.0, 1.8)), speed=math.inf)
        return list(run(source, Recognizer(model_file, provider="cpu"), config=QUICK, with_evidence=with_evidence))

    bare, told, again = views(with_evidence=False), views(with_evidence=True), views(with_evidence=True)
    assert not any(view.evidence for view in bare)
    assert [view.events for view in told] == [view.events for view in bare]
    for view in told:
        shown = {one.body_id: one.label for one in view.people if one.label}
        assert {one.body_id: one.label for one in view.evidence} == shown
        assert all(0 <= view.frame.time_s - one.time_s < EVERY_S + 1e-6 for one in view.evidence)
    times = sorted({one.time_s for view in told for one in view.evidence})
    assert 5 <= len(times) <= 1 + 2.5 / EVERY_S
    for one, other in zip(told, again):
        for a, b in zip(one.evidence, other.evidence):
            np.testing.assert_array_equal(a.falls, b.falls)


# The other kinds.


def test_the_coupled_map_is_the_joints_weight_times_the_newest_frames() -> None:
    joints = np.array([0.5, -0.25, np.nan], dtype=np.float32)
    found = heat_kinds.coupled(joints, np.array([0.9, 0.1, -0.8], dtype=np.float32))
    np.testing.assert_allclose(found, [0.4, 0.2, np.nan], rtol=1e-6)


def test_a_frame_is_one_body(recognizer: Recognizer) -> None:
    """A body that is there twice in a frame is asked about once."""
    engine = Engine(recognizer, KINECT_V2, config=QUICK)
    items = [frame(i, i / 30, *[body(4, i / 30, is_hand_up=True)] * 2) for i in range(45)]
    found = [engine.decide(engine.observe(item)) for item in items]
    assert len(questions(found[-1], recognizer.card.labels)) == 1
