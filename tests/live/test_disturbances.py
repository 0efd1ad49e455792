"""The whole engine with the shipped model, on the demo's people, while frames are lost and tracking ids change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from live.offline import run
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import ActionEvent, PersonState, PipelineView
from skeleton.frames import BodyFrame
from tests.live.disturbed import as_recording, at_15_fps, dropped, lost, performed, renamed

MODEL = Path(__file__).parents[2] / "models" / "pretrained" / "exercises.onnx"
FROM_S, UNTIL_S = 4.0, 17.0
SAME_S = 0.5
"""Starts and ends of an action may move by so much when a fifth of all frames is gone."""
NEW_ID = 2**60 + 3


@pytest.fixture(scope="module")
def shipped() -> Recognizer:
    return Recognizer(MODEL, provider="cpu")


@pytest.fixture(scope="module")
def frames() -> list[BodyFrame]:
    return performed(2, seed=3, from_s=FROM_S, until_s=UNTIL_S)


def views_of(frames: Sequence[BodyFrame], recognizer: Recognizer) -> list[PipelineView]:
    return list(run(ReplaySource(as_recording(frames), speed=math.inf), recognizer, with_color=False))


def actions(views: Sequence[PipelineView]) -> list[ActionEvent]:
    ended = [event for view in views for event in view.events if event.end_s is not None]
    return sorted(ended, key=lambda event: (event.person, event.start_s))


@pytest.fixture(scope="module")
def views(frames: list[BodyFrame], shipped: Recognizer) -> list[PipelineView]:
    """The undisturbed stream."""
    return views_of(frames, shipped)


@pytest.fixture(scope="module")
def undisturbed(views: list[PipelineView]) -> list[ActionEvent]:
    return actions(views)


@pytest.fixture(scope="module")
def middle_s(views: list[PipelineView]) -> float:
    """Sensor time in the middle of the longest stretch in which both people have a label, whatever the model."""
    stretch: list[float] = []
    longest: list[float] = []
    for view in views:
        is_busy = len(view.people) == 2 and all(one.state is PersonState.ACTION for one in view.people)
        stretch = [*stretch, view.frame.time_s] if is_busy and view.frame else []
        longest = max(longest, stretch, key=len)
    assert longest and longest[-1] - longest[0] > 0.8, "the stream must be one in which a disturbance would show"
    return (longest[0] + longest[-1]) / 2


def assert_same(found: Sequence[ActionEvent], expected: Sequence[ActionEvent]) -> None:
    assert [(one.person, one.label) for one in found] == [(one.person, one.label) for one in expected]
    for one, other in zip(found, expected):
        assert one.end_s is not None and other.end_s is not None
        assert (one.start_s, one.end_s) == pytest.approx((other.start_s, other.end_s), abs=SAME_S)


def ids(frames: Sequence[BodyFrame]) -> list[int]:
    return [body.tracking_id for body in frames[-1].bodies]


@pytest.mark.parametrize(
    "disturb",
    [
        pytest.param(lambda frames: dropped(frames, 0.2, seed=4), id="a fifth of all frames is lost"),
        pytest.param(
            lambda frames: at_15_fps(frames, (FROM_S + 2, FROM_S + 6), (FROM_S + 7, FROM_S + 9)),
            id="stretches of 15 frames a second",
        ),
        pytest.param(
            lambda frames: at_15_fps(dropped(frames, 0.2, seed=5), (FROM_S, UNTIL_S)), id="both, all the time"
        ),
    ],
)
def test_lost_frames_change_no_action(
    disturb: Callable[[list[BodyFrame]], list[BodyFrame]],
    frames: list[BodyFrame],
    undisturbed: list[ActionEvent],
    shipped: Recognizer,
) -> None:
    found = disturb(frames)
    assert len(found) < 0.85 * len(frames)
    assert_same(actions(views_of(found, shipped)), undisturbed)


def test_ids_that_change_in_the_middle_of_actions_change_nothing_but_ids(
    frames: list[BodyFrame], undisturbed: list[ActionEvent], shipped: Recognizer, middle_s: float
) -> None:
    """Windows hold the same frames, so everything that is decided is the same to the last digit."""
    one, other = ids(frames)
    changed = renamed(frames, one, NEW_ID, from_s=middle_s)
    changed = renamed(changed, other, NEW_ID + 1, from_s=middle_s)
    found = actions(views_of(changed, shipped))
    assert [(a.person, a.label, a.start_s, a.end_s, a.confidence) for a in found] == [
        (a.person, a.label, a.start_s, a.end_s, a.confidence) for a in undisturbed
    ]
    new = {one: NEW_ID, other: NEW_ID + 1}
    begins_s = [a.start_s + frames[0].time_s for a in undisturbed]
    assert [a.body_id for a in found] == [
        a.body_id if begin_s < middle_s else new[a.body_id] for a, begin_s in zip(undisturbed, begins_s)
    ]


@pytest.mark.parametrize("has_new_id", [False, True], ids=["back under the same id", "back under a new id"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_short_loss_in_the_middle_of_an_action_hides_the_label_and_keeps_the_action(
    place: int,
    has_new_id: bool,
    frames: list[BodyFrame],
    undisturbed: list[ActionEvent],
    shipped: Recognizer,
    middle_s: float,
) -> None:
    body_id, from_s = ids(frames)[place], middle_s - 0.15
    changed = lost(frames, body_id, from_s=from_s, until_s=from_s + 0.3)
    if has_new_id:
        changed = renamed(changed, body_id, NEW_ID, from_s=from_s)
    views = views_of(changed, shipped)
    assert_same(actions(views), undisturbed)
    away = [view for view in views if view.frame and from_s <= view.frame.time_s < from_s + 0.3]
    assert len(away) > 5
    for view in away:
        (missing,) = (one for one in view.people if one.body_id == body_id)
        assert (missing.state, missing.label) == (PersonState.LOST, None)
    assert {one.person for view in views for one in view.people} == {1, 2}
