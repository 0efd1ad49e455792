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
from live.history import History, Presence, Snapshot
from live.pairs import Pairs, Together
from live.sources.base import SourceInfo
from live.view import ActionEvent, ModelInfo, PairView, PersonState, PersonView, Recognition
from models.card import ModelCard
from skeleton.frames import BodyFrame
from skeleton.layout import Layout
from skeleton.window import Window


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
        recognitions: The model's answers behind it: about everybody alone, then about each pair, both ways.
        windows: What the model saw for each of them.
        trouble: A sentence about the floor, while people are not recognized for want of one or a calibration does
            not fit; otherwise empty.
        pairs: Everybody who stands near somebody, for a model that knows what two people do together.
    """

    people: tuple[PersonView, ...]
    events: tuple[ActionEvent, ...]
    recognitions: tuple[Recognition, ...] = ()
    windows: tuple[Window, ...] = ()
    trouble: str = ""
    pairs: tuple[PairView, ...] = ()


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

    ``observe`` and ``reset`` belong to one thread, ``decide`` and ``finish`` to one other or the same. The other may
    observe while the first one waits for it.

    Args:
        recognizer: The model.
        layout: The source's joints.
        config: When actions start and end.
        origin_s: Sensor time that events count from; None takes the first frame's.
        leveler: What finds the floor; None for a model that takes joints as the sensor sees them.
        first_person: The number of the first person.

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
        first_person: int = 1,
    ) -> None:
        card = recognizer.card
        if card.expects_leveled and leveler is None:
            raise ValueError(f"the model '{card.name}' expects leveled joints, so the engine needs a leveler")
        self._leveler = leveler if card.expects_leveled else None
        self._recognizer = recognizer
        self._config = config or DecisionConfig()
        self._rules = self._config.rules(card)
        self._pairs = Pairs.of(card, rules=self._rules, config=self._config)
        self._joint_indices = fitting_joints(card, layout)
        self._joint_count = len(layout)
        self._history = History(
            self._joint_indices,
            span_s=card.span_s,
            frame_count=card.frames,
            bones=layout.bones,
            first_person=first_person,
        )
        self._origin_s = origin_s
        self._generation = 0
        self._people: dict[int, _Person] = {}  # by number

    def observe(self, frame: BodyFrame) -> Observation | None:
        """Adds a frame to the history; None for a frame that repeats the time of the one before."""
        if self._origin_s is None:
            self._origin_s = frame.time_s
        leveling = self._leveler.add(frame) if self._leveler is not None else None
        generation = self._history.append(frame)
        return None if generation is None else Observation(frame, generation, leveling)

    @property
    def next_person(self) -> int:
        """The number of the next new person: asked by the thread that observes."""
        return self._history.next_person

    def level_by(self, leveler: Leveler | None) -> None:
        """Takes another leveler into use from the next frame on: the sensor was calibrated meanwhile."""
        if self._leveler is not None and leveler is not None:
            self._leveler = leveler

    def reset(self) -> None:
        """Forgets what was observed: the next frame has nothing to do with it (a seek)."""
        self._history.clear()

    def decide(self, observation: Observation) -> Decided | None:
        """Recognizes everybody in a frame, and everybody with whom they may act, in one run; moves decisions on.

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
        singles = () if is_held_back else snapshot.windows
        windows = (*singles, *self._windows_of_pairs(snapshot, singles, events))
        recognitions = tuple(self._recognizer.recognize(windows))
        answers = {recognition.body_ids[0]: recognition for recognition in recognitions[: len(singles)]}
        together = self._decided_pairs(recognitions[len(singles) :], frame.time_s, events)
        acting = {body_id: pair for pair in together if pair.view.label for body_id in pair.view.body_ids}
        people = [
            self._view(body, answers.get(body.body_id), acting.get(body.body_id), events, is_held_back)
            for body in snapshot.bodies
        ]
        events += self._end_forgotten({body.person for body in snapshot.bodies})
        people.sort(key=lambda person: person.person)
        if self._pairs is not None:  # who goes over to another action ends the first one first
            events.sort(key=lambda event: event.end_s is None)
        trouble = leveling.trouble if leveling is not None else ""
        if is_held_back and snapshot.windows:
            trouble = " ".join([self._no_floor(), trouble]).strip()
        pairs = tuple(pair.view for pair in together)
        return Decided(tuple(people), tuple(events), recognitions, windows, trouble, pairs)

    def finish(self) -> tuple[ActionEvent, ...]:
        """Ends every action that goes on, at the time its person was last seen."""
        parted = self._pairs.finish() if self._pairs is not None else ()
        return parted + self._end_forgotten(set())

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

    def _windows_of_pairs(
        self, snapshot: Snapshot, singles: Sequence[Window], events: list[ActionEvent]
    ) -> tuple[Window, ...]:
        if self._pairs is None:
            return ()
        windows, parted = self._pairs.ask(singles, snapshot.bodies)
        events += parted
        return windows

    def _decided_pairs(
        self, answers: Sequence[Recognition], time_s: float, events: list[ActionEvent]
    ) -> tuple[Together, ...]:
        if self._pairs is None:
            return ()
        together, news = self._pairs.decide(answers, self._since_origin(time_s))
        events += news
        return together

    def _view(
        self,
        body: Presence,
        answer: Recognition | None,
        together: Together | None,
        events: list[ActionEvent],
        is_held_back: bool,
    ) -> PersonView:
        person = self._people.get(body.person)
        if not body.is_in_view:  # the label is gone; what is decided waits, since the person may come back
            return PersonView(body.body_id, body.person, PersonState.LOST, warm_up=body.warm_up)
        if answer is None:
            if person is not None:  # gone for long and back, unnoticed because nobody decided meanwhile
                events += person.decision.leave(self._since_origin(person.last_seen_s))
            is_ready = is_held_back and body.warm_up >= 1.0
            state = PersonState.NO_FLOOR if is_ready else PersonState.WARMING_UP
            return PersonView(body.body_id, body.person, state, warm_up=body.warm_up)
        if person is None:
            person = self._people[body.person] = _Person(self._new_decision(body), body.last_seen_s)
        person.decision.body_id = body.body_id
        person.last_seen_s, now_s = body.last_seen_s, self._since_origin(body.last_seen_s)
        if together is not None:  # one thing at a time: what two do together is not also done by one of them
            events += person.decision.give_way(now_s)
            return self._view_together(body.body_id, together)
        probabilities = answer.probabilities if self._pairs is None else self._pairs.alone(answer.probabilities)
        verdict = person.decision.update(now_s, probabilities, answer.embedding)
        events += verdict.events
        return PersonView(
            body_id=body.body_id,
            person=body.person,
            state=verdict.state,
            label=verdict.label,
            confidence=verdict.confidence,
            warm_up=1.0,
            probabilities=verdict.probabilities,
            joint_attention=self.on_source_joints(np.abs(answer.joint_attention[0])),
            frame_attention=np.abs(answer.frame_attention[0]),
        )

    def _view_together(self, body_id: int, together: Together) -> PersonView:
        """A person as one of two who act together."""
        view, answer = together.view, together.answer
        place = view.body_ids.index(body_id)
        return PersonView(
            body_id=body_id,
            person=view.people[place],
            state=view.state,
            label=view.label,
            confidence=view.confidence,
            warm_up=1.0,
            probabilities=together.probabilities,
            joint_attention=self.on_source_joints(answer.joint_attention[place]),
            frame_attention=answer.frame_attention[place],
            partner=view.people[1 - place],
        )

    def _end_forgotten(self, known: set[int]) -> tuple[ActionEvent, ...]:
        events: tuple[ActionEvent, ...] = ()
        for number in [key for key in self._people if key not in known]:
            person = self._people.pop(number)
            events += person.decision.leave(self._since_origin(person.last_seen_s))
        return events

    def _new_decision(self, body: Presence) -> PersonDecision:
        return PersonDecision(body_id=body.body_id, person=body.person, rules=self._rules, config=self._config)

    def _since_origin(self, time_s: float) -> float:
        return time_s - (self._origin_s or 0.0)
