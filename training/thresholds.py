"""Thresholds of the decision, fitted on streams of validation people for a budget of false alarms.

The model's answers are kept, and the app's own state machine goes through them again with other thresholds. First
one pair for all labels: of those that stay within the budget, the best. Then labels get their own where that helps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from live.decision import DecisionConfig, PersonDecision
from live.decision_rules import DecisionRules
from live.view import ActionEvent, PersonState
from models.card import ModelCard
from training.event_scores import NOTHING, Segment, Shown
from training.stream_run import Answers
from training.stream_scores import Tally, f1, tally

ENTERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
EXIT_SHARES = (0.4, 0.6, 0.9)
"""Exit thresholds that are tried, as shares of the enter threshold."""
LOWER, HIGHER = 5, 2
"""Steps of ``ENTERS`` that a single label may go down and up."""


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """What one person did in one stream, and what the model said of it.

    Attributes:
        truth: Actions that the model knows; empty for a scene of nothing.
        shown: Times of the frames with the person in view (labels are not used).
        answers: Window by window, at the temperature to be used.
        card: Whose answers they are; its feature centers are what their embeddings are measured from.
    """

    truth: list[Segment]
    shown: Shown
    answers: Answers
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Outcome:
    """How good thresholds are.

    Attributes:
        score: Mean of the event F1 at both overlaps.
        alarms_per_minute: False alarms a minute, the worse of the streams' own idle time and the scenes of nothing.
    """

    score: float
    alarms_per_minute: float


def fitted(card: ModelCard, performances: Sequence[Performance], *, budget: float) -> tuple[ModelCard, Outcome]:
    """Returns the card with fitted thresholds, and how good they are on the same performances.

    Where no thresholds keep the budget, those with the fewest false alarms are taken.

    Args:
        card: The model's; its thresholds do not matter, its temperature is that of the answers.
        performances: Of validation people, and scenes of nothing.
        budget: False alarms a minute.
    """
    plain = dataclasses.replace(card, enter_thresholds={}, exit_thresholds={})
    tried = []
    for enter in ENTERS:
        for share in EXIT_SHARES:
            candidate = dataclasses.replace(plain, enter_threshold=enter, exit_threshold=round(share * enter, 4))
            tried.append((candidate, judged(candidate, performances)))
    kept = [pair for pair in tried if pair[1].alarms_per_minute <= budget]
    if not kept:
        fewest = min(outcome.alarms_per_minute for _, outcome in tried)
        kept = [pair for pair in tried if pair[1].alarms_per_minute == fewest]
    best = max(kept, key=lambda pair: (pair[1].score, -pair[1].alarms_per_minute, pair[0].enter_threshold))
    return _of_labels(*best, performances, budget=budget)


def judged(card: ModelCard, performances: Sequence[Performance]) -> Outcome:
    """Returns how good a card's thresholds are."""
    tallies = [(bool(one.truth), _tally(one, card)) for one in performances]
    acted = [counted for is_acted, counted in tallies if is_acted]
    actions, found = sum(one.actions for one in acted), sum(one.found for one in acted)
    pairs = np.sum([one.matched for one in acted], axis=0) if acted else np.zeros(1)
    return Outcome(
        score=float(np.mean([f1(int(right), actions, found) for right in pairs])),
        alarms_per_minute=max(
            _rate([counted for is_acted, counted in tallies if is_acted == kind]) for kind in (True, False)
        ),
    )


def decided(answers: Answers, rules: DecisionRules, times_s: np.ndarray) -> tuple[list[Segment], Shown]:
    """Returns the events, and what is shown at the frames' times, of answers under rules."""
    number_of = {label: number for number, label in enumerate(rules.labels)}
    decision = PersonDecision(body_id=0, person=1, rules=rules, config=DecisionConfig())
    labels = np.full(len(times_s), NOTHING)
    rows = np.searchsorted(times_s, answers.times_s - 1e-6)
    events: list[ActionEvent] = []
    for row, time_s, probabilities, embedding in zip(
        rows, answers.times_s.tolist(), answers.probabilities, answers.embeddings
    ):
        verdict = decision.update(time_s, probabilities, embedding)
        if verdict.state is PersonState.ACTION and verdict.label is not None:
            labels[row] = number_of[verdict.label]
        events += verdict.events
    if len(answers.times_s):
        events += decision.leave(float(answers.times_s[-1]))
    found = [Segment(one.start_s, one.end_s, number_of[one.label]) for one in events if one.end_s is not None]
    return found, Shown(times_s, labels)


def _of_labels(
    card: ModelCard, outcome: Outcome, performances: Sequence[Performance], *, budget: float
) -> tuple[ModelCard, Outcome]:
    """Gives labels thresholds of their own where that is worth more than one action."""
    actions = sum(len(one.truth) for one in performances)
    limit = max(budget, outcome.alarms_per_minute)
    for label in card.actions:
        for candidate in list(_neighbors(card, label)):
            other = judged(candidate, performances)
            if other.alarms_per_minute <= limit and other.score > outcome.score + 1 / max(actions, 1):
                card, outcome = candidate, other
    return card, outcome


def _neighbors(card: ModelCard, label: str) -> Iterator[ModelCard]:
    enter, leave = card.thresholds(label)
    place = ENTERS.index(enter)
    for other in ENTERS[max(0, place - LOWER) : place + HIGHER + 1]:
        if other != enter:
            yield dataclasses.replace(
                card,
                enter_thresholds=card.enter_thresholds | {label: other},
                exit_thresholds=card.exit_thresholds | {label: round(leave / enter * other, 4)},
            )


def _tally(one: Performance, card: ModelCard) -> Tally:
    own = {"feature_centers": one.card.feature_centers, "feature_scale": one.card.feature_scale}
    rules = DecisionConfig().rules(dataclasses.replace(card, **own))
    found, shown = decided(one.answers, rules, one.shown.times_s)
    return tally(one.truth, found, shown)


def _rate(tallies: Sequence[Tally]) -> float:
    minutes = sum(one.idle_min for one in tallies)
    return sum(one.alarms for one in tallies) / minutes if minutes else 0.0
