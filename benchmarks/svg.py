"""The pieces that the benchmarks' plots are drawn from, as SVG text: a line, a text, and the colors."""

from __future__ import annotations

from html import escape

BACKGROUND, INK, QUIET, MARK = "#ffffff", "#1c2128", "#6b7480", "#c2410c"


def line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    """Returns a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def text(x: float, y: float, words: str, *, size: int, fill: str, anchor: str) -> str:
    """Returns words at a place; ``anchor`` is "start", "middle" or "end"."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}">{escape(words)}</text>'
