"""Draws distributions of times as an SVG picture: one panel a series, on one logarithmic axis, with percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.svg import BACKGROUND, INK, MARK, QUIET, line, text

WIDTH, PANEL_HEIGHT, GAP = 860, 96, 30
LEFT, RIGHT, TOP, BOTTOM = 110, 24, 50, 46
BINS = 90
PERCENTILES = (50, 95, 99)
BAR = "#3f7fbf"
STEPS = (1, 2, 5)


class Series(NamedTuple):
    """Values of one name.

    Attributes:
        name: Written beside the panel.
        values: (N,) positive numbers.
    """

    name: str
    values: np.ndarray


def histogram(series: Sequence[Series], *, title: str, note: str, unit: str) -> str:
    """Returns the picture as SVG text, with the title and, smaller, the note above it.

    Raises:
        ValueError: A series without positive values.
    """
    for name, values in series:
        if not len(values) or not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"the values of '{name}' must be positive, and at least one")
    low = 0.9 * min(float(values.min()) for _, values in series)
    high = 1.1 * max(float(values.max()) for _, values in series)
    height = TOP + len(series) * (PANEL_HEIGHT + GAP) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="{BACKGROUND}"/>',
        text(LEFT, 26, title, size=14, fill=INK, anchor="start"),
        text(LEFT, 44, note, size=10, fill=QUIET, anchor="start"),
    ]
    axis = _Axis(low, high)
    floor = TOP
    for one in series:
        floor += PANEL_HEIGHT + GAP
        parts += _panel(one, axis, floor=floor, unit=unit)
    parts += _ticks(axis, floor=floor, unit=unit)
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axis:
    """A logarithmic axis from ``low`` to ``high``."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def place(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def _panel(series: Series, axis: _Axis, *, floor: float, unit: str) -> list[str]:
    edges = np.geomspace(axis.low, axis.high, BINS + 1)
    counts, _ = np.histogram(series.values, edges)
    parts = [line(LEFT, floor, WIDTH - RIGHT, floor, QUIET)]
    for count, left, right in zip(counts, edges, edges[1:]):
        if count:
            x, tall = axis.place(left), PANEL_HEIGHT * count / counts.max()
            wide = axis.place(right) - x - 0.6
            parts.append(
                f'<rect x="{x:.1f}" y="{floor - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{BAR}"/>'
            )
    marks = np.percentile(series.values, PERCENTILES)
    parts += [line(axis.place(mark), floor - PANEL_HEIGHT, axis.place(mark), floor, MARK) for mark in marks]
    words = " · ".join(f"p{percent} {mark:.1f} {unit}" for percent, mark in zip(PERCENTILES, marks))
    parts.append(text(LEFT - 10, floor - 6, series.name, size=13, fill=INK, anchor="end"))
    parts.append(text(WIDTH - RIGHT, floor - PANEL_HEIGHT - 6, words, size=11, fill=MARK, anchor="end"))
    return parts


def _ticks(axis: _Axis, *, floor: float, unit: str) -> list[str]:
    parts = []
    for power in range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1):
        for value in (step * 10.0**power for step in STEPS):
            if axis.low <= value <= axis.high:
                x = axis.place(value)
                parts.append(line(x, floor, x, floor + 5, QUIET))
                parts.append(text(x, floor + 19, f"{value:g}", size=11, fill=QUIET, anchor="middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, floor + 37, unit, size=11, fill=QUIET, anchor="middle"))
    return parts
