"""Whose evidence is looked for next, and how much of it now: five times a second for all people together.

Recognition goes first. Hidden copies are run between a decision and the next frame only, in one run of the model
where that fits, otherwise in parts, so that no frame waits for them. A recording that is paused leaves all the time
there is: then everybody's evidence is brought up to the frame that is shown. No threads here, and no clock but the
one that is handed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from live.engine import Decided, Engine, Recognizes
from live.evidence import Inquiry, Question, questions
from live.rhythm import Rhythm
from live.view import JointEvidence

EVERY_S = 0.2
"""From the start of one inquiry to the next."""
SPARE_S = 0.012
"""Kept free before the next frame: sensors deliver earlier or later, and the window paints beside it, which makes
both slower. With 3 ms one decision in twenty was half as late again."""
FIRST_COPIES = 2
"""Run before it is known how long one takes."""
REMEMBERED_RUNS = 8
"""The next ones are judged by the slowest of them."""


class EvidenceRota:
    """Takes turns among the people with an action. Belongs to one thread.

    Args:
        recognizer: The model, of the same thread.
        rhythm: When the next frame comes.
        clock: Seconds.
    """

    def __init__(self, recognizer: Recognizes, rhythm: Rhythm, clock: Callable[[], float]) -> None:
        self._recognizer, self._rhythm, self._clock = recognizer, rhythm, clock
        self._engine: Engine | None = None
        self._asked: dict[int, Question] = {}
        self._found: dict[int, JointEvidence] = {}
        self._inquiry: Inquiry | None = None
        self._begun_s = -math.inf
        self._costs: deque[float] = deque(maxlen=REMEMBERED_RUNS)  # seconds a copy

    @property
    def newest(self) -> tuple[JointEvidence, ...]:
        """The newest evidence of everybody whose action still goes on."""
        return tuple(self._found.values())

    def look(self, engine: Engine, decided: Decided) -> None:
        """Takes in what was decided about a frame; evidence for a class that is not shown any more is dropped."""
        if engine is not self._engine:
            self.forget()
            self._engine = engine
        self._asked = {one.body_id: one for one in questions(decided, self._recognizer.card.labels)}
        self._found = {key: one for key, one in self._found.items() if self._is_shown(key, one.label)}
        if self._inquiry is not None and not self._is_shown(
            self._inquiry.question.body_id, self._inquiry.question.name
        ):
            self._inquiry = None

    def forget(self) -> None:
        """Drops everything: nobody is in view any more."""
        self._engine, self._inquiry = None, None
        self._asked, self._found = {}, {}

    def wait_s(self) -> float:
        """Returns how long to wait for a frame before there is something to do; infinity when there is nothing."""
        if self._inquiry is None and self._next() is None:
            return math.inf
        wait_s = max(0.0, self._begun_s + EVERY_S - self._clock()) if self._inquiry is None else 0.0
        return wait_s if self._copies_that_fit() else max(wait_s, self._rhythm.until_idle_s())

    def work(self) -> bool:
        """Runs as many hidden copies as fit before the next frame; returns whether somebody's evidence is new."""
        if self._inquiry is None:
            question = self._next()
            if question is None or self._clock() < self._begun_s + EVERY_S:
                return False
            self._inquiry, self._begun_s = Inquiry(question), self._clock()
        inquiry, most = self._inquiry, self._copies_that_fit()
        if not most:
            return False
        begun_s, before = self._clock(), inquiry.left
        inquiry.go_on(self._recognizer, most)
        self._costs.append((self._clock() - begun_s) / (before - inquiry.left))
        if inquiry.left:
            return False
        self._inquiry = None
        self._keep(inquiry)
        return True

    def _copies_that_fit(self) -> int:
        """How many copies can be run before the next frame is expected, as slowly as they were lately."""
        joints = len(self._recognizer.card.joints)
        until_next_s = self._rhythm.until_next_s()
        if math.isinf(until_next_s):
            return joints
        room_s = max(0.0, until_next_s - SPARE_S)
        if not self._costs:
            return FIRST_COPIES if room_s else 0
        # One that took long, because the computer had something else to do, must not be the last.
        least = 1 if room_s > self._rhythm.interval_s / 2 else 0
        return max(least, min(joints, int(room_s / max(self._costs))))

    def _next(self) -> Question | None:
        """Whose turn it is: whoever has none yet, then whose is the oldest; nobody whose is of the newest frame."""

        def age_of(question: Question) -> float:
            found = self._found.get(question.body_id)
            return -math.inf if found is None else found.time_s

        waiting = [one for one in self._asked.values() if age_of(one) != one.window.end_s]
        return min(waiting, key=age_of, default=None)

    def _keep(self, inquiry: Inquiry) -> None:
        asked = inquiry.question
        assert self._engine is not None
        falls = self._engine.on_source_joints(inquiry.falls)
        self._found[asked.body_id] = JointEvidence(asked.body_id, asked.name, asked.window.end_s, falls)

    def _is_shown(self, body_id: int, name: str) -> bool:
        return body_id in self._asked and self._asked[body_id].name == name
