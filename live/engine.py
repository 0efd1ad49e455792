"""Frames in, people and their actions out: history, recognizer and decisions of one source, without a thread.

The pipeline calls ``observe`` in the source's thread and ``decide`` in the recognizer's; offline both are called
for one frame after the other. So what is recognized live is what is recognized offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calibration.leveling import Leveler, Leveling
from live.decision import DecisionConfig, PersonDecision
from live.history import History, Presence
from live.sources.base import SourceInfo
from live.view import ActionEvent, ModelInfo, PersonState, PersonView, Recognition
from models.card import ModelCard
from skeleton.frames import BodyFrame
from skeleton.layout import Layout
from skeleton.window import Window

MOST_NUMBERS = 4096
"""People whose number is remembered. The sensor gives a new id to everybody who returns."""


class Recognizes(Protocol):
    """What the engine and the pipeline ask of a recognizer (see ``live.recognizer.Recognizer``)."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def info(self) -> ModelInfo: ...

    @property
    def warning(self) -> str | None: ...

    def recognize(self, windows: Sequence[Window]) -> list[Recognition]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A frame that was added to the history.

    Attributes:
        frame: The frame.
        generation: Changes when the source's clock jumped backwards.
        leveling: What was known of the floor then; None for a model that takes joints as the sensor sees them.
    """

    frame: BodyFrame
    generation: int
    leveling: Leveling | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What is known after a frame.

    Attributes:
        people: Everybody in view or lost a moment ago, by number.
        events: What started or ended, oldest first.
        recognitions: The model's answers behind it.
        windows: What the model saw for each of them.
        trouble: A sentence about the floor, while people are not recognized for want of one or a calibration does
            not fit; otherwise empty.
    """

    people: tuple[PersonView, ...]
    events: tuple[ActionEvent, ...]
    recognitions: tuple[Recognition, ...] = ()
    windows: tuple[Window, ...] = ()
    trouble: str = ""


@dataclass(slots=True)
class _Person:
    decision: PersonDecision
    last_seen_s: float


def fitting_joints(card: ModelCard, layout: Layout) -> np.ndarray:
    """Returns for each of the model's joints its index in the source's layout.

    Raises:
        ModelContractError: The layout lacks joints that the model needs.
    """
    return layout.select(card.joints)


def leveler_for(card: ModelCard, info: SourceInfo) -> Leveler | None:
    """Returns what finds the source's floor, for a model that expects leveled joints; None for any other."""
    if not card.expects_leveled:
        return None
    return Leveler(sensor_id=info.sensor_id, layout=info.layout, recorded=info.floor)


