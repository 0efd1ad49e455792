"""Two people acting together: which pairs are near, what the model says of each, what is decided about it.

A model of two persons is asked about everybody alone, the second person absent, and about each pair that is near, all
in one run. The card's ``pair_labels`` say what only two can do: they count for pairs and never for one person, the
other labels the other way round. Who is person 1 must not matter, though the network takes its axes from that person:
a pair is asked about both ways, and the answer is the mean.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from live.decision import DecisionConfig, PersonDecision
from live.decision_rules import NO_CLASS, DecisionRules
from live.history import Presence
from live.view import ActionEvent, PairView, PersonState, Recognition
from models.card import ModelCard
from skeleton.window import Window

MOST_PAIRS = 6
"""Pairs of one frame: those that act, then the nearest. Of six people there are 15, and each is asked about twice."""
_HEIGHT = 1
"""The coordinate that the distance on the floor leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """What is known of a pair after a frame.

    Attributes:
        view: As it is shown.
        answer: The model's, persons in the order of ``view.body_ids``.
        probabilities: (K,) smoothed; 0 for what one person does.
    """

    view: PairView
    answer: Recognition
    probabilities: np.ndarray


@dataclass(slots=True)
class _Pair:
    """Two people who are near each other."""

    people: tuple[int, int]
    decision: PersonDecision
    body_ids: tuple[int, int] = (0, 0)
    distance_m: float = 0.0
    other_id: int = 0  # the second one's tracking id when what they do was reported
    is_acting: bool = False
    decided_s: float | None = None

    def meet(self, body_ids: tuple[int, int], distance_m: float) -> None:
        """Notes that both are in view; a person who was lost may be back under another tracking id."""
        self.body_ids, self.distance_m = body_ids, distance_m
        self.decision.body_id = body_ids[0]


