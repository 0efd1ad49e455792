"""Texts in the picture: a plate above each head or between two, the heat legend, the line of an empty picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFont, QFontMetricsF, QImage, QLinearGradient, QPainter, QPainterPath, QPen

from app import heat, theme
from app.scene import Bond, Figure, Legend

LEGEND_WIDTH = 150.0
"""Of the color bar, at 720 pixels; a longer title makes it wider."""
LABEL_PX = 17.0
"""Text height in a picture 720 pixels high; grows with it, but never below SMALLEST_PX."""
SMALLEST_PX = 11.0
GAP = 14.0
"""Between the head and its plate, at 720 pixels."""
PLATE = QColor(13, 16, 21, 215)
BADGE_PAD = 8.0
"""Beside a person's number, both sides together; one of several digits makes a pill of the disc it stands in."""
EDGE = 2
"""Pixels around a ready-made picture, for the half of a rim that lies outside."""
MOST_PICTURES = 64
"""Ready-made plates kept: six people with ten labels each."""
DIGITS = str.maketrans("123456789", "000000000")
"""A plate keeps its width while the numbers on it change; figures are as wide as a zero."""


@dataclass(slots=True)
class _Plate:
    """A label before it is drawn: where it goes and how it is built.

    Attributes:
        figures: Whose it is: one person's, or from left to right those of two who act together.
        heads: Where lines to two people end; none for one, who stands below the plate.
        badge: Height of a number's disc, or pill.
        badge_widths: Width of each figure's.
    """

    figures: tuple[Figure, ...]
    label: str
    detail: str
    ink: theme.Color
    is_selected: bool
    rect: QRectF
    badge: float
    badge_widths: tuple[float, ...]
    label_width: float
    heads: tuple[QPointF, ...] = ()

    @property
    def label_left(self) -> float:
        """Distance of the text from the plate's left side."""
        inset = (self.rect.height() - self.badge) / 2
        return inset + sum(width + inset for width in self.badge_widths) + inset


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

    def paint(
        self,
        painter: QPainter,
        bounds: QRectF,
        people: Sequence[tuple[np.ndarray, Figure]],
        bonds: Sequence[Bond] = (),
    ) -> None:
        """Paints the plate of every person or two that have one, inside ``bounds`` and not on top of each other."""
        heads = {one.body_id: _head(_standing(at, one)) for at, one in people if len(_standing(at, one))}
        plates = [self._of_one(heads[one.body_id], one) for _, one in people if one.label and one.body_id in heads]
        plates += [
            self._of_two([heads[one.body_id] for one in bond.figures], bond)
            for bond in bonds
            if all(one.body_id in heads for one in bond.figures)
        ]
        plates = _spread(plates, bounds)
        for plate in plates:
            _paint_lines(painter, plate, self._unit)
        for plate in plates:
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

    def _of_one(self, head: QPointF, figure: Figure) -> _Plate:
        return self._above(
            head, (figure,), figure.label, figure.detail, ink=figure.ink, is_selected=figure.is_selected
        )

    def _of_two(self, heads: Sequence[QPointF], bond: Bond) -> _Plate:
        """Above the higher head, halfway between the two; the left number is of who stands on the left."""
        sides = sorted(zip(heads, bond.figures), key=lambda side: side[0].x())
        above = QPointF(sum(head.x() for head in heads) / 2, min(head.y() for head in heads))
        plate = self._above(
            above - QPointF(0, 2 * GAP * self._unit),
            tuple(figure for _, figure in sides),
            bond.label,
            bond.detail,
            ink=theme.TEXT,
            is_selected=bond.is_selected,
        )
        plate.heads = tuple(head - QPointF(0, GAP * self._unit) for head, _ in sides)
        return plate

    def _above(
        self,
        place: QPointF,
        figures: tuple[Figure, ...],
        label: str,
        detail: str,
        *,
        ink: theme.Color,
        is_selected: bool,
    ) -> _Plate:
        unit, height = self._unit, self._label.height() + 9 * self._unit
        width = self._label.horizontalAdvance(label)
        rect = QRectF(0, place.y() - GAP * unit - height - 8 * unit, 0, height)
        badge = height - 7 * unit
        numbers = (self._label.horizontalAdvance(str(figure.person)) for figure in figures)
        widths = tuple(max(badge, number + BADGE_PAD * unit) for number in numbers)
        plate = _Plate(figures, label, detail, ink, is_selected, rect, badge, widths, label_width=width)
        width += plate.label_left + 10 * unit
        if detail:
            width += self._detail.horizontalAdvance(detail.translate(DIGITS)) + 8 * unit
        rect.setWidth(width)
        rect.moveLeft(place.x() - width / 2)
        return plate

    def _paint_plate(self, painter: QPainter, plate: _Plate) -> None:
        first, rect, unit = plate.figures[0], plate.rect, self._unit
        who = tuple((figure.person, figure.color) for figure in plate.figures)
        key = (who, plate.label, plate.ink, plate.is_selected, rect.width())
        self._copy(painter, rect, key, lambda onto, place: self._draw_plate(onto, place, plate))
        if plate.detail:
            painter.setFont(self._fonts[1])
            painter.setPen(QColor(*(first.color if first.is_action and not plate.heads else theme.QUIET)))
            left = rect.left() + plate.label_left + plate.label_width + 7 * unit
            painter.drawText(
                QRectF(left, rect.top(), rect.right() - left, rect.height()), Qt.AlignVCenter, plate.detail
            )
        if first.warm_up is not None:
            _paint_progress(painter, rect, first.warm_up, QColor(*first.color), unit)

    def _draw_plate(self, painter: QPainter, rect: QRectF, plate: _Plate) -> None:
        """Draws what of a label seldom changes: the plate, the badges with the numbers, and what is done."""
        rim = QColor(*plate.figures[0].color) if plate.is_selected else None
        paint_plate(painter, rect, rect.height() / 2, PLATE, rim=rim, width=1.6 * self._unit)
        inset = (rect.height() - plate.badge) / 2
        painter.setFont(self._fonts[0])
        left = rect.left() + inset
        for figure, width in zip(plate.figures, plate.badge_widths):
            paint_badge(painter, QRectF(left, rect.top() + inset, width, plate.badge), figure.person, figure.color)
            left += width + inset
        painter.setPen(QColor(*plate.ink))
        text = QRectF(rect.left() + plate.label_left, rect.top(), plate.label_width + 2, rect.height())
        painter.drawText(text, Qt.AlignVCenter, plate.label)

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


