"""From probabilities over time to actions that start and end: a state machine for each person, without a clock.

Probabilities are smoothed over *seconds*, so that a slow sensor and a fast one decide alike. An action starts when
its smoothed probability has stayed at or above the upper threshold for a while, and ends when it falls below the
lower one; then the same action does not start again at once. Between the two thresholds nothing changes, so a
probability that trembles about one of them does not make a label blink.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from live.view import ActionEvent
from models.card import ModelCard
from skeleton.config import setting


@dataclass(frozen=True, slots=True)
class DecisionConfig:
    """When an action is said to start and to end."""

    smoothing_s: float = setting(0.2, "time constant of the smoothing of probabilities, seconds; 0 does not smooth")
    enter_threshold: float = setting(0.0, "smoothed probability at which an action starts; 0 takes the model's own")
    exit_threshold: float = setting(0.0, "smoothed probability below which it ends; 0 takes the model's own")
    min_duration_s: float = setting(0.3, "how long an action must hold before it is reported, seconds")
    cool_down_s: float = setting(0.5, "after an action ended, the same one cannot start for so long, seconds")

    def __post_init__(self) -> None:
        for name in ("smoothing_s", "min_duration_s", "cool_down_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be a number of seconds from 0, found {getattr(self, name)}")
        for name in ("enter_threshold", "exit_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, found {getattr(self, name)}")
        if 0 < self.enter_threshold < self.exit_threshold:
            raise ValueError("exit_threshold must not exceed enter_threshold")

    def thresholds(self, card: ModelCard) -> tuple[float, float]:
        """Returns the (enter, exit) thresholds in use: these settings, where 0 the card's, exit at most enter."""
        enter = self.enter_threshold or card.enter_threshold
        return enter, min(enter, self.exit_threshold or card.exit_threshold)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What is decided for one person at one time.

    Attributes:
        label: The action that goes on, or None.
        confidence: Smoothed probability of ``label``, or of the best class without one.
        probabilities: (K,) smoothed.
        events: What started or ended just now, oldest first.
    """

    label: str | None
    confidence: float
    probabilities: np.ndarray
    events: tuple[ActionEvent, ...] = ()


@dataclass(slots=True)
class _Action:
    """An action that goes on, with the time integral of its probability for the mean."""

    label: int
    start_s: float
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
        body_id: Tracking id, for the events.
        person: The person's small number, for the events.
        labels: K class names.
        thresholds: Enter and exit.
        config: The rest of the settings.
    """

    def __init__(
        self,
        *,
        body_id: int,
        person: int,
        labels: Sequence[str],
        thresholds: tuple[float, float],
        config: DecisionConfig,
    ) -> None:
        self._body_id, self._person = body_id, person
        self._labels = labels
        self._enter, self._exit = thresholds
        self._config = config
        self._time_s: float | None = None
        self._smoothed: np.ndarray = np.zeros(len(labels))
        self._candidate: tuple[int, float] | None = None  # class, since when
        self._action: _Action | None = None
        self._ended: dict[int, float] = {}  # class, when its last action ended

    def update(self, time_s: float, probabilities: np.ndarray) -> Verdict:
        """Takes the model's answer at a time.

        Args:
            time_s: Later than at the last call.
            probabilities: (K,).
        """
        step_s = 0.0 if self._time_s is None else time_s - self._time_s
        self._smooth(probabilities, step_s)
        self._time_s = time_s
        if self._action is not None:
            self._action.extend(float(self._smoothed[self._action.label]), step_s)
        self._follow_candidate(time_s)
        events = [*self._end_if_over(time_s), *self._start_if_due(time_s)]
        return self._verdict(tuple(events))

    def leave(self, time_s: float) -> tuple[ActionEvent, ...]:
        """Ends the action, because the person is gone; the smoothing starts anew when the person returns."""
        self._time_s, self._candidate = None, None
        return self._end(time_s)

    def _smooth(self, probabilities: np.ndarray, step_s: float) -> None:
        constant_s = self._config.smoothing_s
        weight = 1.0 if self._time_s is None or constant_s <= 0 else 1.0 - math.exp(-step_s / constant_s)
        self._smoothed = self._smoothed + weight * (np.asarray(probabilities, dtype=float) - self._smoothed)

    def _follow_candidate(self, time_s: float) -> None:
        best = int(np.argmax(self._smoothed))
        if self._smoothed[best] < self._enter:
            self._candidate = None
        elif self._candidate is None or self._candidate[0] != best:
            self._candidate = (best, time_s)

    def _end_if_over(self, time_s: float) -> tuple[ActionEvent, ...]:
        if self._action is None:
            return ()
        is_over = self._smoothed[self._action.label] < self._exit
        is_replaced = (
            self._candidate is not None and self._candidate[0] != self._action.label and self._is_due(time_s)
        )
        return self._end(time_s) if is_over or is_replaced else ()

    def _start_if_due(self, time_s: float) -> tuple[ActionEvent, ...]:
        if self._action is not None or self._candidate is None or not self._is_due(time_s):
            return ()
        label, since_s = self._candidate
        # An action cannot have begun before the one it follows was over.
        start_s = max(since_s, *self._ended.values()) if self._ended else since_s
        self._action = _Action(label, start_s, latest=float(self._smoothed[label]))
        return (self._event(self._action, end_s=None),)

    def _is_due(self, time_s: float) -> bool:
        """Whether the candidate has held for long enough, and was not ended just before."""
        if self._candidate is None:
            return False
        label, since_s = self._candidate
        slack_s = 1e-6  # sums of 1/30 s steps do not come out exactly
        has_held = time_s - since_s >= self._config.min_duration_s - slack_s
        has_rested = time_s - self._ended.get(label, -math.inf) >= self._config.cool_down_s - slack_s
        return has_held and has_rested

    def _end(self, time_s: float) -> tuple[ActionEvent, ...]:
        action, self._action = self._action, None
        if action is None:
            return ()
        self._ended[action.label] = time_s
        return (self._event(action, end_s=time_s),)

    def _event(self, action: _Action, *, end_s: float | None) -> ActionEvent:
        return ActionEvent(
            body_id=self._body_id,
            person=self._person,
            label=self._labels[action.label],
            start_s=action.start_s,
            end_s=end_s,
            confidence=action.confidence,
        )

    def _verdict(self, events: tuple[ActionEvent, ...]) -> Verdict:
        shown = int(np.argmax(self._smoothed)) if self._action is None else self._action.label
        smoothed = self._smoothed.astype(np.float32)
        smoothed.setflags(write=False)
        return Verdict(
            label=None if self._action is None else self._labels[shown],
            confidence=float(self._smoothed[shown]),
            probabilities=smoothed,
            events=events,
        )
