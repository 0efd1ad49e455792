"""What is drawn, as plain values: the painter knows nothing of models, and the presenter nothing of pens. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.stage import FloorLines
from app.theme import QUIET, Color


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One person as drawn.

    Attributes:
        body_id: Tracking id.
        person: The number in the badge.
        color: The person's own color.
        points: (V, 2) canvas pixels, NaN where the joint is nowhere.
        state: (V,) 0 not drawn, 1 inferred, 2 tracked.
        bones: Pairs of joint indices.
        heat: (V,) attention level 0..1, NaN where the model has no such joint; or None without heat.
        label: What the person does, or what is known of it.
        detail: The quieter text beside it: the confidence.
        ink: Color of the label: bright for an action, quiet for a state.
        is_action: Whether the label is an action or a state.
        warm_up: 0..1 while the first window fills, otherwise None.
        is_lost: Whether the person is no longer in view: only the label is drawn, where the body was last seen.
        is_selected: Whether the side panel shows this person.
        shadow: (N, 2) canvas pixels, or None.
    """

    body_id: int
    person: int
    color: Color
    points: np.ndarray
    state: np.ndarray
    bones: tuple[tuple[int, int], ...]
    heat: np.ndarray | None = None
    label: str = ""
    detail: str = ""
    ink: Color = QUIET
    is_action: bool = False
    warm_up: float | None = None
    is_lost: bool = False
    is_selected: bool = False
    shadow: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bond:
    """What two people do together: a label between them in place of one beside each.

    Attributes:
        figures: The two, as drawn.
        label: What they do.
        detail: The quieter text beside it: the confidence.
        is_selected: Whether the side panel shows one of them.
    """

    figures: tuple[Figure, Figure]
    label: str
    detail: str = ""
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class Legend:
    """The scale of the heat colors.

    Attributes:
        low: Text at the dark end.
        high: Text at the bright end.
        title: What is measured.
    """

    low: str
    high: str
    title: str = "attention"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture.

    Attributes:
        size: (width, height) of the canvas, pixels.
        image: (height, width, 3) uint8 RGB, or None for the backdrop.
        figures: People, the farthest first.
        bonds: What two of them do together.
        floor: The grid on the floor, or None.
        legend: The heat scale, or None without heat.
        is_mirrored: Whether left and right change places on the screen.
        shows_labels: Whether the texts beside the people are drawn.
        message: One line in the middle of an empty picture.
        recording: What stands beside the red dot while it is being recorded; empty when it is not.
    """

    size: tuple[int, int] = (1920, 1080)
    image: np.ndarray | None = None
    figures: tuple[Figure, ...] = ()
    bonds: tuple[Bond, ...] = ()
    floor: FloorLines | None = None
    legend: Legend | None = None
    is_mirrored: bool = False
    shows_labels: bool = True
    message: str = ""
    recording: str = ""
