"""Heat as color: what each kind of heat says, its fixed scale, a color table that is even to the eye, its legend.

No scale ever follows the current frame: a map that is stretched to each frame's own range makes noise look
certain. What lies outside a scale takes the color of its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.theme import Color
from live.heat_kinds import HeatKind, coupled
from live.view import JointEvidence, PersonView
from models.card import ModelCard

_ANCHORS = np.array(
    [
        (40, 11, 84), (85, 15, 109), (124, 29, 109), (163, 44, 96), (200, 63, 75),
        (229, 92, 48), (247, 130, 18), (251, 174, 30), (246, 215, 70), (252, 255, 164),
    ],
    dtype=np.float64,
)  # fmt: skip
"""Nine even steps of the "inferno" color map (van der Walt and Smith, CC0) from its first tenth on, so that the low
end still shows on a dark ground. Lightness grows evenly; it reads the same with any kind of color blindness."""

LEVELS = 256
MOST_FALL = 0.5
"""The bright end of the evidence: hiding the joint takes half of all probability away. On people that a model had
not seen one joint in twenty or thirty reaches it (docs/results.md), and 50 points mean the same with every model."""
STALE_S = 3.0
"""Evidence that is older than this is of another movement, though it may have the same name."""


def _table() -> np.ndarray:
    at = np.linspace(0, len(_ANCHORS) - 1, LEVELS)
    columns = [np.interp(at, np.arange(len(_ANCHORS)), _ANCHORS[:, channel]) for channel in range(3)]
    table = np.stack(columns, axis=1).round().astype(np.uint8)
    table.setflags(write=False)
    return table


TABLE = _table()
"""(256, 3) uint8 RGB, from low to high attention."""


@dataclass(frozen=True, slots=True)
class HeatScale:
    """What value has which color, for as long as the model is in use.

    Attributes:
        low: |value| at the dark end.
        high: |value| at the bright end, above ``low``.
        title: What is measured.
        ends: Texts of the legend in place of the two numbers.
    """

    low: float = 0.0
    high: float = 1.0
    title: str = "attention"
    ends: tuple[str, str] | None = None

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Returns |value| as 0..1 on the scale, clipped at its ends; NaN stays NaN."""
        return np.clip((np.abs(values) - self.low) / (self.high - self.low), 0.0, 1.0)

    def legend(self) -> tuple[str, str]:
        """Returns the texts at the dark and the bright end of the legend."""
        if self.ends is not None:
            return self.ends
        digits = 2 if self.high - self.low < 10 else 0
        return f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"


def scale_of(kind: HeatKind, card: ModelCard) -> HeatScale:
    """Returns the scale of a kind of heat, the same for as long as the model is in use."""
    low, high = card.attention_range
    if kind is HeatKind.SPATIAL:
        return HeatScale(low, high, "spatial attention |s|, as in the paper")
    if kind is HeatKind.COUPLED:
        # The frames' weights pass through the joints' activation and start where those do, so they have their range.
        return HeatScale(low * low, high * high, "coupled attention |t·s| at this frame")
    ends = ("the same", f"{100 * MOST_FALL:.0f} points less")
    return HeatScale(0.0, MOST_FALL, "evidence: score without the joint", ends)


def values_of(kind: HeatKind, one: PersonView, found: JointEvidence | None, *, now_s: float) -> np.ndarray | None:
    """Returns (V,) what a person's joints are colored by, at least 0 and NaN where the model has no such joint.

    Args:
        kind: What the colors shall say.
        one: The person.
        found: The newest evidence of this person.
        now_s: Sensor time of the frame that is shown.

    Returns:
        None where nothing is known: the person warms up, or there is no action yet that evidence could speak for.
    """
    if kind is HeatKind.EVIDENCE:
        is_of_now = found is not None and found.label == one.label and abs(now_s - found.time_s) <= STALE_S
        return np.maximum(found.falls, 0.0) if found is not None and is_of_now else None
    if one.joint_attention is None or kind is HeatKind.SPATIAL:
        return one.joint_attention
    return None if one.frame_attention is None else coupled(one.joint_attention, one.frame_attention)


def color(level: float) -> Color:
    """Returns the color of a level 0..1."""
    red, green, blue = TABLE[round(level * (LEVELS - 1))]
    return int(red), int(green), int(blue)
