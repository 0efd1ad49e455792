"""Texts in the picture: a plate beside each head, the heat legend, the one line of an empty picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFont, QFontMetricsF, QImage, QLinearGradient, QPainter, QPainterPath, QPen

from app import heat, theme
from app.scene import Figure, Legend

LEGEND_WIDTH = 150.0
"""Of the color bar, at 720 pixels; a longer title makes it wider."""
LABEL_PX = 17.0
"""Text height in a picture 720 pixels high; grows with it, but never below SMALLEST_PX."""
SMALLEST_PX = 11.0
GAP = 14.0
"""Between the head and its plate, at 720 pixels."""
PLATE = QColor(13, 16, 21, 215)
EDGE = 2
"""Pixels around a ready-made picture, for the half of a rim that lies outside."""
MOST_PICTURES = 64
"""Ready-made plates kept: six people with ten labels each."""
DIGITS = str.maketrans("123456789", "000000000")
"""A plate keeps its width while the numbers on it change; figures are as wide as a zero."""


@dataclass(slots=True)
class _Plate:
    """A label before it is drawn: where it goes and how it is built."""

    figure: Figure
    rect: QRectF
    badge: float
    label_width: float


class Labels:
    """The labels and the legend of one picture size.

    Plate, badge and label are drawn once and then copied: of a label only the confidence changes many times a second.
    """

    def __init__(self) -> None:
        self._key: object = None
        self._unit = self._ratio = 1.0
        self._pictures: dict[object, QImage] = {}

    def use(self, painter: QPainter, *, unit: float) -> None:
        """Sets the picture's size: pixels per pixel of a picture 720 high, and what the painter draws on."""
        key = (unit, painter.device().devicePixelRatioF(), painter.font().key())
        if key != self._key:
            self._key, self._unit, self._ratio = key, unit, key[1]
            self._fonts = _fonts(painter, unit)
            self._label, self._detail = (QFontMetricsF(font) for font in self._fonts)
            self._pictures.clear()

    def paint(self, painter: QPainter, bounds: QRectF, people: Sequence[tuple[np.ndarray, Figure]]) -> None:
        """Paints the plate of every person that has one, inside ``bounds`` and not on top of each other."""
        plates = [self._measured(points, one) for points, one in people if one.label and len(_standing(points, one))]
        for plate in _spread(plates, bounds):
            self._paint_plate(painter, plate)

    def paint_legend(self, painter: QPainter, bounds: QRectF, legend: Legend) -> None:
        """Paints the heat scale in the lower left corner."""
        unit, pad = self._unit, 10 * self._unit
        width = max(LEGEND_WIDTH * unit, self._detail.horizontalAdvance(legend.title))
        plate = QRectF(0, 0, width + 2 * pad, 8 * unit + 2 * self._detail.height() + 2.2 * pad)
        plate.moveBottomLeft(bounds.bottomLeft() + QPointF(pad, -pad))
        self._copy(painter, plate, legend, lambda onto, place: self._draw_legend(onto, place, legend))

    def _copy(self, painter: QPainter, rect: QRectF, key: object, draw: Callable[[QPainter, QRectF], None]) -> None:
        """Paints what ``draw`` draws into ``rect``, from the picture made of it earlier where there is one."""
        picture = self._pictures.get(key)
        if picture is None:
            if len(self._pictures) >= MOST_PICTURES:
                self._pictures.clear()
            picture = self._pictures[key] = self._drawn(rect, draw)
        painter.drawImage(rect.topLeft() - QPointF(EDGE, EDGE), picture)

    def _drawn(self, rect: QRectF, draw: Callable[[QPainter, QRectF], None]) -> QImage:
        width, height = (math.ceil((side + 2 * EDGE) * self._ratio) for side in (rect.width(), rect.height()))
        picture = QImage(width, height, QImage.Format_ARGB32_Premultiplied)
        picture.setDevicePixelRatio(self._ratio)
        picture.fill(Qt.transparent)
        painter = QPainter(picture)
        painter.setRenderHints(QPainter.Antialiasing | QPainter.TextAntialiasing)
        draw(painter, QRectF(EDGE, EDGE, rect.width(), rect.height()))
        painter.end()
        return picture

    def _measured(self, points: np.ndarray, figure: Figure) -> _Plate:
        drawn, unit = _standing(points, figure), self._unit
        x, y = sorted(drawn[:, 0].tolist())[len(drawn) // 2], float(drawn[:, 1].min())
        height = self._label.height() + 9 * unit
        badge = height - 7 * unit
        label_width = self._label.horizontalAdvance(figure.label)
        width = badge + label_width + 20 * unit
        if figure.detail:
            width += self._detail.horizontalAdvance(figure.detail.translate(DIGITS)) + 8 * unit
        rect = QRectF(x - width / 2, y - GAP * unit - height - 8 * unit, width, height)
        return _Plate(figure, rect, badge, label_width)

    def _paint_plate(self, painter: QPainter, plate: _Plate) -> None:
        figure, rect, unit = plate.figure, plate.rect, self._unit
        key = (figure.person, figure.color, figure.label, figure.ink, figure.is_selected, rect.width())
        self._copy(painter, rect, key, lambda onto, place: self._draw_plate(onto, place, plate))
        if figure.detail:
            painter.setFont(self._fonts[1])
            painter.setPen(QColor(*(figure.color if figure.is_action else theme.QUIET)))
            left = _label_left(rect, plate.badge, unit) + plate.label_width + 7 * unit
            painter.drawText(
                QRectF(left, rect.top(), rect.right() - left, rect.height()), Qt.AlignVCenter, figure.detail
            )
        if figure.warm_up is not None:
            _paint_progress(painter, rect, figure.warm_up, QColor(*figure.color), unit)

    def _draw_plate(self, painter: QPainter, rect: QRectF, plate: _Plate) -> None:
        """Draws what of a label seldom changes: the plate, the badge with the number, and what the person does."""
        figure, unit = plate.figure, self._unit
        color = QColor(*figure.color)
        paint_plate(
            painter, rect, rect.height() / 2, PLATE, rim=color if figure.is_selected else None, width=1.6 * unit
        )
        inset = (rect.height() - plate.badge) / 2
        badge = QRectF(rect.left() + inset, rect.top() + inset, plate.badge, plate.badge)
        painter.setPen(Qt.NoPen)
        painter.setBrush(color)
        painter.drawEllipse(badge)
        painter.setFont(self._fonts[0])
        painter.setPen(QColor(*theme.BACKGROUND))
        painter.drawText(badge, Qt.AlignCenter, str(figure.person))
        painter.setPen(QColor(*figure.ink))
        left = _label_left(rect, plate.badge, unit)
        painter.drawText(
            QRectF(left, rect.top(), plate.label_width + 2, rect.height()), Qt.AlignVCenter, figure.label
        )

    def _draw_legend(self, painter: QPainter, plate: QRectF, legend: Legend) -> None:
        unit, pad, text_height = self._unit, 10 * self._unit, self._detail.height()
        paint_plate(painter, plate, 6 * unit, PLATE)
        bar = QRectF(plate.left() + pad, plate.top() + pad + text_height, plate.width() - 2 * pad, 8 * unit)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for step in range(9):
            gradient.setColorAt(step / 8, QColor(*heat.color(step / 8)))
        painter.setPen(Qt.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(bar, bar.height() / 3, bar.height() / 3)
        painter.setFont(self._fonts[1])
        painter.setPen(QColor(*theme.QUIET))
        above = QRectF(bar.left(), plate.top() + pad / 2, bar.width(), text_height)
        below = QRectF(bar.left(), bar.bottom() + 2 * unit, bar.width(), text_height)
        painter.drawText(above, Qt.AlignLeft, legend.title)
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


def _standing(points: np.ndarray, figure: Figure) -> np.ndarray:
    """Returns (N, 2) the joints that the label stands above; of somebody who is gone, where they were."""
    return points[np.isfinite(points).all(axis=1) if figure.is_lost else figure.state > 0]


def _label_left(rect: QRectF, badge: float, unit: float) -> float:
    return rect.left() + (rect.height() - badge) / 2 + badge + 6 * unit


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


def _paint_progress(painter: QPainter, plate: QRectF, share: float, color: QColor, unit: float) -> None:
    left, right = plate.left() + plate.height() / 2, plate.right() - plate.height() / 2
    y = plate.bottom() + 4 * unit
    painter.setPen(QPen(QColor(255, 255, 255, 50), 3 * unit, Qt.SolidLine, Qt.RoundCap))
    painter.drawLine(QPointF(left, y), QPointF(right, y))
    painter.setPen(QPen(color, 3 * unit, Qt.SolidLine, Qt.RoundCap))
    painter.drawLine(QPointF(left, y), QPointF(left + (right - left) * min(1.0, max(0.0, share)), y))
