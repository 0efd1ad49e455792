"""What a model card says about decisions, as numbers that are looked up a thousand times a second."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from models.card import ModelCard

NO_CLASS = -1
"""Index of the background in a model that has none."""


def _no_centers() -> np.ndarray:
    return np.empty((0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRules:
    """Thresholds, background and unknown rule of a model, once for all people.

    Attributes:
        labels: K class names.
        enter: (K,) smoothed probability at which each action starts.
        exit: (K,) smoothed probability below which it ends, at most ``enter``.
        background: Index of the class that means "no trained action", or ``NO_CLASS``.
        unknown_score: Smoothed probability of the best class below which nothing is claimed; 0 claims always.
        unknown_distance: Smoothed feature distance above which nothing is claimed; 0 claims always.
        centers: (K, E) mean embedding of each class, or (0, 0) where the model has none.
        scale: Divides distances.
        late_s: How long ago that was which the smoothed answer is about, seconds.
        squares: (K,) squared length of each center.
    """

    labels: tuple[str, ...]
    enter: tuple[float, ...]
    exit: tuple[float, ...]
    background: int = NO_CLASS
    unknown_score: float = 0.0
    unknown_distance: float = 0.0
    centers: np.ndarray = field(default_factory=_no_centers)
    scale: float = 1.0
    late_s: float = 0.0
    squares: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "squares", (self.centers**2).sum(axis=1))

    @classmethod
    def of(
        cls,
        card: ModelCard,
        *,
        enter_threshold: float = 0.0,
        exit_threshold: float = 0.0,
        smoothing_s: float = 0.0,
    ) -> DecisionRules:
        """Returns the rules of a card.

        Args:
            card: The model's.
            enter_threshold: For all classes instead of the card's; 0 keeps those.
            exit_threshold: Likewise; lowered to the enter threshold where it is higher.
            smoothing_s: Time constant of the smoothing: by so much is what is smoothed late.
        """
        enter = tuple(enter_threshold or card.thresholds(label)[0] for label in card.labels)
        leave = tuple(exit_threshold or card.thresholds(label)[1] for label in card.labels)
        return cls(
            labels=card.labels,
            enter=enter,
            exit=tuple(map(min, enter, leave)),
            background=card.labels.index(card.background) if card.background else NO_CLASS,
            unknown_score=card.unknown_score,
            unknown_distance=card.unknown_distance,
            centers=np.array(card.feature_centers, dtype=np.float64) if card.feature_centers else _no_centers(),
            scale=card.feature_scale,
            late_s=card.about_s + smoothing_s,
        )

    def distance(self, embedding: np.ndarray) -> float:
        """Returns the feature distance of an embedding (E,): to the nearest center, in units of ``scale``.

        0 for a model without centers.
        """
        if not len(self.centers):
            return 0.0
        place = embedding.astype(np.float64)
        # |c - e|² as |c|² - 2 c·e + |e|²: one product with a matrix, half the time of taking all differences.
        nearest = min((self.squares - 2 * self.centers.dot(place)).tolist()) + float(place.dot(place))
        return math.sqrt(max(0.0, nearest)) / self.scale

    def is_unknown(self, probability: float, distance: float) -> bool:
        """Whether nothing is claimed, given the smoothed best probability and the smoothed feature distance."""
        return probability < self.unknown_score or 0 < self.unknown_distance < distance
