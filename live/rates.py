"""How often and how long, over the last two seconds or while an action lasts; with bounded memory."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable

import numpy as np

from live.view import ActionEvent, PersonState, PersonView

SPAN_S = 2.0
KEPT_S = 2 * SPAN_S
"""Kept a little longer, for who asks with a time that is not quite now."""
MOST_SAMPLES = 1024
"""A replay as fast as possible makes thousands a second; the newest of them say enough."""


class RecentTimes:
    """Moments of the last two seconds, each with a value."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=MOST_SAMPLES)

    def add(self, now_s: float, value: float = 0.0) -> None:
        """Notes something that happened at ``now_s``."""
        self._samples.append((now_s, value))
        while now_s - self._samples[0][0] > KEPT_S:  # what is asked ten times a frame must be short
            self._samples.popleft()

    def per_second(self, now_s: float) -> float:
        """Returns how often it happened a second; 0 for fewer than two times."""
        times = [time_s for time_s, _ in self._recent(now_s)]
        if len(times) < 2:
            return 0.0
        # Counted to now, not to the last one: a source that stops is seen to slow down.
        return (len(times) - 1) / max(times[-1] - times[0], (now_s - times[0]) * (len(times) - 1) / len(times), 1e-6)

    def percentiles(self, now_s: float, *shares: float) -> tuple[float, ...] | None:
        """Returns percentiles (0..100) of the values; None when there are none."""
        values = [value for _, value in self._recent(now_s)]
        return tuple(map(float, np.percentile(values, shares))) if values else None

    def _recent(self, now_s: float) -> list[tuple[float, float]]:
        return [sample for sample in list(self._samples) if now_s - sample[0] <= SPAN_S]


class EventLatencies:
    """The mean latency of the decisions that each action lasted for; of actions that go on, nothing else is kept."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[float, int]] = {}  # person -> milliseconds, decisions

    def note(
        self, people: Iterable[PersonView], events: Iterable[ActionEvent], latency_ms: float
    ) -> tuple[ActionEvent, ...]:
        """Notes a decision and returns its events with their mean latency.

        Args:
            people: Everybody, after it.
            events: What it started and ended.
            latency_ms: From the frame received to the decision.
        """
        told = []
        started = set()
        for event in events:
            if event.end_s is None:
                self._sums[event.person] = (latency_ms, 1)
                started.add(event.person)
            told.append(self._told(event))
        for person in people:
            if person.state is PersonState.ACTION and person.person in self._sums.keys() - started:
                total_ms, count = self._sums[person.person]
                self._sums[person.person] = (total_ms + latency_ms, count + 1)
        return tuple(told)

    def end(self, events: Iterable[ActionEvent]) -> tuple[ActionEvent, ...]:
        """Returns events that ended without a decision, because their source did, with their mean latency."""
        return tuple(self._told(event) for event in events)

    def _told(self, event: ActionEvent) -> ActionEvent:
        sums = self._sums.get(event.person) if event.end_s is None else self._sums.pop(event.person, None)
        return dataclasses.replace(event, latency_ms=sums[0] / sums[1]) if sums else event
