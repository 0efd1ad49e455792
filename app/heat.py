"""Attention as color: a fixed scale from the model card, a color table that is even to the eye, and its legend.

The scale never follows the current frame: a map that is stretched to each frame's own range makes noise look
certain. What lies outside the card's range takes the color of its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.theme import Color

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
    """What attention value has which color, for as long as the model is in use.

    Attributes:
        low: |attention| at the dark end.
        high: |attention| at the bright end, above ``low``.
    """

    low: float = 0.0
    high: float = 1.0

    def levels(self, attention: np.ndarray) -> np.ndarray:
        """Returns |attention| as 0..1 on the scale, clipped at its ends; NaN stays NaN."""
        return np.clip((np.abs(attention) - self.low) / (self.high - self.low), 0.0, 1.0)

    def legend(self) -> tuple[str, str]:
        """Returns the texts at the dark and the bright end of the legend."""
        digits = 2 if self.high - self.low < 10 else 0
        return f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"


def color(level: float) -> Color:
    """Returns the color of a level 0..1."""
    red, green, blue = TABLE[round(level * (LEVELS - 1))]
    return int(red), int(green), int(blue)
