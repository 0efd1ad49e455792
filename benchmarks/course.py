"""Draws how numbers went over time as an SVG picture: one panel a curve, above one axis of minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.svg import BACKGROUND, INK, MARK, QUIET, line, text

WIDTH, PANEL_HEIGHT, GAP = 860, 130, 36
LEFT, RIGHT, TOP, BOTTOM = 130, 24, 50, 46
CURVE = "#3f7fbf"
TICKS = 6


class Curve(NamedTuple):
    """A number over time.

    Attributes:
        name: Written beside the panel, with its unit.
        values: (N,) finite numbers, one for each moment.
        aim: A line that the curve should stay below; None without one.
    """

    name: str
    values: np.ndarray
    aim: float | None = None


def course(minutes: np.ndarray, curves: Sequence[Curve], *, title: str, note: str) -> str:
    """Returns the picture as SVG text, with the title and, smaller, the note above it.

    Raises:
        ValueError: No moments, or a curve with another number of values.
    """
    if not len(minutes) or any(len(one.values) != len(minutes) for one in curves):
        raise ValueError(f"every curve must have a value for each of at least one moment, found {len(minutes)}")
    height = TOP + len(curves) * (PANEL_HEIGHT + GAP) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="{BACKGROUND}"/>',
        text(LEFT, 26, title, size=14, fill=INK, anchor="start"),
        text(LEFT, 44, note, size=10, fill=QUIET, anchor="start"),
    ]
    last = max(float(minutes[-1]), 1e-9)
    across = LEFT + minutes / last * (WIDTH - LEFT - RIGHT)
    floor = float(TOP)
    for one in curves:
        floor += PANEL_HEIGHT + GAP
        parts += _panel(one, across, floor=floor)
    for minute in np.linspace(0, last, TICKS):
        x = LEFT + minute / last * (WIDTH - LEFT - RIGHT)
        parts += [line(x, floor, x, floor + 5, QUIET)]
        parts += [text(x, floor + 19, f"{minute:.1f}", size=11, fill=QUIET, anchor="middle")]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, floor + 37, "minutes", size=11, fill=QUIET, anchor="middle"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(curve: Curve, across: np.ndarray, *, floor: float) -> list[str]:
    top = 1.08 * max(float(np.max(curve.values)), curve.aim or 0.0, 1e-9)
    heights = floor - curve.values / top * PANEL_HEIGHT
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights))
    parts = [
        line(LEFT, floor, WIDTH - RIGHT, floor, QUIET),
        f'<polyline points="{points}" fill="none" stroke="{CURVE}"/>',
        text(LEFT - 10, floor - PANEL_HEIGHT / 2, curve.name, size=12, fill=INK, anchor="end"),
        text(LEFT - 10, floor - PANEL_HEIGHT + 8, f"{top:.3g}", size=10, fill=QUIET, anchor="end"),
        text(LEFT - 10, floor, "0", size=10, fill=QUIET, anchor="end"),
    ]
    if curve.aim is not None:
        y = floor - curve.aim / top * PANEL_HEIGHT
        parts += [line(LEFT, y, WIDTH - RIGHT, y, MARK)]
        parts += [text(WIDTH - RIGHT, y - 4, f"aim {curve.aim:g}", size=10, fill=MARK, anchor="end")]
    return parts
