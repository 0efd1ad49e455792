"""Draws what a color map gets wrong, or how it differs from the default, as an SVG picture of the sensor's own view.

Every arrow begins where the sensor sees the point and leads to where the map has it, longer by a factor that is told.
"""

from __future__ import annotations

from html import escape

import numpy as np

from calibration.color_map import COLOR_SIZE, ColorMap
from skeleton.errors import CalibrationError

MOST_ARROWS = 1500
"""More would be one gray patch; they are taken evenly from all."""
LONG_PX = 100.0
"""Length of an arrow of a usual error (at 95 %), after lengthening, in pixels of a 1920 x 1080 picture."""
LARGEST_FACTOR = 100_000.0
HEAD, HEADER = 12, 160
BACKGROUND, FRAME, INK, ARROW, DOT = "#ffffff", "#9aa3ad", "#1c2128", "#c2410c", "#3f7fbf"
GRID_A, GRID_B = np.linspace(-0.85, 0.85, 18), np.linspace(-0.5, 0.5, 11)
GRID_DEPTH_M = 2.0


def residual_picture(color_map: ColorMap, points: np.ndarray, pixels: np.ndarray, *, title: str) -> str:
    """Returns SVG text: arrows from recorded pixels to where the map puts their points.

    Args:
        color_map: The map.
        points: (N, 3) meters, camera space.
        pixels: (N, 2) where the sensor saw them; rows that are not finite are left out.
        title: Written above.

    Raises:
        CalibrationError: No point has a pixel.
    """
    return _drawn(np.asarray(pixels, dtype=np.float64), color_map.project(points), title=title)


def difference_picture(color_map: ColorMap, *, title: str) -> str:
    """Returns SVG text: arrows from where the default map puts a grid of points, 2 m away, to where this one does."""
    a, b = np.meshgrid(GRID_A, GRID_B)
    points = GRID_DEPTH_M * np.stack([a.ravel(), b.ravel(), np.ones(a.size)], axis=1)
    return _drawn(ColorMap.default().project(points), color_map.project(points), title=title)


def _drawn(starts: np.ndarray, ends: np.ndarray, *, title: str) -> str:
    usable = np.isfinite(starts).all(axis=1) & np.isfinite(ends).all(axis=1)
    starts, steps = starts[usable], (ends - starts)[usable]
    if not len(starts):
        raise CalibrationError("A picture of residuals needs joints with color pixels, but there are none.")
    lengths = np.hypot(*steps.T)
    factor = _factor(float(np.percentile(lengths, 95)))
    inside = np.flatnonzero(((starts >= 0) & (starts < COLOR_SIZE)).all(axis=1))
    chosen = inside[:: -(-len(inside) // MOST_ARROWS) or 1]
    middle, most, largest = np.percentile(lengths, (50, 95, 100))
    note = (
        f"{len(starts)} points: {middle:.4f} px median, {most:.4f} px at 95 %, {largest:.4f} px largest; "
        f"arrows lengthened x {factor:g}"
    )
    width, height = COLOR_SIZE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-HEADER} {width} {height + HEADER}" '
        'font-family="sans-serif">',
        f'<rect y="{-HEADER}" width="{width}" height="{height + HEADER}" fill="{BACKGROUND}"/>',
        _text(20, -118, title, size=30),
        _text(20, -80, note, size=24),
        f'<rect width="{width}" height="{height}" fill="none" stroke="{FRAME}" stroke-width="3"/>',
        *(_arrow(start, factor * step) for start, step in zip(starts[chosen], steps[chosen])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _factor(usual_px: float) -> float:
    """How much arrows are lengthened: 1, 2 or 5 times a power of ten, so that a usual one is as long as wanted."""
    wanted = min(LARGEST_FACTOR, LONG_PX / usual_px) if usual_px > 0 else LARGEST_FACTOR
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * (1 + 1e-9)))


def _arrow(start: np.ndarray, step: np.ndarray) -> str:
    """A dot where the point was seen, and an arrow; one shorter than its head is the dot alone."""
    (u, v), length = start, float(np.hypot(*step))
    dot = f'<circle cx="{u:.1f}" cy="{v:.1f}" r="4" fill="{DOT}"/>'
    if length < HEAD:
        return dot
    end, along = start + step, step / length * HEAD
    side = np.array([-along[1], along[0]]) / 2
    corners = [end, end - along + side, end - along - side]
    tip = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    line = f'<line x1="{u:.1f}" y1="{v:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{ARROW}" stroke-width="3"/>'
    return f'{dot}{line}<polygon points="{tip}" fill="{ARROW}"/>'


def _text(x: float, y: float, text: str, *, size: int) -> str:
    legible = "".join(letter if letter.isprintable() else "?" for letter in text)  # XML knows no control characters
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{INK}">{escape(legible)}</text>'
