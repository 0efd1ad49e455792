"""The list of recognized actions: when, how long, who, what, how sure. A click goes to the start of one."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt, pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QLabel, QTableView, QVBoxLayout, QWidget

from app import theme
from app.presenter import clock, readable
from live.view import ActionEvent

COLUMNS = ("Start", "Length", "", "Action", "")
COLUMN_HINTS = ("Time since the start", "How long it lasted", "Person", "What was recognized", "Mean confidence")


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
        if orientation == Qt.Horizontal and role == Qt.ToolTipRole:
            return COLUMN_HINTS[section]
        if orientation == Qt.Horizontal and role == Qt.TextAlignmentRole:
            return int(Qt.AlignLeft | Qt.AlignVCenter)
        return None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Texts and colors."""
        event = self.rows[index.row()]
        if role == Qt.DisplayRole:
            return _texts(event)[index.column()]
        if role == Qt.ForegroundRole:
            return QColor(*self._color(event, index.column()))
        if role == Qt.ToolTipRole:
            return f"{readable(event.label)}, person {event.person}, confidence {event.confidence:.0%}"
        return None

    @staticmethod
    def _color(event: ActionEvent, column: int) -> theme.Color:
        if column == 2:
            return theme.person_color(event.person)
        return theme.TEXT if column == 3 else theme.QUIET


class EventPanel(QFrame):
    """The table with its heading; emits the start of the event that was clicked."""

    picked = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        heading = QLabel("EVENTS")
        heading.setObjectName("heading")
        self.table = EventTable()
        self.view = QTableView()
        self.view.setModel(self.table)
        self.view.setShowGrid(False)
        self.view.setFocusPolicy(Qt.NoFocus)
        self.view.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SingleSelection)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(27)
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        for column, width in enumerate((60, 54, 22, 0, 48)):
            header.setSectionResizeMode(column, QHeaderView.Stretch if column == 3 else QHeaderView.Fixed)
            header.resizeSection(column, width)
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
    return clock(event.start_s), length, str(event.person), readable(event.label), f"{event.confidence:.0%}"
