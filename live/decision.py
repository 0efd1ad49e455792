"""From probabilities over time to actions that start and end: a state machine for each person, without a clock.

Probabilities are smoothed over *seconds*, so that a slow sensor and a fast one decide alike. At each moment the
smoothed answer may make a claim: for the best class where it reaches its upper threshold, or for "unknown" where the
unknown rule holds. A claim counts once it has held for a while. A claim for an action starts it, and one for anything
else ends the action that goes on; so does its probability below its lower threshold. Then the same action does not
start again at once. Between the two thresholds nothing changes, so a probability that trembles about one of them does
not make a label blink. The background class is claimed like any other, but is never an action.

An answer is about a moment that is past: the model's card says by how much, and smoothing adds its time constant.
Events say when an action was done, so their times lie that much before the answers that started and ended them. Where
no answer ended an action, because nobody was there any more to look at, it lasted until the last look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from live.decision_rules import DecisionRules
from live.view import ActionEvent, PersonState
from models.card import ModelCard
from skeleton.config import setting

UNKNOWN = -2
"""What is claimed, in place of a class, while the unknown rule holds."""
MOST_IDS = 16
"""Changes of the tracking id that are remembered, to say which one an action began under."""
SLACK_S = 1e-6
"""Sums of 1/30 s steps do not come out exactly."""


@dataclass(frozen=True, slots=True)
class DecisionConfig:
    """When an action is said to start and to end."""

    smoothing_s: float = setting(0.4, "time constant of the smoothing of probabilities, seconds; 0 does not smooth")
    enter_threshold: float = setting(0.0, "smoothed probability at which an action starts; 0 takes the model's own")
    exit_threshold: float = setting(0.0, "smoothed probability below which it ends; 0 takes the model's own")
    min_duration_s: float = setting(0.3, "how long an action must hold before it is reported, seconds")
    cool_down_s: float = setting(0.5, "after an action ended, the same one cannot start for so long, seconds")
    pair_join_m: float = setting(1.5, "two people this near each other on the floor may act together, meters")
    pair_part_m: float = setting(2.0, "and no longer from this distance on, meters")

    def __post_init__(self) -> None:
        for name in ("smoothing_s", "min_duration_s", "cool_down_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be a number of seconds from 0, found {getattr(self, name)}")
        for name in ("enter_threshold", "exit_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, found {getattr(self, name)}")
        if 0 < self.enter_threshold < self.exit_threshold:
            raise ValueError("exit_threshold must not exceed enter_threshold")
        if not 0 < self.pair_join_m <= self.pair_part_m < math.inf:
            raise ValueError("pair_join_m must be above 0 and not exceed pair_part_m")

    def rules(self, card: ModelCard) -> DecisionRules:
        """Returns the rules in use: these thresholds, and where they are 0 the card's."""
        return DecisionRules.of(
            card,
            enter_threshold=self.enter_threshold,
            exit_threshold=self.exit_threshold,
            smoothing_s=self.smoothing_s,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What is decided for one person at one time.

    Attributes:
        state: ACTION, UNKNOWN or NOTHING.
        label: The action that goes on, or None.
        confidence: Smoothed probability of ``label``, or of the best class without one.
        probabilities: (K,) smoothed.
        distance: Smoothed feature distance, see ``DecisionRules.distance``; 0 without centers.
        events: What started or ended just now, oldest first.
    """

    state: PersonState
    label: str | None
    confidence: float
    probabilities: np.ndarray
    distance: float = 0.0
    events: tuple[ActionEvent, ...] = ()


@dataclass(slots=True)
class _Action:
    """An action that goes on, with the time integral of its probability for the mean."""

    label: int
    start_s: float
    body_id: int
    area: float = 0.0
    duration_s: float = 0.0
    latest: float = 0.0

    def extend(self, probability: float, step_s: float) -> None:
        self.area += probability * step_s
        self.duration_s += step_s
        self.latest = probability

    @property
    def confidence(self) -> float:
        return self.area / self.duration_s if self.duration_s > 0 else self.latest


class PersonDecision:
    """The state machine of one person. All times are seconds on one clock that does not go backwards.

    Args:
        body_id: Tracking id, set anew when it changes; an event carries the one at its start.
        person: The person's small number, for the events.
        rules: Thresholds, background and unknown rule.
        config: The rest of the settings.
    """

    def __init__(self, *, body_id: int, person: int, rules: DecisionRules, config: DecisionConfig) -> None:
        self.body_id, self._person = body_id, person
        self._rules, self._config = rules, config
        self._ids: list[tuple[float, int]] = []  # since when which tracking id, oldest first
        self._time_s: float | None = None
        self._smoothed = [0.0] * len(rules.labels)  # a list: of a dozen classes arrays are slower
        self._distance = 0.0
        self._claim: tuple[int, float] | None = None  # class or UNKNOWN, since when
        self._action: _Action | None = None
        self._ended: dict[int, float] = {}  # class, when its last action ended

    def update(self, time_s: float, probabilities: np.ndarray, embedding: np.ndarray | None = None) -> Verdict:
        """Takes the model's answer at a time.

        Args:
            time_s: Later than at the last call.
            probabilities: (K,).
            embedding: (E,); None counts as one in a center.
        """
        step_s = 0.0 if self._time_s is None else time_s - self._time_s
        self._smooth(probabilities, 0.0 if embedding is None else self._rules.distance(embedding), step_s)
        self._time_s = time_s
        if not self._ids or self._ids[-1][1] != self.body_id:
            self._ids = [*self._ids[-MOST_IDS:], (time_s, self.body_id)]
        best = self._smoothed.index(max(self._smoothed))
        if self._action is not None:
            self._action.extend(self._smoothed[self._action.label], step_s)
        self._follow_claim(best, time_s)
        events = [*self._end_if_over(time_s), *self._start_if_due(time_s)]
        return self._verdict(time_s, best, tuple(events))

    def leave(self, time_s: float) -> tuple[ActionEvent, ...]:
        """Ends the action at the last look, because the person is gone; the smoothing starts anew on a return."""
        return self.give_way(time_s + self._rules.late_s)

    def give_way(self, time_s: float) -> tuple[ActionEvent, ...]:
        """Ends the action, because the answer at ``time_s`` is that something else goes on; smoothing starts anew."""
        self._time_s, self._claim = None, None
        return self._end(time_s)

    def _smooth(self, probabilities: np.ndarray, distance: float, step_s: float) -> None:
        constant_s = self._config.smoothing_s
        weight = 1.0 if self._time_s is None or constant_s <= 0 else 1.0 - math.exp(-step_s / constant_s)
        pairs = zip(self._smoothed, probabilities.tolist())
        self._smoothed = [before + weight * (now - before) for before, now in pairs]
        self._distance += weight * (distance - self._distance)

    def _follow_claim(self, best: int, time_s: float) -> None:
        probability = self._smoothed[best]
        if self._rules.is_unknown(probability, self._distance):
            best = UNKNOWN
        elif probability < self._rules.enter[best]:
            self._claim = None
            return
        if self._claim is None or self._claim[0] != best:
            self._claim = (best, time_s)

    def _end_if_over(self, time_s: float) -> tuple[ActionEvent, ...]:
        if self._action is None:
            return ()
        label = self._action.label
        is_over = self._smoothed[label] < self._rules.exit[label]
        is_replaced = self._claim is not None and self._claim[0] != label and self._is_due(time_s)
        return self._end(time_s) if is_over or is_replaced else ()

    def _start_if_due(self, time_s: float) -> tuple[ActionEvent, ...]:
        if self._action is not None or self._claim is None or not self._is_due(time_s):
            return ()
        label, since_s = self._claim
        if label in (UNKNOWN, self._rules.background):
            return ()
        # An action cannot have begun before the one it follows was over.
        start_s = max(since_s, *self._ended.values()) if self._ended else since_s
        self._action = _Action(
            label, start_s, self._id_at(start_s - self._rules.late_s), latest=self._smoothed[label]
        )
        return (self._event(self._action, end_s=None),)

    def _id_at(self, time_s: float) -> int:
        """The tracking id at a time; the first that is known where that is earlier."""
        return next((body_id for since_s, body_id in reversed(self._ids) if since_s <= time_s), self._ids[0][1])

    def _is_due(self, time_s: float) -> bool:
        """Whether the claim has held for long enough, and is not for an action that ended just before."""
        if self._claim is None:
            return False
        label, since_s = self._claim
        has_held = time_s - since_s >= self._config.min_duration_s - SLACK_S
        has_rested = time_s - self._ended.get(label, -math.inf) >= self._config.cool_down_s - SLACK_S
        return has_held and has_rested

    def _end(self, time_s: float) -> tuple[ActionEvent, ...]:
        action, self._action = self._action, None
        if action is None:
            return ()
        self._ended[action.label] = time_s
        return (self._event(action, end_s=time_s),)

    def _event(self, action: _Action, *, end_s: float | None) -> ActionEvent:
        return ActionEvent(
            body_id=action.body_id,
            person=self._person,
            label=self._rules.labels[action.label],
            start_s=action.start_s - self._rules.late_s,
            end_s=None if end_s is None else end_s - self._rules.late_s,
            confidence=action.confidence,
        )

    def _verdict(self, time_s: float, best: int, events: tuple[ActionEvent, ...]) -> Verdict:
        shown, state = best, PersonState.NOTHING
        if self._action is not None:
            shown, state = self._action.label, PersonState.ACTION
        elif self._claim is not None and self._claim[0] == UNKNOWN and self._is_due(time_s):
            state = PersonState.UNKNOWN
        smoothed = np.array(self._smoothed, dtype=np.float32)
        smoothed.setflags(write=False)
        return Verdict(
            state=state,
            label=None if self._action is None else self._rules.labels[shown],
            confidence=self._smoothed[shown],
            probabilities=smoothed,
            distance=self._distance,
            events=events,
        )
