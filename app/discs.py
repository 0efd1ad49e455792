"""Joints as small ready-made pictures: drawing an antialiased circle takes 25 µs, copying one takes 2 µs.

Six people with attention heat are some 150 discs and 80 glows a picture: 5 ms of circles, or half a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPen

from app import heat, theme

JOINT_RADIUS = 4.6
"""Pixels in a picture 720 pixels high, as all lengths here."""
HEAT_RADII = (4.0, 13.0)
"""Radius of a joint at the low and the high end of the heat scale: size and color say the same."""
UNKNOWN_RADIUS = 2.6
"""A joint that the model does not have."""
GLOW_FROM = 0.5
"""Heat level from which a soft glow makes the eye find the joint first."""
GLOW = 1.7
HEAT_STEPS = 48
RIM = QColor(8, 10, 14, 220)
HOLLOW = QColor(*theme.BACKGROUND, 200)


class Disc(NamedTuple):
    """A ready-made picture, and half of its side: asking Qt for it takes as long as drawing."""

    image: QImage
    half: float


class Discs:
    """The discs of one picture size; thrown away when the size changes."""

    def __init__(self) -> None:
        self._scale = (0.0, 0.0)
        self._made: dict[object, Disc] = {}

    def use(self, *, unit: float, ratio: float) -> None:
        """Sets the picture's size: pixels per pixel of a picture 720 high, and device pixels per pixel."""
        if (unit, ratio) != self._scale:
            self._scale = (unit, ratio)
            self._made.clear()

    def joint(self, color: theme.Color, *, is_tracked: bool) -> Disc:
        """Returns a disc for a tracked joint, a ring for an inferred one."""
        key = (color, is_tracked)
        if key not in self._made:
            fill = QColor(*_lighter(color)) if is_tracked else HOLLOW
            pen = QPen(RIM, 1.2) if is_tracked else QPen(QColor(*color), 1.8)
            self._made[key] = self._drawn(JOINT_RADIUS, lambda p: _circle(p, JOINT_RADIUS, fill, pen))
        return self._made[key]

    def hot(self, level: float, *, is_tracked: bool) -> Disc:
        """Returns the disc of an attention level 0..1, or of a joint the model lacks when ``level`` is NaN."""
        step = round(level * HEAT_STEPS) if level == level else None
        key = (step, is_tracked)
        if key not in self._made:
            self._made[key] = self._unknown() if step is None else self._hot(step / HEAT_STEPS, is_tracked)
        return self._made[key]

    def _unknown(self) -> Disc:
        dot = QColor(*theme.FAINT)
        return self._drawn(UNKNOWN_RADIUS, lambda painter: _circle(painter, UNKNOWN_RADIUS, dot, QPen(RIM)))

    def _hot(self, level: float, is_tracked: bool) -> Disc:
        radius = HEAT_RADII[0] + (HEAT_RADII[1] - HEAT_RADII[0]) * level
        glows = is_tracked and level > GLOW_FROM
        color = QColor(*heat.color(level))

        def draw(painter: QPainter) -> None:
            if glows:
                soft = QColor(color.red(), color.green(), color.blue(), 60)
                _circle(painter, radius * GLOW, soft, QPen(Qt.NoPen))
            fill, pen = (color, QPen(RIM, 1.2)) if is_tracked else (HOLLOW, QPen(color, 2.2))
            _circle(painter, radius, fill, pen)

        return self._drawn(radius * GLOW if glows else radius, draw)

    def _drawn(self, radius: float, draw: Callable[[QPainter], None]) -> Disc:
        unit, ratio = self._scale
        side = 2 * int(radius * unit * ratio + 3) + 1
        image = QImage(side, side, QImage.Format_ARGB32_Premultiplied)
        image.fill(Qt.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.translate(side / 2, side / 2)
        painter.scale(unit * ratio, unit * ratio)
        draw(painter)
        painter.end()
        image.setDevicePixelRatio(ratio)
        return Disc(image, side / ratio / 2)


def stamp(painter: QPainter, disc: Disc, x: float, y: float) -> None:
    """Draws a disc centered at (x, y)."""
    image, half = disc
    painter.drawImage(QPointF(x - half, y - half), image)


def _circle(painter: QPainter, radius: float, fill: QColor, pen: QPen) -> None:
    painter.setPen(pen)
    painter.setBrush(fill)
    painter.drawEllipse(QPointF(0, 0), radius, radius)


def _lighter(color: theme.Color) -> theme.Color:
    red, green, blue = (int(part + (255 - part) * 0.45) for part in color)
    return red, green, blue
