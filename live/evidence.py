"""Which joints speak for a class: how much its score falls when a joint is hidden. No threads, no clock.

    falls = evidence(recognizer, window, label=3)  # (V,), all copies in one run of the model

A joint is hidden in every frame of the window (``seen`` is 0), as if the sensor had never found it. What the network
then takes in its place is the network's own business: ours lets it stand where the center joint is. So the measure
asks what the *joint* adds to a body that goes on without it. For the joints that define the body's axes (center,
shoulders, chest) it also asks what knowing the axes adds, since without them the body is centered on another place,
not turned, or of a typical size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from live.engine import Decided, Recognizes
from live.view import PersonState
from skeleton.window import Window


def without(window: Window, joints: Iterable[int], *, person: int = 0) -> Window:
    """Returns the window with some joints of one person never seen."""
    seen = window.seen.copy()
    seen[person][:, list(joints)] = False
    return dataclasses.replace(window, seen=seen)


def evidence(
    recognizer: Recognizes, window: Window, label: int, *, probability: float | None = None, person: int = 0
) -> np.ndarray:
    """Returns how much the probability of a class falls with each joint hidden, in one run of the model.

    Args:
        recognizer: The model.
        window: What it saw.
        label: Index of the class.
        probability: What it answered for that class; None asks again in the same run.
        person: Whose joints are hidden.

    Returns:
        (V,) float32, -1..1: above 0 the joint speaks for the class, below 0 against it.
    """
    inquiry = Inquiry(Question(0, "", label, window, probability, person))
    inquiry.go_on(recognizer)
    return inquiry.falls


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What shall be explained.

    Attributes:
        body_id: Tracking id of the person.
        name: The class, as it is shown.
        label: Its index.
        window: What the model saw.
        probability: What it answered for the class; None if that is not known.
        person: Whose joints are hidden, of the window's M persons.
    """

    body_id: int
    name: str
    label: int
    window: Window
    probability: float | None = None
    person: int = 0


@dataclass(slots=True, eq=False)
class Inquiry:
    """A question on its way to an answer: in one run of the model, or in several smaller ones.

    Attributes:
        question: What is asked.
        scores: (V,) probability of the class without each joint, as far as they are known.
        done: How many are known.
    """

    question: Question
    scores: np.ndarray = field(init=False)
    done: int = 0

    def __post_init__(self) -> None:
        self.scores = np.zeros(self.question.window.seen.shape[2], dtype=np.float32)

    @property
    def left(self) -> int:
        """Joints whose answer is not known yet."""
        return len(self.scores) - self.done

    @property
    def falls(self) -> np.ndarray:
        """(V,) by how much the class's probability falls without each joint."""
        assert self.question.probability is not None and not self.left
        return np.float32(self.question.probability) - self.scores

    def go_on(self, recognizer: Recognizes, most: int | None = None) -> None:
        """Asks about the next joints, at most ``most`` of them, in one run of the model."""
        asked = self.question
        end = len(self.scores) if most is None else min(len(self.scores), self.done + most)
        copies = [without(asked.window, [joint], person=asked.person) for joint in range(self.done, end)]
        is_known = asked.probability is not None
        answers = recognizer.recognize(copies if is_known else [asked.window, *copies])
        found = [float(answer.probabilities[asked.label]) for answer in answers]
        if not is_known:
            self.question = dataclasses.replace(asked, probability=found.pop(0))
        self.scores[self.done : end] = found
        self.done = end


def questions(decided: Decided, labels: Sequence[str]) -> list[Question]:
    """Returns what may be explained after a decision: of everybody with an action, why it is this one."""
    asked = {window.body_ids: place for place, window in enumerate(decided.windows)}
    acting = {body_id: pair.body_ids for pair in decided.pairs if pair.label for body_id in pair.body_ids}
    result = []
    for one in decided.people:
        who: tuple[int, ...] = acting.get(one.body_id, (one.body_id,))
        if one.state is PersonState.ACTION and one.label is not None and who in asked:
            place, label = asked[who], labels.index(one.label)
            probability = float(decided.recognitions[place].probabilities[label])
            window, person = decided.windows[place], who.index(one.body_id)
            result.append(Question(one.body_id, one.label, label, window, probability, person))
    return result