class Pairs:
    """The pairs of one source, with a state machine each. Belongs to the thread that decides.

    Args:
        card: Of a model of two persons.
        rules: Its thresholds.
        config: When actions start and end, and how near people must be.
    """

    def __init__(self, card: ModelCard, *, rules: DecisionRules, config: DecisionConfig) -> None:
        self._rules, self._config = rules, config
        is_mutual = np.array([label in card.pair_labels for label in card.labels])
        is_background = np.arange(len(card.labels)) == rules.background
        self._of_two, self._of_one = is_mutual | is_background, ~is_mutual
        self._known: dict[tuple[int, int], _Pair] = {}  # by the numbers of their people
        self._asked: list[_Pair] = []

    @staticmethod
    def of(card: ModelCard, *, rules: DecisionRules, config: DecisionConfig) -> Pairs | None:
        """Returns what follows pairs, or None for a model that knows nothing that two people do."""
        return Pairs(card, rules=rules, config=config) if card.persons == 2 and card.pair_labels else None

    def ask(
        self, singles: Sequence[Window], bodies: Sequence[Presence]
    ) -> tuple[tuple[Window, ...], tuple[ActionEvent, ...]]:
        """Returns the windows of the pairs that are near, and what ended because people parted.

        While one of a pair is lost for a moment the pair waits for that person, as each person's decision does.

        Args:
            singles: The window of everybody who is recognized, of one person each.
            bodies: Everybody in view or lost a moment ago.

        Returns:
            Two windows a pair, person 1 being the one with the lower number, then the other; and the events.
        """
        number_of = {body.body_id: body.person for body in bodies}
        lost = {body.person for body in bodies if not body.is_in_view}
        windows = {number_of[window.body_ids[0]]: window for window in singles}
        waiting = {
            people: pair
            for people, pair in self._known.items()
            if not lost.isdisjoint(people) and (lost | windows.keys()).issuperset(people)
        }
        near = self._near(windows)
        parted = [pair for people, pair in self._known.items() if people not in near and people not in waiting]
        self._known = near | waiting
        asked = sorted(near.values(), key=lambda pair: (not pair.is_acting, pair.distance_m, pair.people))
        self._asked = asked[:MOST_PAIRS]
        here = set(number_of.values()) - lost
        gone = [pair for pair in parted if not here >= set(pair.people)]
        events = self._end(gone, are_gone=True)
        events += self._end([pair for pair in (*parted, *asked[MOST_PAIRS:]) if pair not in gone])
        return tuple(
            _joined(windows[a], windows[b])
            for one, other in (pair.people for pair in self._asked)
            for a, b in ((one, other), (other, one))
        ), events

    def decide(
        self, answers: Sequence[Recognition], time_s: float
    ) -> tuple[tuple[Together, ...], tuple[ActionEvent, ...]]:
        """Moves the decisions about the pairs that were asked for on.

        Nobody acts in two pairs at once: an action that goes on keeps its people, then the surer pair has them.

        Args:
            answers: To the windows of ``ask``, in their order.
            time_s: Of the frame, seconds since the source's first.

        Returns:
            The pairs, in the order of their people's numbers; and what started or ended.
        """
        told = zip(self._asked, map(_both_ways, answers[::2], answers[1::2]))
        ordered = sorted(told, key=lambda item: (not item[0].is_acting, -self._surest(item[1]), item[0].people))
        busy: set[int] = set()
        result: list[Together] = []
        events: list[ActionEvent] = []
        for pair, answer in ordered:
            if busy.isdisjoint(pair.body_ids):
                together, news = self._decided(pair, answer, time_s)
                busy.update(pair.body_ids if pair.is_acting else ())
            else:
                together, news = self._idle(pair, answer), self._end([pair])
            result.append(together)
            events += news
        return tuple(sorted(result, key=lambda one: one.view.people)), tuple(events)

    def alone(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns what (K,) probabilities say of one person: what only two can do counts as nothing."""
        return self._kept(probabilities, self._of_one)

    def finish(self) -> tuple[ActionEvent, ...]:
        """Ends everything that goes on and forgets who is near, at the time the pairs were last decided about."""
        pairs, self._known, self._asked = list(self._known.values()), {}, []
        return self._end(pairs, are_gone=True)

    def _near(self, windows: Mapping[int, Window]) -> dict[tuple[int, int], _Pair]:
        """The pairs that stand near each other, by the numbers of their people."""
        places = {person: _place(window) for person, window in windows.items()}
        near = {}
        for people in itertools.combinations(sorted(windows), 2):
            one, other = people
            pair = self._known.get(people)
            distance_m = float(np.linalg.norm(places[one] - places[other]))
            if distance_m <= (self._config.pair_join_m if pair is None else self._config.pair_part_m):
                near[people] = pair = pair or self._new_pair(people)
                pair.meet((windows[one].body_ids[0], windows[other].body_ids[0]), distance_m)
        return near

    def _new_pair(self, people: tuple[int, int]) -> _Pair:
        return _Pair(people, PersonDecision(body_id=0, person=people[0], rules=self._rules, config=self._config))

    def _decided(self, pair: _Pair, answer: Recognition, time_s: float) -> tuple[Together, tuple[ActionEvent, ...]]:
        probabilities = self._kept(answer.probabilities, self._of_two)
        verdict = pair.decision.update(time_s, probabilities, answer.embedding)
        pair.is_acting, pair.decided_s = verdict.state is PersonState.ACTION, time_s
        view = PairView(pair.body_ids, pair.people, verdict.state, verdict.label, verdict.confidence, pair.distance_m)
        return Together(view, answer, verdict.probabilities), _of_both(verdict.events, pair)

    def _idle(self, pair: _Pair, answer: Recognition) -> Together:
        """A pair one of whom acts with somebody else."""
        view = PairView(pair.body_ids, pair.people, PersonState.NOTHING, distance_m=pair.distance_m)
        return Together(view, answer, np.zeros_like(answer.probabilities))

    def _end(self, pairs: Sequence[_Pair], *, are_gone: bool = False) -> tuple[ActionEvent, ...]:
        """Ends what pairs do: at the last look at them where they are gone, or else as what comes next asks for."""
        events: list[ActionEvent] = []
        for pair in pairs:
            pair.is_acting = False
            if pair.decided_s is not None:
                end = pair.decision.leave if are_gone else pair.decision.give_way
                events += _of_both(end(pair.decided_s), pair)
        return tuple(events)

    def _surest(self, answer: Recognition) -> float:
        return float(self._kept(answer.probabilities, self._of_two).max())

    def _kept(self, probabilities: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
        """Takes the rest of the probability for the background, or for nothing where there is no such class."""
        result: np.ndarray = np.where(is_kept, probabilities, 0)
        if self._rules.background != NO_CLASS:
            result[self._rules.background] += probabilities[~is_kept].sum()
        return result


def _joined(one: Window, other: Window) -> Window:
    return Window(
        body_ids=one.body_ids + other.body_ids,
        end_s=one.end_s,
        joints=np.concatenate([one.joints, other.joints]),
        seen=np.concatenate([one.seen, other.seen]),
    )


def _both_ways(one: Recognition, other: Recognition) -> Recognition:
    """Returns the mean of the answers to a pair and to the same pair the other way round, as those of the first."""
    return dataclasses.replace(
        one,
        probabilities=(one.probabilities + other.probabilities) / 2,
        joint_attention=(np.abs(one.joint_attention) + np.abs(other.joint_attention[::-1])) / 2,
        frame_attention=(np.abs(one.frame_attention) + np.abs(other.frame_attention[::-1])) / 2,
        embedding=(one.embedding + other.embedding) / 2,
    )


def _place(window: Window) -> np.ndarray:
    """(2,) x and z of the middle of what was last seen of a person; leveled, or as the sensor has them."""
    frame = int(np.flatnonzero(window.seen[0].any(axis=1))[-1]) if window.seen.any() else -1
    seen = window.seen[0, frame]
    middle = window.joints[0, frame, seen].mean(axis=0) if seen.any() else np.full(3, np.nan)
    return np.delete(middle, _HEIGHT)


def _of_both(events: Sequence[ActionEvent], pair: _Pair) -> tuple[ActionEvent, ...]:
    told = []
    for event in events:
        if event.end_s is None:
            pair.other_id = pair.body_ids[1]
        told.append(dataclasses.replace(event, other_body_id=pair.other_id, other_person=pair.people[1]))
    return tuple(told)
