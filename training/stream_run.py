"""Runs a stream through the app's own engine, and keeps what it showed beside the plain arg-max of every window.

Arg-max is what other programs do: each window's most probable class is shown at once, nothing is smoothed, nothing
has a threshold, and a run of the same class is an event. It is dated by the card's lag, like the app's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from live import offline
from live.decision import DecisionConfig
from live.engine import Recognizes
from live.recognizer import ABSENT
from live.sources.replay import ReplaySource
from live.view import ModelInfo, PersonState, PipelineView, Recognition
from models.card import ModelCard
from skeleton.window import Window
from training.event_scores import NOTHING, Segment, Shown, runs
from training.streams import Stream


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the model said of one person, window by window.

    Attributes:
        times_s: (F,) when the windows end, seconds since the stream's first frame.
        probabilities: (F, K) float32.
        embeddings: (F, E) float32.
    """

    times_s: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of one person in one stream.

    Attributes:
        person: Tracking id.
        events: Actions that the engine found, labels as indices of the card.
        shown: What the app shows of the person at each frame.
        plain_events: Likewise by arg-max.
        plain_shown: Likewise by arg-max.
        answers: What both were made of.
    """

    person: int
    events: list[Segment]
    shown: Shown
    plain_events: list[Segment]
    plain_shown: Shown
    answers: Answers


class Overheard:
    """A recognizer whose answers are written down.

    Args:
        recognizer: The one that answers.
    """

    def __init__(self, recognizer: Recognizes) -> None:
        self._recognizer = recognizer
        self.heard: dict[int, list[Recognition]] = {}

    @property
    def card(self) -> ModelCard:
        return self._recognizer.card

    @property
    def info(self) -> ModelInfo:
        return self._recognizer.info

    @property
    def warning(self) -> str | None:
        return self._recognizer.warning

    def recognize(self, windows: Sequence[Window]) -> list[Recognition]:
        """Passes on what the recognizer answers; what it says of two people is not said of one of them."""
        answers = self._recognizer.recognize(windows)
        for answer in answers:
            if all(other == ABSENT for other in answer.body_ids[1:]):
                self.heard.setdefault(answer.body_ids[0], []).append(answer)
        return answers


@dataclass(slots=True)
class _Seen:
    """What the engine showed of one person so far."""

    times_s: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    events: list[Segment] = field(default_factory=list)


def run(stream: Stream, recognizer: Recognizes, *, config: DecisionConfig | None = None) -> list[Outcome]:
    """Returns what came of everybody in a stream, in the order of their appearance.

    Raises:
        ModelContractError: The stream lacks joints that the model needs.
    """
    overheard = Overheard(recognizer)
    source = ReplaySource(stream.recording, speed=math.inf)
    number_of = {label: number for number, label in enumerate(recognizer.card.labels)}
    origin_s = float(stream.recording.times_s[0])
    seen: dict[int, _Seen] = {}
    for view in offline.run(source, overheard, config=config, with_color=False):
        _take(view, seen, number_of, origin_s)
    step_s = 1.0 / max(stream.recording.info.rate_hz, 1.0)
    return [
        _outcome(person, shown, overheard.heard.get(person, []), recognizer.card, origin_s=origin_s, step_s=step_s)
        for person, shown in seen.items()
    ]


def _take(view: PipelineView, seen: dict[int, _Seen], number_of: dict[str, int], origin_s: float) -> None:
    time_s = view.frame.time_s - origin_s if view.frame else 0.0
    for person in view.people:
        if person.state is PersonState.LOST:
            continue
        row = seen.setdefault(person.body_id, _Seen())
        row.times_s.append(time_s)
        row.labels.append(NOTHING if person.label is None else number_of[person.label])
    for event in view.events:
        for body_id in event.body_ids if event.end_s is not None else ():
            if body_id in seen:
                segment = Segment(event.start_s, event.end_s, number_of[event.label])
                seen[body_id].events.append(segment)


def _outcome(
    person: int, seen: _Seen, heard: Sequence[Recognition], card: ModelCard, *, origin_s: float, step_s: float
) -> Outcome:
    times_s = np.array(seen.times_s)
    classes, sizes = len(card.labels), len(heard[0].embedding) if heard else 0
    answers = Answers(
        times_s=np.array([answer.end_s - origin_s for answer in heard]),
        probabilities=np.array([answer.probabilities for answer in heard]).reshape(-1, classes),
        embeddings=np.array([answer.embedding for answer in heard]).reshape(-1, sizes),
    )
    plain = Shown(times_s, _by_arg_max(times_s, answers, card))
    return Outcome(
        person=person,
        events=seen.events,
        shown=Shown(times_s, np.array(seen.labels, dtype=np.int64)),
        plain_events=[
            Segment(one.start_s - card.about_s, one.end_s - card.about_s, one.label)
            for one in runs(plain, step_s=step_s)
        ],
        plain_shown=plain,
        answers=answers,
    )


def _by_arg_max(times_s: np.ndarray, answers: Answers, card: ModelCard) -> np.ndarray:
    """(F,) the most probable class of the window that ends at each frame; nothing without one, or for background."""
    labels = np.full(len(times_s), NOTHING)
    if len(answers.times_s):
        best = answers.probabilities.argmax(axis=1)
        if card.background:
            best = np.where(best == card.labels.index(card.background), NOTHING, best)
        rows = np.searchsorted(times_s, answers.times_s - 1e-6)
        labels[rows] = best
    return labels
