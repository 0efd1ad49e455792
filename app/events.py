"""The list of recognized actions: when, how long, who, what, how sure. A click goes to the start of one."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QPainter
from PyQt5.QtWidgets import (
    QFrame,
    QLabel,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.labels import BADGE_PAD, paint_badge
from app.wording import clock, numbers, readable
from live.view import ActionEvent

COLUMNS = ("Start", "Length", "Person", "Action", "Confidence")
ROW_HEIGHT = 46
BADGE = 20
PEOPLE_ROLE = Qt.UserRole
"""The numbers of everybody who does it."""


class EventTable(QAbstractTableModel):
    """Events, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[ActionEvent, ...] = ()

    def replace(self, rows: tuple[ActionEvent, ...]) -> None:
        """Shows other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        """Number of events."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles."""
        if orientation == Qt.Horizontal and role == Qt.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Texts and colors."""
        event = self.rows[index.row()]
        if role == Qt.DisplayRole:
            return _texts(event)[index.column()]
        if role == Qt.ToolTipRole:
            return f"{readable(event.label)}, {_who(event)}, confidence {event.confidence:.0%}"
        if role == Qt.AccessibleTextRole:
            return _sentence(event)
        return event.people if role == PEOPLE_ROLE else None


class EventRow(QStyledItemDelegate):
    """Draws an event in two lines: names of actions are long, and the panel is narrow."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Two lines."""
        return QSize(option.rect.width(), ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draws badge, action, confidence, and below start and length."""
        start, length, _, action, confidence = (
            index.sibling(index.row(), column).data() for column in range(len(COLUMNS))
        )
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        place = QRectF(option.rect).adjusted(4, 0, -8, 0)
        if option.state & QStyle.State_MouseOver:
            painter.fillRect(option.rect, QColor(*theme.RAISED))
        painter.setPen(QColor(*theme.LINE))
        painter.drawLine(place.bottomLeft(), place.bottomRight())
        people = index.data(PEOPLE_ROLE)
        widest = max(painter.fontMetrics().horizontalAdvance(str(person)) for person in people)
        width = max(BADGE, widest + BADGE_PAD)
        for row, person in enumerate(people):  # of two, one above the other
            y = place.center().y() + (row - (len(people) - 1) / 2) * (BADGE + 1)
            badge = QRectF(place.left(), y - BADGE / 2, width, BADGE)
            paint_badge(painter, badge, person, theme.person_color(person))
        text = place.adjusted(width + 10, 5, 0, -6)
        room = int(text.width()) - painter.fontMetrics().horizontalAdvance(confidence) - 8
        painter.setPen(QColor(*theme.TEXT))
        painter.drawText(text, Qt.AlignLeft, painter.fontMetrics().elidedText(action, Qt.ElideRight, room))
        painter.setPen(QColor(*theme.QUIET))
        painter.drawText(text, Qt.AlignRight, confidence)
        painter.drawText(text, Qt.AlignLeft | Qt.AlignBottom, f"{start}  ·  {length}")
        painter.restore()


class EventPanel(QFrame):
    """The list with its heading; emits the start of the event that was clicked."""

    picked = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        heading = QLabel("EVENTS")
        heading.setObjectName("heading")
        self.table = EventTable()
        self.view = QListView()
        self.view.setModel(self.table)
        self.view.setItemDelegate(EventRow(self.view))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setFocusPolicy(Qt.NoFocus)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.view.clicked.connect(lambda index: self.picked.emit(self.table.rows[index.row()].start_s))
        self.empty = QLabel("Actions appear here when they start.")
        self.empty.setObjectName("quiet")
        self.empty.setAlignment(Qt.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 8, 10)
        column.addWidget(heading)
        column.addWidget(self.empty, 1)
        column.addWidget(self.view, 1)
        self.show_events(())

    def show_events(self, events: tuple[ActionEvent, ...]) -> None:
        """Shows the events, the newest first."""
        if events != self.table.rows:
            self.table.replace(events)
        self.empty.setVisible(not events)
        self.view.setVisible(bool(events))


def _texts(event: ActionEvent) -> tuple[str, ...]:
    length = "…" if event.end_s is None else f"{event.end_s - event.start_s:.1f} s"
    return clock(event.start_s), length, numbers(event), readable(event.label), f"{event.confidence:.0%}"


def _who(event: ActionEvent) -> str:
    return f"{'person' if event.other_person is None else 'persons'} {numbers(event)}"


def _sentence(event: ActionEvent) -> str:
    """The whole row, for who has it read out."""
    length = "still going on" if event.end_s is None else f"{event.end_s - event.start_s:.1f} seconds long"
    what = f"{readable(event.label)}, from {clock(event.start_s)}, {length}"
    return f"{_who(event).capitalize()}: {what}, confidence {event.confidence:.0%}."