class Engine:
    """Recognizes the people of one source.

    ``observe`` and ``reset`` belong to one thread, ``decide`` and ``finish`` to one other or the same.

    Args:
        recognizer: The model.
        layout: The source's joints.
        config: When actions start and end.
        origin_s: Sensor time that events count from; None takes the first frame's.
        leveler: What finds the floor; None for a model that takes joints as the sensor sees them.

    Raises:
        ModelContractError: The layout lacks joints that the model needs.
        ValueError: The model expects leveled joints, and there is no leveler.
    """

    def __init__(
        self,
        recognizer: Recognizes,
        layout: Layout,
        *,
        config: DecisionConfig | None = None,
        origin_s: float | None = None,
        leveler: Leveler | None = None,
    ) -> None:
        card = recognizer.card
        if card.expects_leveled and leveler is None:
            raise ValueError(f"the model '{card.name}' expects leveled joints, so the engine needs a leveler")
        self._leveler = leveler if card.expects_leveled else None
        self._recognizer = recognizer
        self._config = config or DecisionConfig()
        self._rules = self._config.rules(card)
        self._joint_indices = fitting_joints(card, layout)
        self._joint_count = len(layout)
        self._history = History(self._joint_indices, span_s=card.span_s, frame_count=card.frames)
        self._origin_s = origin_s
        self._generation = 0
        self._people: dict[int, _Person] = {}
        self._numbers: dict[int, int] = {}
        self._next_number = 1

    def observe(self, frame: BodyFrame) -> Observation | None:
        """Adds a frame to the history; None for a frame that repeats the time of the one before."""
        if self._origin_s is None:
            self._origin_s = frame.time_s
        leveling = self._leveler.add(frame) if self._leveler is not None else None
        generation = self._history.append(frame)
        return None if generation is None else Observation(frame, generation, leveling)

    def level_by(self, leveler: Leveler | None) -> None:
        """Takes another leveler into use from the next frame on: the sensor was calibrated meanwhile."""
        if self._leveler is not None and leveler is not None:
            self._leveler = leveler

    def reset(self) -> None:
        """Forgets what was observed: the next frame has nothing to do with it (a seek)."""
        self._history.clear()

    def decide(self, observation: Observation) -> Decided | None:
        """Recognizes everybody in a frame, in one run, and moves their decisions on.

        Frames may be left out, but not taken twice or in another order.

        Returns:
            None when the frame is no longer of interest: the source's clock jumped after it, or went far ahead.
        """
        frame, leveling = observation.frame, observation.leveling
        floor = leveling.floor if leveling is not None else None
        snapshot = self._history.snapshot(frame, observation.generation, floor=floor)
        if snapshot is None:
            return None
        events: list[ActionEvent] = []
        if observation.generation != self._generation:
            events += self.finish()
            self._generation = observation.generation
        # Joints as the sensor sees them are rubbish to a model that expects leveled ones: better no answer at all.
        is_held_back = leveling is not None and floor is None
        windows = () if is_held_back else snapshot.windows
        recognitions = tuple(self._recognizer.recognize(windows))
        answers = {recognition.body_ids[0]: recognition for recognition in recognitions}
        people = [self._view(body, answers.get(body.body_id), events, is_held_back) for body in snapshot.bodies]
        events += self._end_forgotten({body.body_id for body in snapshot.bodies})
        people.sort(key=lambda person: person.person)
        trouble = leveling.trouble if leveling is not None else ""
        if is_held_back and snapshot.windows:
            trouble = " ".join([self._no_floor(), trouble]).strip()
        return Decided(tuple(people), tuple(events), recognitions, windows, trouble)

    def finish(self) -> tuple[ActionEvent, ...]:
        """Ends every action that goes on, at the time its person was last seen."""
        return self._end_forgotten(set())

    def on_source_joints(self, values: np.ndarray) -> np.ndarray:
        """Returns the values of the model's joints at the source's joints, NaN where the model has no such joint."""
        result = np.full(self._joint_count, np.nan, dtype=np.float32)
        result[self._joint_indices] = values
        return result

    def _no_floor(self) -> str:
        return (
            f"The model '{self._recognizer.card.name}' needs heights above the floor, but the floor is not known, so "
            "nobody is recognized. Let a person stand upright in full view for two seconds, or calibrate the sensor."
        )

    def _view(
        self, body: Presence, answer: Recognition | None, events: list[ActionEvent], is_held_back: bool
    ) -> PersonView:
        number = self._number(body.body_id)
        person = self._people.get(body.body_id)
        if answer is None or not body.is_in_view:
            if person is not None:  # gone, or gone and back too quickly to be noticed before
                events += person.decision.leave(self._since_origin(person.last_seen_s))
            state = PersonState.WARMING_UP if body.is_in_view else PersonState.LOST
            if is_held_back and body.is_in_view and body.warm_up >= 1.0:
                state = PersonState.NO_FLOOR
            return PersonView(body.body_id, number, state, warm_up=body.warm_up)
        if person is None:
            person = self._people[body.body_id] = _Person(self._new_decision(body.body_id, number), body.last_seen_s)
        person.last_seen_s = body.last_seen_s
        verdict = person.decision.update(self._since_origin(body.last_seen_s), answer.probabilities, answer.embedding)
        events += verdict.events
        return PersonView(
            body_id=body.body_id,
            person=number,
            state=verdict.state,
            label=verdict.label,
            confidence=verdict.confidence,
            warm_up=1.0,
            probabilities=verdict.probabilities,
            joint_attention=self.on_source_joints(np.abs(answer.joint_attention[0])),
            frame_attention=np.abs(answer.frame_attention[0]),
        )

    def _end_forgotten(self, known: set[int]) -> tuple[ActionEvent, ...]:
        events: tuple[ActionEvent, ...] = ()
        for body_id in [key for key in self._people if key not in known]:
            person = self._people.pop(body_id)
            events += person.decision.leave(self._since_origin(person.last_seen_s))
        return events

    def _new_decision(self, body_id: int, number: int) -> PersonDecision:
        return PersonDecision(body_id=body_id, person=number, rules=self._rules, config=self._config)

    def _number(self, body_id: int) -> int:
        """The person's number: counted from 1 in the order of appearance, kept over seeks and loops."""
        if body_id not in self._numbers:
            if len(self._numbers) >= MOST_NUMBERS:
                del self._numbers[next(iter(self._numbers))]
            self._numbers[body_id] = self._next_number
            self._next_number += 1
        return self._numbers[body_id]

    def _since_origin(self, time_s: float) -> float:
        return time_s - (self._origin_s or 0.0)
