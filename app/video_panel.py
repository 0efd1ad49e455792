"""What the window's side panels say, painted beside the picture of a video: scores, last events, source and model."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, Qt
from PyQt5.QtGui import QColor, QFont, QPainter

from app import theme
from app.presenter import Presenter, events_of
from app.wording import class_name, clock, numbers, readable
from live.view import ActionEvent, PersonView, PipelineView

PAD = 16.0
ROW = 22.0
TEXT_PX = 13
BEST = 3
"""Classes shown for each person."""
MOST_PEOPLE = 6
NUMBER_WIDTH = 44


def paint_panel(painter: QPainter, place: QRectF, presenter: Presenter, view: PipelineView) -> None:
    """Paints the panel: the likeliest classes of everybody, then as many events as there is room for."""
    painter.fillRect(place, QColor(*theme.PANEL))
    inside = place.adjusted(PAD, PAD, -PAD, -PAD)
    top = _paint_heading(painter, inside, inside.top(), "SCORES")
    for one in [one for one in view.people if one.probabilities is not None][:MOST_PEOPLE]:
        top = _paint_person(painter, inside, top, one, view)
    top = _paint_heading(painter, inside, top + 6, "EVENTS")
    foot = inside.bottom() - 2 * ROW
    for event in events_of(presenter.events):
        if top + 2 * ROW > foot:
            break
        top = _paint_event(painter, inside, top, event)
    texts = (f"{view.source.name if view.source else ''}  ·  {presenter.transport(view).text}", _model_text(view))
    for index, text in enumerate(texts):
        _line(painter, inside, foot + index * ROW, text, "", theme.QUIET)


def _paint_heading(painter: QPainter, inside: QRectF, top: float, text: str) -> float:
    painter.setFont(_font(painter, 11, is_strong=True))
    painter.setPen(QColor(*theme.QUIET))
    painter.drawText(QRectF(inside.left(), top, inside.width(), ROW), Qt.AlignLeft | Qt.AlignVCenter, text)
    return top + ROW + 4


def _paint_person(painter: QPainter, inside: QRectF, top: float, one: PersonView, view: PipelineView) -> float:
    assert view.model is not None and one.probabilities is not None
    color = theme.person_color(one.person)
    card = view.model.card
    painter.fillRect(QRectF(inside.left(), top + 2, 3, BEST * ROW - 4), QColor(*color))
    row = inside.adjusted(10, 0, 0, 0)
    for probability, label in sorted(zip(one.probabilities, card.labels), reverse=True)[:BEST]:
        is_action = label == one.label
        ink = theme.TEXT if is_action else theme.QUIET
        _line(painter, row, top - 3, class_name(label, card), f"{probability:.0%}", ink, is_strong=is_action)
        bar = QRectF(row.left(), top + ROW - 4, row.width(), 2)
        painter.fillRect(bar, QColor(*theme.LINE))
        bar.setWidth(bar.width() * float(probability))
        painter.fillRect(bar, QColor(*(theme.FAINT if label == card.background else color)))
        top += ROW
    return top + 10


def _paint_event(painter: QPainter, inside: QRectF, top: float, event: ActionEvent) -> float:
    length = "…" if event.end_s is None else f"{event.end_s - event.start_s:.1f} s"
    height = (2 * ROW - 8) / len(event.people)
    for index, person in enumerate(event.people):
        painter.fillRect(
            QRectF(inside.left(), top + 2 + index * height, 3, height), QColor(*theme.person_color(person))
        )
    row = inside.adjusted(10, 0, 0, 0)
    _line(painter, row, top - 2, readable(event.label), f"{event.confidence:.0%}", theme.TEXT)
    who = f"  ·  {numbers(event)}" if event.other_person else ""
    _line(painter, row, top + ROW - 6, f"{clock(event.start_s)}  ·  {length}{who}", "", theme.QUIET)
    return top + 2 * ROW + 4


def _line(
    painter: QPainter, row: QRectF, top: float, text: str, number: str, ink: theme.Color, *, is_strong: bool = False
) -> None:
    painter.setFont(_font(painter, TEXT_PX, is_strong=is_strong))
    painter.setPen(QColor(*ink))
    place = QRectF(row.left(), top, row.width(), ROW)
    room = int(row.width()) - (NUMBER_WIDTH if number else 0)
    shown = painter.fontMetrics().elidedText(text, Qt.ElideRight, room)
    painter.drawText(place, Qt.AlignLeft | Qt.AlignVCenter, shown)
    painter.drawText(place, Qt.AlignRight | Qt.AlignVCenter, number)


def _model_text(view: PipelineView) -> str:
    return f"{view.model.card.name} on {view.model.provider}" if view.model else "no model"


def _font(painter: QPainter, size_px: int, *, is_strong: bool = False) -> QFont:
    font = QFont(painter.font())
    font.setPixelSize(size_px)
    font.setWeight(QFont.DemiBold if is_strong else QFont.Normal)
    return font
