"""Runs streams and judges what came of them, beside plain arg-max: the numbers of a result, and its timelines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from live.engine import Recognizes
from models.card import ModelCard
from training.event_scores import LATE_S, NOTHING, Segment, Shown, auroc, fpr_at_95
from training.scores import rounded
from training.stream_run import Answers, Outcome, run
from training.stream_scores import Tally, background_measures, measures, tally
from training.streams import BACKGROUND, Action, Stream

WAYS = ("engine", "argmax")
"""The app's own, and what other programs do."""
STRANGE = -2
"""Label of an action that the model does not know."""


@dataclass(slots=True)
class Judged:
    """What is collected while streams run.

    Attributes:
        tallies: (way, who) -> one a stream.
        known: Scores of actions that the model knows: the highest of their windows, and minus the least distance.
        strange: Likewise of actions that it does not know.
        claimed: Way -> how many of these got an event.
        timelines: What happened, for a picture.
    """

    tallies: dict[tuple[str, str], list[Tally]] = field(default_factory=dict)
    known: list[tuple[float, float]] = field(default_factory=list)
    strange: list[tuple[float, float]] = field(default_factory=list)
    claimed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    timelines: list[dict[str, Any]] = field(default_factory=list)

    def of(self, way: str, *, is_background: bool) -> dict[str, list[Tally]]:
        """Returns the tallies of each person."""
        return {
            who: rows
            for (key, who), rows in self.tallies.items()
            if key == way and (who == BACKGROUND) == is_background
        }


def judge(streams: Iterable[Stream], recognizer: Recognizes, judged: Judged | None = None) -> Judged:
    """Runs streams and adds what came of them."""
    judged = judged or Judged()
    for stream in streams:
        outcomes = run(stream, recognizer)
        groups: dict[tuple[str, int], list[Outcome]] = {}
        for outcome in outcomes:
            who = stream.who_is(outcome.person)
            # Several tracking ids are one person's parts, but those who do nothing known are anybody, side by side.
            groups.setdefault((who, outcome.person if who == BACKGROUND else 0), []).append(outcome)
        for (who, _), own in groups.items():
            _judge_one(judged, stream, who, own, recognizer.card)
    return judged


def segments(actions: Iterable[Action], card: ModelCard) -> list[Segment]:
    """Returns actions with the card's indices for labels, ``STRANGE`` for those that it does not know."""
    actions_known = set(card.actions)
    return [
        Segment(one.start_s, one.end_s, card.labels.index(one.label) if one.label in actions_known else STRANGE)
        for one in actions
    ]


def _judge_one(judged: Judged, stream: Stream, who: str, outcomes: Sequence[Outcome], card: ModelCard) -> None:
    done = segments((action for action in stream.truth if stream.who_is(action.person) == who), card)
    truth = [one for one in done if one.label != STRANGE]
    strange = [one for one in done if one.label == STRANGE]
    ways = {
        "engine": ([event for one in outcomes for event in one.events], _shown([one.shown for one in outcomes])),
        "argmax": (
            [event for one in outcomes for event in one.plain_events],
            _shown([one.plain_shown for one in outcomes]),
        ),
    }
    for way, (found, shown) in ways.items():
        counted = tally(truth, found, shown, strange=strange)
        judged.tallies.setdefault((way, who), []).append(counted)
        judged.claimed[way] += sum(_is_claimed(one, shown) for one in strange)
    for one in done:
        score = _score(one, [outcome.answers for outcome in outcomes], card)
        if score is not None:
            (judged.strange if one.label == STRANGE else judged.known).append(score)
    judged.timelines.append(
        {
            "stream": stream.name,
            "who": who,
            "seconds": round(stream.recording.duration_s, 3),
            "truth": [_row(one, card) for one in done],
            **{way: [_row(one, card) for one in found] for way, (found, _) in ways.items()},
        }
    )


def _shown(parts: Sequence[Shown]) -> Shown:
    """What was shown of one person under several tracking ids, in order of time."""
    times_s, labels = (
        np.concatenate([part.times_s for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    order = np.argsort(times_s, kind="stable")
    return Shown(times_s[order], labels[order])


def _is_claimed(one: Segment, shown: Shown) -> bool:
    rows = slice(*np.searchsorted(shown.times_s, [one.start_s, one.end_s + LATE_S]))
    return bool((shown.labels[rows] != NOTHING).any())


def _score(one: Segment, answers: Sequence[Answers], card: ModelCard) -> tuple[float, float] | None:
    """How well known an action looks: the highest probability of an action in its windows, minus the least distance.

    Its windows are those that end from its start to ``LATE_S`` after its end.
    """
    actions = [card.labels.index(label) for label in card.actions]
    centers = np.array(card.feature_centers)
    best = []
    for part in answers:
        rows = slice(*np.searchsorted(part.times_s, [one.start_s, one.end_s + LATE_S]))
        if not len(part.times_s[rows]):
            continue
        away = part.embeddings[rows][:, None] - centers if len(centers) else np.zeros((1, 1, 1))
        distance = float(np.linalg.norm(away, axis=2).min()) / card.feature_scale
        best.append((float(part.probabilities[rows][:, actions].max()), -distance))
    return max(best) if best else None


def _row(one: Segment, card: ModelCard) -> list[Any]:
    label = "unknown" if one.label == STRANGE else card.labels[one.label]
    return [round(one.start_s, 3), round(one.end_s, 3), label]


def result_of(judged: Judged, card: ModelCard, model: Path) -> dict[str, Any]:
    """Returns the numbers of all streams, of each person, of scenes of nothing and of unknown actions."""
    result: dict[str, Any] = {
        "model": model.name,
        "name": card.name,
        "span_s": card.span_s,
        "lag_s": card.about_s,
        "labels": list(card.labels),
    }
    for way in WAYS:
        people = judged.of(way, is_background=False)
        result[way] = measures([row for rows in people.values() for row in rows])
        scenes_of_nothing = judged.of(way, is_background=True)
        if scenes_of_nothing:
            result[way]["background"] = background_measures(
                [row for rows in scenes_of_nothing.values() for row in rows]
            )
    result["per_person"] = [
        {"person": who, **{way: measures(judged.of(way, is_background=False)[who]) for way in WAYS}}
        for who in judged.of("engine", is_background=False)
    ]
    if judged.strange and judged.known:
        result["unknown"] = _unknown(judged, card)
    result["timelines"] = judged.timelines
    return result


def _unknown(judged: Judged, card: ModelCard) -> dict[str, Any]:
    known, strange = np.array(judged.known), np.array(judged.strange)
    rows: dict[str, Any] = {"known": len(known), "unknown": len(strange)}
    for column, name in enumerate(("score", "distance")):
        if name == "score" or card.feature_centers:
            rows[name] = {
                "auroc": rounded(auroc(known[:, column], strange[:, column])),
                "fpr_at_95": rounded(fpr_at_95(known[:, column], strange[:, column])),
            }
    return rows | {"claimed": {way: rounded(judged.claimed[way] / len(strange)) for way in WAYS}}
