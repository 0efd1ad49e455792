"""The transport bar's icons, drawn: no image files, sharp at every pixel ratio, and independent of fonts."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from app import theme

SIDE = 64
"""Pixels; Qt scales down. Shapes are drawn on a square of 16 units."""


def icon(name: str) -> QIcon:
    """Returns the icon called "play", "pause", "back", "forward" or "loop", with its disabled and checked looks."""
    result = QIcon()
    result.addPixmap(_drawn(name, theme.TEXT), QIcon.Normal, QIcon.Off)
    result.addPixmap(_drawn(name, theme.ACCENT), QIcon.Normal, QIcon.On)
    result.addPixmap(_drawn(name, theme.FAINT), QIcon.Disabled, QIcon.Off)
    result.addPixmap(_drawn(name, theme.FAINT), QIcon.Disabled, QIcon.On)
    return result


def window_icon() -> QIcon:
    """Returns the application's icon: a small figure with one joint lit."""
    pixmap = QPixmap(SIDE, SIDE)
    pixmap.fill(Qt.transparent)
    painter = _painter(pixmap)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(*theme.PANEL))
    painter.drawRoundedRect(QRectF(0, 0, 16, 16), 3.5, 3.5)
    painter.setPen(QPen(QColor(*theme.PERSON_COLORS[0]), 1.4, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    for line in ([(8, 5.5), (8, 9.5), (5.8, 13.2)], [(8, 9.5), (10.2, 13.2)], [(4.6, 8.6), (8, 6), (11.6, 4)]):
        painter.drawPolyline(QPolygonF([QPointF(*point) for point in line]))
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(*theme.PERSON_COLORS[0]))
    painter.drawEllipse(QPointF(8, 3.6), 1.5, 1.5)
    painter.setBrush(QColor(250, 174, 30))
    painter.drawEllipse(QPointF(11.8, 3.8), 1.7, 1.7)
    painter.end()
    return QIcon(pixmap)


def _drawn(name: str, color: theme.Color) -> QPixmap:
    pixmap = QPixmap(SIDE, SIDE)
    pixmap.fill(Qt.transparent)
    painter = _painter(pixmap)
    _SHAPES[name](painter, QColor(*color))
    painter.end()
    return pixmap


def _painter(pixmap: QPixmap) -> QPainter:
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.scale(SIDE / 16, SIDE / 16)
    return painter


def _fill(painter: QPainter, color: QColor, *shapes: list[tuple[float, float]]) -> None:
    painter.setPen(QPen(color, 1.0, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(color)
    for shape in shapes:
        painter.drawPolygon(QPolygonF([QPointF(*point) for point in shape]))


def _box(left: float, right: float) -> list[tuple[float, float]]:
    return [(left, 3.5), (right, 3.5), (right, 12.5), (left, 12.5)]


def _loop(painter: QPainter, color: QColor) -> None:
    painter.setPen(QPen(color, 1.5, Qt.SolidLine, Qt.RoundCap))
    painter.setBrush(Qt.NoBrush)
    path = QPainterPath()
    path.arcMoveTo(QRectF(3, 3.5, 10, 9), 60)
    path.arcTo(QRectF(3, 3.5, 10, 9), 60, 300)
    painter.drawPath(path)
    _fill(painter, color, [(9.2, 1.6), (12.2, 4.2), (8.8, 6.2)])


_SHAPES = {
    "play": lambda painter, color: _fill(painter, color, [(4.5, 3), (13, 8), (4.5, 13)]),
    "pause": lambda painter, color: _fill(painter, color, _box(4.2, 6.4), _box(9.6, 11.8)),
    "back": lambda painter, color: _fill(painter, color, [(12, 3.5), (6, 8), (12, 12.5)], _box(3.6, 4.4)),
    "forward": lambda painter, color: _fill(painter, color, [(4, 3.5), (10, 8), (4, 12.5)], _box(11.6, 12.4)),
    "loop": _loop,
}
