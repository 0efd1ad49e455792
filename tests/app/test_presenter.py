"""What a view means: texts, colors, what is enabled. No Qt."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from app import theme
from app.presenter import MOST_EVENTS, MOST_SCORES, Presenter
from app.wording import clock, readable, speed_text
from live.heat_kinds import HeatKind
from live.sources.base import Position, SourceStatus
from live.view import JointEvidence, PersonState, PipelineView, Statistics
from skeleton.frames import BodyFrame
from tests.app.fakes import CARD, DEMO, LABELS, MODEL, REPLAY, body, event, person, view


def presented(shown: PipelineView) -> Presenter:
    presenter = Presenter()
    presenter.take(shown)
    return presenter


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (3.44, "0:03.4"), (59.96, "1:00.0"), (62.3, "1:02.3"), (3725.0, "1:02:05.0"), (-1, "0:00.0")],
)
def test_a_time_reads_like_a_clock(time_s: float, text: str) -> None:
    assert clock(time_s) == text


@pytest.mark.parametrize(("speed", "text"), [(0.25, "0.25×"), (1.0, "1×"), (math.inf, "max")])
def test_a_speed_reads_like_a_factor(speed: float, text: str) -> None:
    assert speed_text(speed) == text


@pytest.mark.parametrize(
    ("state", "label", "detail", "is_action"),
    [
        (PersonState.ACTION, "deep squat", "85%", True),
        (PersonState.NOTHING, "no action", "", False),
        (PersonState.WARMING_UP, "warming up", "40%", False),
        (PersonState.UNKNOWN, "unknown movement", "", False),
        (PersonState.LOST, "tracking lost", "", False),
    ],
)
def test_the_text_beside_a_person(state: PersonState, label: str, detail: str, is_action: bool) -> None:
    shown = view(person(1, state=state))
    figure = presented(shown).scene(shown).figures[0]
    assert (figure.label, figure.detail, figure.is_action) == (label, detail, is_action)


def test_everybody_has_a_label_and_a_color_of_their_own() -> None:
    shown = view(*[person(number, best=number % 4) for number in range(1, 7)])
    figures = presented(shown).scene(shown).figures
    assert {figure.label for figure in figures} == {readable(label) for label in LABELS}
    assert len({figure.color for figure in figures}) == 6


def test_a_body_that_nobody_has_counted_yet_is_drawn_without_a_text() -> None:
    shown = dataclasses.replace(view(person(1)), people=())
    figure = presented(shown).scene(shown).figures[0]
    assert (figure.label, figure.color) == ("", theme.QUIET)
    assert figure.state.all()


def test_a_person_who_left_has_no_figure() -> None:
    shown = dataclasses.replace(view(person(1)), frame=BodyFrame(0, 1.0))
    scene = presented(shown).scene(shown)
    assert (scene.figures, scene.message) == ((), "Nobody in view")


def test_who_was_just_lost_leaves_a_quiet_label_where_the_body_was_and_nothing_else() -> None:
    presenter = presented(view(person(1), person(2)))
    gone = view(person(1), person(2, state=PersonState.LOST, label=None, probabilities=None), time_s=1.1)
    assert gone.frame is not None
    where = presenter.scene(view(person(1), person(2))).figures
    alone = dataclasses.replace(gone, frame=dataclasses.replace(gone.frame, bodies=gone.frame.bodies[:1]))
    presenter.take(alone)
    figures = {figure.person: figure for figure in presenter.scene(alone).figures}
    lost = figures[2]
    assert (lost.label, lost.ink, lost.is_lost, lost.heat) == ("tracking lost", theme.FAINT, True, None)
    assert not lost.state.any() and not lost.bones
    np.testing.assert_allclose(lost.points, next(one for one in where if one.person == 2).points)
    assert figures[1].label == "deep squat"
    forgotten = dataclasses.replace(alone, people=alone.people[:1])
    assert [figure.person for figure in presenter.scene(forgotten).figures] == [1]
    for index in range(50):  # everybody who comes and goes gets another id
        presenter.take(view(person(10 + index), time_s=2.0 + index))
    assert len(presenter._last_seen) == 1


def test_every_state_has_a_text_and_the_quiet_ones_are_told_apart_by_color() -> None:
    shown = [presented(one := view(person(1, state=state))).scene(one).figures[0] for state in PersonState]
    assert len({figure.label for figure in shown}) == len(PersonState)
    inks = {state: figure.ink for state, figure in zip(PersonState, shown)}
    told_apart = [PersonState.ACTION, PersonState.NOTHING, PersonState.UNKNOWN, PersonState.LOST]
    assert len({inks[state] for state in told_apart}) == 4


def test_joints_without_a_place_are_not_drawn() -> None:
    state = np.full(25, 2)
    state[:3] = [0, 1, 2]
    shown = view(person(1))
    shown = dataclasses.replace(shown, frame=BodyFrame(0, 1.0, 0.0, (body(101, state=state),)))
    assert presented(shown).scene(shown).figures[0].state[:3].tolist() == [0, 1, 2]


def presented_heat(shown: PipelineView, kind: HeatKind) -> np.ndarray | None:
    presenter = presented(shown)
    presenter.heat_kind = kind
    return presenter.scene(shown).figures[0].heat


def test_the_spatial_heat_is_on_the_cards_scale_and_can_be_switched_off() -> None:
    shown = view(person(1, joint_attention=np.full(25, 0.7)))
    heat = presented_heat(shown, HeatKind.SPATIAL)
    assert heat is not None and np.allclose(heat, 0.5)
    presenter = presented(shown)
    presenter.shows_heat = False
    scene = presenter.scene(shown)
    assert scene.figures[0].heat is None and scene.legend is None


def test_the_coupled_heat_follows_the_weight_of_the_newest_frame() -> None:
    shown = view(person(1, joint_attention=np.full(25, 0.8), frame_attention=np.array([0.1, 0.2, 0.925])))
    heat = presented_heat(shown, HeatKind.COUPLED)
    assert heat is not None and np.allclose(heat, (0.74 - 0.04) / (1.44 - 0.04))  # of the card's 0.2 to 1.2, squared


def evident(label: str = LABELS[0], *, time_s: float = 0.9) -> JointEvidence:
    return JointEvidence(101, label, time_s, np.array([0.25, -0.9, 0.8, np.nan] + [0.0] * 21, dtype=np.float32))


def test_the_evidence_heat_is_the_fall_of_the_score_up_to_half_and_dark_for_what_speaks_against() -> None:
    heat = presented_heat(view(person(1), evidence=(evident(),)), HeatKind.EVIDENCE)
    assert heat is not None
    np.testing.assert_allclose(heat[:5], [0.5, 0.0, 1.0, np.nan, 0.0])


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (view(person(1)), "none is there yet"),
        (view(person(1), evidence=(evident(LABELS[1]),)), "it is of another action"),
        (view(person(1, state=PersonState.NOTHING), evidence=(evident(),)), "no action is shown"),
        (view(person(2), evidence=(evident(),)), "it is somebody else's"),
        (view(person(1), time_s=9.0, evidence=(evident(),)), "it is too old"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_evidence_is_not_shown_when(shown: PipelineView, why: str) -> None:
    assert presented_heat(shown, HeatKind.EVIDENCE) is None, why


@pytest.mark.parametrize(
    ("kind", "title", "low", "high"),
    [
        (HeatKind.SPATIAL, "spatial", "0.20", "1.20"),
        (HeatKind.COUPLED, "coupled", "0.04", "1.44"),
        (HeatKind.EVIDENCE, "evidence", "the same", "50 points less"),
    ],
)
def test_the_legend_names_the_kind_of_heat_and_its_ends(kind: HeatKind, title: str, low: str, high: str) -> None:
    presenter = presented(view(person(1)))
    presenter.heat_kind = kind
    legend = presenter.scene(view(person(1))).legend
    assert legend is not None and title in legend.title
    assert (legend.low, legend.high) == (low, high)


def test_another_kind_of_heat_is_another_look_and_outlives_the_source() -> None:
    presenter = presented(view(person(1)))
    before = presenter.look
    presenter.heat_kind = HeatKind.COUPLED
    assert presenter.look != before
    assert presenter.anew().heat_kind is HeatKind.COUPLED


@pytest.mark.parametrize(
    ("changes", "can_pause", "can_step", "can_seek"),
    [
        ({}, True, True, True),
        ({"source": DEMO, "position": None}, True, False, False),
        ({"source": dataclasses.replace(DEMO, kind="kinect"), "position": None}, False, False, False),
        ({"source": None, "position": None}, False, False, False),
    ],
    ids=["recording", "demo", "sensor", "nothing open"],
)
def test_what_the_transport_bar_allows(changes: dict, can_pause: bool, can_step: bool, can_seek: bool) -> None:
    shown = view(person(1), **changes)
    state = presented(shown).transport(shown)
    assert (state.can_pause, state.can_step, state.can_seek) == (can_pause, can_step, can_seek)


def test_the_transport_bar_shows_where_playback_stands() -> None:
    shown = view(person(1), position=Position(2.04, 61, speed=0.5, is_looping=True), status=SourceStatus.PAUSED)
    state = presented(shown).transport(shown)
    assert (state.text, state.speed, state.is_looping, state.is_playing) == ("0:02.0 / 0:05.0", 0.5, True, False)


def test_a_live_source_counts_from_its_first_frame() -> None:
    presenter = presented(view(person(1), time_s=100.0, source=DEMO, position=None))
    later = view(person(1), time_s=103.5, source=DEMO, position=None)
    presenter.take(later)
    assert presenter.transport(later).text == "0:03.5"


def test_scores_are_those_of_the_first_person_until_somebody_is_chosen() -> None:
    shown = view(person(1, best=0), person(2, best=2))
    presenter = presented(shown)
    assert presenter.scores(shown).person == 1
    presenter.choose(2, shown)
    scores = presenter.scores(shown)
    assert (scores.people, scores.person, scores.rows[0].threshold) == ((1, 2), 2, CARD.enter_threshold)
    assert [row.label for row in scores.rows if row.is_action] == ["side lunge"]
    presenter.choose(None, shown)
    assert presenter.scores(shown).person == 1


def test_a_chosen_person_who_left_gives_way() -> None:
    presenter = presented(shown := view(person(1), person(2)))
    presenter.choose(2, shown)
    assert presenter.scores(view(person(1))).person == 1


def test_a_chosen_person_stays_chosen_under_another_tracking_id() -> None:
    presenter = presented(shown := view(person(1), person(2)))
    presenter.choose(2, shown)
    changed = dataclasses.replace(person(2), body_id=999)
    assert presenter.scores(view(person(1), changed)).person == 2


def test_of_many_classes_the_likeliest_are_shown() -> None:
    labels = tuple(f"action {index}" for index in range(60))
    model = dataclasses.replace(MODEL, card=dataclasses.replace(CARD, labels=labels))
    probabilities = np.arange(60, dtype=np.float32) / 1770
    shown = view(person(1, probabilities=probabilities), model=model)
    rows = presented(shown).scores(shown).rows
    assert [row.label for row in rows] == [f"action {index}" for index in range(59, 59 - MOST_SCORES, -1)]


def test_the_background_is_the_last_bar_and_has_no_threshold_and_each_class_its_own() -> None:
    card = dataclasses.replace(CARD, background="hurdle_step", enter_thresholds={"side_lunge": 0.95})
    shown = view(person(1, best=1, state=PersonState.NOTHING), model=dataclasses.replace(MODEL, card=card))
    rows = presented(shown).scores(shown).rows
    assert [(row.label, row.threshold) for row in rows] == [
        ("deep squat", 0.8),
        ("side lunge", 0.95),
        ("sit to stand", 0.8),
        ("no action", None),
    ]
    assert rows[-1].probability == pytest.approx(0.85)
    assert "3 classes and a background" in presented(shown).status(shown).model_hint


def test_of_many_classes_the_background_is_always_shown() -> None:
    labels = tuple(f"action {index}" for index in range(60))
    card = dataclasses.replace(CARD, labels=labels, background="action 0")
    probabilities = np.arange(60, dtype=np.float32) / 1770
    shown = view(person(1, probabilities=probabilities), model=dataclasses.replace(MODEL, card=card))
    rows = presented(shown).scores(shown).rows
    assert [row.label for row in rows][-2:] == [f"action {61 - MOST_SCORES}", "no action"]
    assert len(rows) == MOST_SCORES


@pytest.mark.parametrize(
    ("shown", "note"),
    [
        (PipelineView(), "Waiting for the first frame"),
        (dataclasses.replace(view(person(1)), people=()), "Nobody is recognized"),
        (view(), "Nobody in view"),
        (view(person(1), model=None), "No model loaded"),
        (view(person(1, state=PersonState.WARMING_UP)), "Warming up: 40% of the first window"),
    ],
)
def test_a_score_panel_without_scores_says_why(shown: PipelineView, note: str) -> None:
    scores = presented(shown).scores(shown)
    assert (scores.rows, scores.note) == ((), note)


def test_an_action_that_ends_replaces_its_start() -> None:
    presenter = presented(view(person(1), events=(event(start_s=1.0), event(2, start_s=1.5))))
    presenter.take(view(person(1), events=(event(start_s=1.0, end_s=2.0),)))
    assert [(one.person, one.end_s) for one in presenter.events] == [(1, 2.0), (2, None)]


def test_the_event_list_is_bounded() -> None:
    presenter = presented(view())
    for index in range(MOST_EVENTS + 50):
        presenter.take(view(events=(event(start_s=float(index), end_s=index + 0.5),)))
    assert (len(presenter.events), presenter.events[-1].start_s) == (MOST_EVENTS, MOST_EVENTS + 49)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(1.0, 3.0), (1.03, None), (1.03, 3.03)], [(1.0, 3.03)], id="frames left out move the ends"),
        pytest.param([(1.0, 2.0), (1.5, None), (1.5, 3.0)], [(1.0, 3.0)], id="cut short before"),
        pytest.param([(2.0, 3.0), (1.0, None), (1.0, 3.0)], [(1.0, 3.0)], id="only the end seen before"),
        pytest.param([(1.0, 3.0), (0.7, None), (0.7, 3.0)], [(1.0, 3.0)], id="a jump into it"),
        pytest.param([(1.0, 2.0), (1.0, None)], [(1.0, 2.0)], id="looked at again, and it goes on"),
        pytest.param(
            [(1.0, 2.0), (4.0, 5.0), (2.5, None), (2.5, 3.0)], [(1.0, 2.0), (4.0, 5.0), (2.5, 3.0)], id="new"
        ),
        pytest.param([(1.0, 2.0), (3.0, 4.0), (1.5, None), (1.5, 3.5)], [(1.0, 4.0)], id="one after all"),
    ],
)
def test_what_is_looked_at_twice_is_one_event(
    looks: list[tuple[float, float | None]], expected: list[tuple[float, float]]
) -> None:
    presenter = presented(view(events=tuple(event(start_s=start_s, end_s=end_s) for start_s, end_s in looks)))
    assert [(one.start_s, one.end_s) for one in presenter.events] == expected


def test_a_rendering_keeps_every_pass() -> None:
    presenter = Presenter(most_events=None)
    for start_s, end_s in ((1.0, None), (1.0, 3.0), (1.0, None), (1.0, 3.0)):
        presenter.take(view(events=(event(start_s=start_s, end_s=end_s),)))
    assert [(one.start_s, one.end_s) for one in presenter.events] == [(1.0, 3.0), (1.0, 3.0)]


def test_events_that_left_the_list_are_counted_and_an_end_is_no_event_of_its_own() -> None:
    presenter = presented(view())
    for index in range(MOST_EVENTS + 50):
        presenter.take(view(events=(event(start_s=float(index)), event(start_s=float(index), end_s=index + 0.5))))
    assert presenter.events_left_out == 50
    assert presenter.anew().events_left_out == 0


def test_another_source_keeps_the_switches_and_drops_the_events() -> None:
    presenter = presented(view(person(1), events=(event(),)))
    presenter.shows_heat, presenter.is_mirrored = False, True
    other = presenter.anew()
    assert (other.shows_heat, other.is_mirrored, len(other.events)) == (False, True, 0)


@pytest.mark.parametrize(
    ("statistics", "losses", "has_losses"),
    [
        (Statistics(frames_read=1000, frames_unrecognized=3), "", False),
        (Statistics(frames_read=1000, frames_unrecognized=120), "12% of frames skipped", False),
        (Statistics(frames_read=1000, frames_lost=7), "7 frames lost", False),
        (Statistics(frames_read=1000, events_lost=2), "2 events lost", True),
    ],
    ids=["next to none", "slow computer", "slow connection", "lost facts"],
)
def test_losses_are_said(statistics: Statistics, losses: str, has_losses: bool) -> None:
    shown = view(person(1), statistics=statistics)
    texts = presented(shown).status(shown)
    assert (texts.losses, texts.has_losses) == (losses, has_losses)


def test_the_status_line_says_rate_latency_provider_and_model() -> None:
    shown = view(person(1))
    texts = presented(shown).status(shown)
    assert (texts.source, texts.rate) == (f"{REPLAY.name} · streaming", "30.0 fps")
    assert (texts.latency, texts.provider, texts.model) == ("decision 3.2 ms · p99 7.9 ms", "CPU", "exercises")
    assert "top1: 0.97" in texts.model_hint


def test_the_hint_of_a_model_says_how_good_it_is_before_anything_longer() -> None:
    results = {"dataset": "ui-prmd", "samples": 1000, "subjects": [2, 4], "per_class": {"a": 1}, "top1": 0.97}
    model = dataclasses.replace(MODEL, card=dataclasses.replace(CARD, results=results))
    shown = view(person(1), model=model)
    assert presented(shown).status(shown).model_hint.splitlines()[1:] == ["dataset: ui-prmd", "top1: 0.97"]


def test_time_goes_on_when_a_sensor_comes_back_with_a_clock_of_its_own() -> None:
    live = dataclasses.replace(DEMO, kind="kinect")

    def at(time_s: float, arrival_s: float) -> PipelineView:
        return view(source=live, position=None, frame=BodyFrame(0, time_s, arrival_s))

    shown = [at(500.0, 90.0), at(512.0, 102.0), at(3.0, 110.0), at(4.0, 111.0)]
    presenter = Presenter()
    found = []
    for one in shown:
        presenter.take(one)
        found.append(presenter.transport(one).time_s)
    assert found == [0.0, 12.0, 20.0, 21.0]