def paint_badge(painter: QPainter, place: QRectF, person: int, color: theme.Color) -> None:
    """Paints a person's number in that person's color: a disc, or a pill where ``place`` is wider than high."""
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(*color))
    painter.drawRoundedRect(place, place.height() / 2, place.height() / 2)
    painter.setPen(QColor(*theme.BACKGROUND))
    painter.drawText(place, Qt.AlignCenter, str(person))


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


def _head(drawn: np.ndarray) -> QPointF:
    """Where the label of (N, 2) joints stands above: over the middle of the body, at the height of the highest."""
    return QPointF(sorted(drawn[:, 0].tolist())[len(drawn) // 2], float(drawn[:, 1].min()))


def _paint_lines(painter: QPainter, plate: _Plate, unit: float) -> None:
    """Leads from the plate of two people to each of them, in that person's color."""
    x, y, reach = plate.rect.center().x(), plate.rect.bottom() - 1, plate.rect.width() / 2 - plate.rect.height() / 2
    for head, figure in zip(plate.heads, plate.figures):
        start = QPointF(min(max(head.x(), x - reach), x + reach), y)
        for color, width in ((QColor(8, 10, 14), 5.0), (QColor(*figure.color), 2.6)):
            painter.setPen(QPen(color, width * unit, Qt.SolidLine, Qt.RoundCap))
            painter.drawLine(start, head)


def _spread(plates: list[_Plate], bounds: QRectF) -> list[_Plate]:
    """Moves plates into the picture and apart: upwards, off the bodies, and where there is no room, downwards."""
    placed: list[_Plate] = []
    for plate in sorted(plates, key=lambda one: (-one.rect.top(), one.figures[0].person)):
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
