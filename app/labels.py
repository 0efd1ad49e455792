"""Texts in the picture: a plate beside each head, the heat legend, the one line of an empty picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPainterPath, QPen

from app import heat, theme
from app.scene import Figure, Legend

LABEL_PX = 17.0
"""Text height in a picture 720 pixels high; grows with it, but never below SMALLEST_PX."""
SMALLEST_PX = 11.0
GAP = 14.0
"""Between the head and its plate, at 720 pixels."""
PLATE = QColor(13, 16, 21, 215)


@dataclass(slots=True)
class _Plate:
    """A label before it is drawn: where it goes and how it is built."""

    figure: Figure
    rect: QRectF
    anchor: QPointF
    badge: float
    label_width: float


def paint_labels(painter: QPainter, bounds: QRectF, unit: float, people: Sequence[tuple[np.ndarray, Figure]]) -> None:
    """Paints the plate of every person that has one, inside ``bounds`` and not on top of each other."""
    label_font, detail_font = _fonts(painter, unit)
    metrics = (QFontMetricsF(label_font), QFontMetricsF(detail_font))
    plates = [
        _measured(points, figure, *metrics, unit) for points, figure in people if figure.label and figure.state.any()
    ]
    for plate in _spread(plates, bounds):
        _paint_plate(painter, plate, label_font, detail_font, unit)


def paint_legend(painter: QPainter, bounds: QRectF, unit: float, legend: Legend) -> None:
    """Paints the heat scale in the lower left corner."""
    _, font = _fonts(painter, unit)
    metrics = QFontMetricsF(font)
    width, height = 150 * unit, 8 * unit
    pad = 10 * unit
    text_height = metrics.height()
    plate = QRectF(0, 0, width + 2 * pad, height + 2 * text_height + 2.2 * pad)
    plate.moveBottomLeft(bounds.bottomLeft() + QPointF(pad, -pad))
    paint_plate(painter, plate, 6 * unit, PLATE)
    bar = QRectF(plate.left() + pad, plate.top() + pad + text_height, width, height)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for step in range(9):
        gradient.setColorAt(step / 8, QColor(*heat.color(step / 8)))
    painter.setPen(Qt.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, height / 3, height / 3)
    painter.setFont(font)
    painter.setPen(QColor(*theme.QUIET))
    below = QRectF(bar.left(), bar.bottom() + 2 * unit, bar.width(), text_height)
    painter.drawText(QRectF(bar.left(), plate.top() + pad / 2, width, text_height), Qt.AlignLeft, legend.title)
    painter.drawText(below, Qt.AlignLeft, legend.low)
    painter.drawText(below, Qt.AlignRight, legend.high)


def paint_message(painter: QPainter, bounds: QRectF, unit: float, message: str) -> None:
    """Paints one quiet line in the upper middle."""
    font, _ = _fonts(painter, unit)
    painter.setFont(font)
    painter.setPen(QColor(*theme.QUIET))
    painter.drawText(bounds.adjusted(0, bounds.height() * 0.1, 0, 0), Qt.AlignHCenter | Qt.AlignTop, message)


def paint_recording(painter: QPainter, bounds: QRectF, unit: float, text: str) -> None:
    """Paints the red mark in the upper left corner: whoever is in the picture shall see that it is kept."""
    font, _ = _fonts(painter, unit)
    metrics = QFontMetricsF(font)
    pad, dot = 10 * unit, metrics.ascent() * 0.8
    plate = QRectF(0, 0, metrics.horizontalAdvance(text) + dot + 3.2 * pad, metrics.height() + pad)
    plate.moveTopLeft(bounds.topLeft() + QPointF(1.4 * pad, 1.4 * pad))
    paint_plate(painter, plate, plate.height() / 2, PLATE, rim=QColor(*theme.RECORDING), width=1.6 * unit)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(*theme.RECORDING))
    painter.drawEllipse(QRectF(plate.left() + pad, plate.center().y() - dot / 2, dot, dot))
    painter.setFont(font)
    painter.setPen(QColor(*theme.TEXT))
    painter.drawText(plate.adjusted(dot + 1.8 * pad, 0, 0, 0), Qt.AlignVCenter | Qt.AlignLeft, text)


def paint_plate(
    painter: QPainter, rect: QRectF, radius: float, fill: QColor, *, rim: QColor | None = None, width: float = 1.0
) -> None:
    """Fills a rectangle with round corners, and draws its rim when it has one."""
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    painter.fillPath(path, fill)
    if rim is not None:
        painter.strokePath(path, QPen(rim, width))


def _fonts(painter: QPainter, unit: float) -> tuple[QFont, QFont]:
    label, detail = QFont(painter.font()), QFont(painter.font())
    label.setPixelSize(round(max(SMALLEST_PX + 1, LABEL_PX * unit)))
    label.setWeight(QFont.DemiBold)
    detail.setPixelSize(round(max(SMALLEST_PX, LABEL_PX * unit * 0.82)))
    detail.setWeight(QFont.Normal)
    return label, detail


def _measured(points: np.ndarray, figure: Figure, label: QFontMetricsF, detail: QFontMetricsF, unit: float) -> _Plate:
    drawn = points[figure.state > 0]
    x, y = float(np.median(drawn[:, 0])), float(drawn[:, 1].min())
    top = drawn[drawn[:, 1].argmin()]
    height = label.height() + 9 * unit
    badge = height - 7 * unit
    label_width = label.horizontalAdvance(figure.label)
    width = badge + label_width + 20 * unit
    if figure.detail:
        width += detail.horizontalAdvance(figure.detail) + 8 * unit
    rect = QRectF(x - width / 2, y - GAP * unit - height - 8 * unit, width, height)
    return _Plate(figure, rect, QPointF(float(top[0]), y), badge, label_width)


def _spread(plates: list[_Plate], bounds: QRectF) -> list[_Plate]:
    """Moves plates into the picture and apart: upwards, off the bodies, and where there is no room, downwards."""
    placed: list[_Plate] = []
    for plate in sorted(plates, key=lambda one: (-one.rect.top(), one.figure.person)):
        rect = plate.rect
        rect.moveLeft(min(max(rect.left(), bounds.left() + 4), bounds.right() - rect.width() - 4))
        rect.moveTop(min(max(rect.top(), bounds.top() + 4), bounds.bottom() - rect.height() - 4))
        for other in placed:  # from the lowest to the highest
            if rect.intersects(other.rect):
                rect.moveBottom(other.rect.top() - 3)
        if rect.top() < bounds.top():
            rect.moveTop(max((other.rect.bottom() + 3 for other in placed), default=bounds.top()))
        placed.append(plate)
    return placed


def _paint_plate(painter: QPainter, plate: _Plate, label_font: QFont, detail_font: QFont, unit: float) -> None:
    figure, rect = plate.figure, plate.rect
    color = QColor(*figure.color)
    paint_plate(painter, rect, rect.height() / 2, PLATE, rim=color if figure.is_selected else None, width=1.6 * unit)
    inset = (rect.height() - plate.badge) / 2
    badge = QRectF(rect.left() + inset, rect.top() + inset, plate.badge, plate.badge)
    painter.setPen(Qt.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(badge)
    painter.setFont(label_font)
    painter.setPen(QColor(*theme.BACKGROUND))
    painter.drawText(badge, Qt.AlignCenter, str(figure.person))
    painter.setPen(QColor(*(theme.TEXT if figure.is_action else theme.QUIET)))
    left = badge.right() + 6 * unit
    painter.drawText(QRectF(left, rect.top(), plate.label_width + 2, rect.height()), Qt.AlignVCenter, figure.label)
    if figure.detail:
        painter.setFont(detail_font)
        painter.setPen(QColor(*(figure.color if figure.is_action else theme.QUIET)))
        rest = QRectF(left + plate.label_width + 7 * unit, rect.top(), rect.right() - left, rect.height())
        painter.drawText(rest, Qt.AlignVCenter, figure.detail)
    if figure.warm_up is not None:
        _paint_progress(painter, rect, figure.warm_up, color, unit)


def _paint_progress(painter: QPainter, plate: QRectF, share: float, color: QColor, unit: float) -> None:
    left, right = plate.left() + plate.height() / 2, plate.right() - plate.height() / 2
    y = plate.bottom() + 4 * unit
    painter.setPen(QPen(QColor(255, 255, 255, 50), 3 * unit, Qt.SolidLine, Qt.RoundCap))
    painter.drawLine(QPointF(left, y), QPointF(right, y))
    painter.setPen(QPen(color, 3 * unit, Qt.SolidLine, Qt.RoundCap))
    painter.drawLine(QPointF(left, y), QPointF(left + (right - left) * min(1.0, max(0.0, share)), y))
