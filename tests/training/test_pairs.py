"""A model that was trained on what two people do together says so live, of both and of nobody else."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from live.offline import run
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import ActionEvent
from tests import mutual
from tests.training.conftest import SMALL
from training import cache_writer, config, export, stream_run, train
from training.cache import open_cache
from training.streams import Stream

Met = Callable[..., list[ActionEvent]]
ACTS_S = (5.0, 7.5)
SETTINGS = (
    *SMALL,
    "epochs=14",
    "learning_rate=0.01",
    "average_decay=0.5",
    "label_smoothing=0.0",
    "span_s=1.2",
    "validation_subjects=0",
    "mirror_share=0.0",
    "background_label=nothing",
    "background_share=0.2",
    "pause_share=1.0",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mutual") / "cache"
    cache_writer.write(path, mutual.DESCRIPTION, mutual.clips())
    return path


@pytest.fixture(scope="module")
def recognizer(cache: Path) -> Recognizer:
    settings = config.load(assignments=SETTINGS)
    made = train.train(data=cache, protocol="odd-even", output=cache.parent / "run", settings=settings, seed=3)
    return Recognizer(export.model_of(made), provider="cpu")


@pytest.fixture(scope="module")
def met(recognizer: Recognizer) -> Met:
    """What the engine says of a meeting, in the order of its people's numbers; each is run once."""

    @functools.cache
    def actions(action: int, *, is_reversed: bool = False) -> list[ActionEvent]:
        recording = mutual.meeting(action, acts_s=ACTS_S, is_reversed=is_reversed)
        views = run(ReplaySource(recording, speed=math.inf), recognizer)
        found = [event for view in views for event in view.events if event.end_s is not None]
        return sorted(found, key=lambda event: event.people)

    return actions


def test_the_card_says_what_two_people_do(recognizer: Recognizer) -> None:
    card = recognizer.card
    assert (card.persons, card.pair_labels, card.background) == (2, ("shake hands", "hug"), "nothing")


@pytest.mark.parametrize("action", [mutual.SHAKE_HANDS, mutual.HUG])
def test_who_meets_acts_and_parts_does_one_thing_together(met: Met, action: int) -> None:
    both, alone = met(action)
    assert (both.label, both.people, both.body_ids) == (mutual.LABELS[action], (1, 2), (71, 72))
    assert (alone.label, alone.people) == ("wave", (3,))
    for event in (both, alone):
        assert event.end_s is not None
        assert event.start_s == pytest.approx(ACTS_S[0], abs=0.7) and event.end_s == pytest.approx(ACTS_S[1], abs=0.7)


def test_two_who_meet_and_only_stand_do_nothing(met: Met) -> None:
    assert [event.people for event in met(mutual.NOTHING)] == [(3,)]


def test_it_is_the_same_action_whoever_is_the_first(met: Met) -> None:
    there, back = met(mutual.SHAKE_HANDS)[0], met(mutual.SHAKE_HANDS, is_reversed=True)[1]
    assert there.body_ids == (71, 72) and back.body_ids == (72, 71)
    assert (there.start_s, there.end_s) == (back.start_s, back.end_s)
    assert there.confidence == pytest.approx(back.confidence, abs=1e-5)


def test_labels_are_of_two_people_where_most_of_their_clips_are(cache: Path) -> None:
    opened = open_cache(cache)
    of_hugs = np.flatnonzero(opened.clips["label"] == mutual.HUG)
    clips = np.array(opened.clips)
    clips["persons"][of_hugs[: len(of_hugs) // 2]] = 1  # half of them: no majority any more
    changed = dataclasses.replace(opened, clips=clips)
    everything = np.arange(len(clips))
    assert export.pair_labels(changed, everything) == ("shake hands", "nothing")
    assert export.pair_labels(changed, everything, background="nothing") == ("shake hands",)
    assert export.pair_labels(changed, of_hugs[len(of_hugs) // 2 :]) == ("hug",), "the clips that count alone count"


def test_on_a_stream_both_have_done_what_they_did_together(recognizer: Recognizer) -> None:
    recording = mutual.meeting(mutual.HUG, acts_s=ACTS_S)
    who = {key: str(key) for key in (71, 72, 73)}
    outcomes = {one.person: one for one in stream_run.run(Stream("meeting", recording, (), who), recognizer)}
    hug = mutual.LABELS.index("hug")
    assert [[event.label for event in outcomes[key].events] for key in (71, 72)] == [[hug], [hug]]
    assert (outcomes[71].shown.labels == hug).sum() == (outcomes[72].shown.labels == hug).sum() > 30
    windows = {len(outcomes[key].answers.times_s) for key in who}
    assert len(windows) == 1, "arg-max is of everybody alone, once a frame"
