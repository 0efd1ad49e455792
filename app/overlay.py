"""What the side panels say, painted into the video: the scores of everybody in view, and what is played."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, Qt
from PyQt5.QtGui import QColor, QFont, QPainter

from app import theme
from app.labels import PLATE, paint_plate
from app.presenter import Presenter, readable
from live.view import PersonView, PipelineView

WIDTH = 260.0
ROW = 22.0
PAD = 12.0
BEST = 3
"""Classes shown for each person."""
MOST_PEOPLE = 6


def paint_scores(painter: QPainter, target: QRectF, presenter: Presenter, view: PipelineView) -> None:
    """Paints the likeliest classes of everybody in view, in the upper right corner."""
    people = [one for one in view.people if one.probabilities is not None][:MOST_PEOPLE]
    if not people or view.model is None:
        return
    height = PAD + len(people) * (BEST * ROW + PAD)
    plate = QRectF(target.right() - WIDTH - 14, target.top() + 14, WIDTH, height)
    paint_plate(painter, plate, 8, PLATE)
    top = plate.top() + PAD
    for one in people:
        _paint_person(painter, QRectF(plate.left() + PAD, top, WIDTH - 2 * PAD, BEST * ROW), one, view)
        top += BEST * ROW + PAD


def paint_source(painter: QPainter, target: QRectF, presenter: Presenter, view: PipelineView) -> None:
    """Paints name and time of the source and name of the model in the lower right corner."""
    texts = [view.source.name if view.source else "", presenter.transport(view).text]
    texts.append(f"{view.model.card.name} on {view.model.provider}" if view.model else "")
    painter.setFont(_font(painter, 13))
    painter.setPen(QColor(*theme.QUIET))
    place = target.adjusted(0, 0, -16, -12)
    painter.drawText(place, Qt.AlignRight | Qt.AlignBottom, "  ·  ".join(text for text in texts if text))


def _paint_person(painter: QPainter, place: QRectF, one: PersonView, view: PipelineView) -> None:
    assert view.model is not None and one.probabilities is not None
    color = QColor(*theme.person_color(one.person))
    painter.setPen(Qt.NoPen)
    painter.setBrush(color)
    painter.drawRoundedRect(QRectF(place.left() - 5, place.top() + 2, 3, place.height() - 6), 1.5, 1.5)
    best = sorted(zip(one.probabilities, view.model.card.labels), reverse=True)[:BEST]
    for index, (probability, label) in enumerate(best):
        row = QRectF(place.left() + 4, place.top() + index * ROW, place.width() - 4, ROW)
        is_action = label == one.label
        painter.setFont(_font(painter, 13, is_strong=is_action))
        painter.setPen(QColor(*(theme.TEXT if is_action else theme.QUIET)))
        text = row.adjusted(0, 0, 0, -5)
        room = int(text.width()) - 44
        name = painter.fontMetrics().elidedText(readable(label), Qt.ElideRight, room)
        painter.drawText(text, Qt.AlignLeft | Qt.AlignVCenter, name)
        painter.drawText(text, Qt.AlignRight | Qt.AlignVCenter, f"{probability:.0%}")
        painter.setPen(Qt.NoPen)
        painter.setBrush(QColor(*theme.LINE))
        bar = QRectF(row.left(), row.bottom() - 4, row.width(), 2)
        painter.drawRect(bar)
        painter.setBrush(color)
        bar.setWidth(bar.width() * float(probability))
        painter.drawRect(bar)


def _font(painter: QPainter, size_px: int, *, is_strong: bool = False) -> QFont:
    font = QFont(painter.font())
    font.setPixelSize(size_px)
    font.setWeight(QFont.DemiBold if is_strong else QFont.Normal)
    return font
