"""The score panel: the chosen person's class probabilities as bars, and the people to choose from."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.presentation import ScoreRow, Scores

ROW_HEIGHT = 30
BAR_HEIGHT = 5
BUTTON_HEIGHT, BUTTON_PAD = 22, 10
"""Six people's buttons stand side by side up to four digits; the padding is of both sides together."""


class Bars(QWidget):
    """One bar a class, with the probability at which its action starts as a thin line; gray for the background."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[ScoreRow, ...] = ()
        self._color: theme.Color = theme.ACCENT
        self._note, self._room = "", 1
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setMinimumHeight(ROW_HEIGHT)

    def sizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(200, self._room * ROW_HEIGHT)

    def show_scores(self, scores: Scores) -> None:
        """Shows other values."""
        is_resized = scores.room != self._room
        self._rows, self._note, self._room = scores.rows, scores.note, scores.room
        self._color = theme.person_color(scores.person) if scores.person else theme.ACCENT
        if is_resized:
            self.updateGeometry()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draws the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        if not self._rows:
            painter.setPen(QColor(*theme.QUIET))
            painter.drawText(self.rect().adjusted(0, 6, 0, 0), Qt.AlignLeft | Qt.AlignTop, self._note)
        row_height = min(float(ROW_HEIGHT), self.height() / max(1, len(self._rows)))
        for index, row in enumerate(self._rows):
            self._paint_row(painter, row, QRectF(0, index * row_height, self.width(), row_height))

    def _paint_row(self, painter: QPainter, row: ScoreRow, place: QRectF) -> None:
        text = QRectF(place.left(), place.top(), place.width(), place.height() - BAR_HEIGHT - 4)
        bar = QRectF(place.left(), place.bottom() - BAR_HEIGHT - 4, place.width(), BAR_HEIGHT)
        painter.setPen(QColor(*(theme.TEXT if row.is_action else theme.QUIET)))
        number = f"{row.probability:.0%}"
        room = int(place.width()) - painter.fontMetrics().horizontalAdvance(number) - 8
        label = painter.fontMetrics().elidedText(row.label, Qt.ElideRight, room)
        painter.drawText(text, Qt.AlignLeft | Qt.AlignVCenter, label)
        painter.drawText(text, Qt.AlignRight | Qt.AlignVCenter, number)
        painter.setPen(Qt.NoPen)
        painter.setBrush(QColor(*theme.RAISED))
        painter.drawRoundedRect(bar, 2, 2)
        color = QColor(*(theme.FAINT if row.threshold is None else self._color))
        color.setAlpha(255 if row.is_action else 120)
        painter.setBrush(color)
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * row.probability, bar.height()), 2, 2)
        if row.threshold is not None:
            x = bar.left() + bar.width() * row.threshold
            painter.setPen(QPen(QColor(*theme.FAINT), 1))
            painter.drawLine(int(x), int(bar.top()) - 1, int(x), int(bar.bottom()) + 1)


class ScorePanel(QFrame):
    """Bars, and a numbered button for each person; emits the person chosen."""

    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        heading = QLabel("SCORES")
        heading.setObjectName("heading")
        self.bars = Bars()
        self.buttons: dict[int, QToolButton] = {}
        people = QWidget()
        people.setFixedHeight(BUTTON_HEIGHT)  # nobody in view: the bars stay where they are
        self._row = QHBoxLayout(people)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        self._row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        for widget in (heading, people, self.bars):
            column.addWidget(widget)

    def show_scores(self, scores: Scores) -> None:
        """Shows other values, and a button for everybody in view."""
        if tuple(self.buttons) != scores.people:
            self._make_buttons(scores.people)
        for number, button in self.buttons.items():
            button.setChecked(number == scores.person)
        self.bars.show_scores(scores)

    def _make_buttons(self, people: tuple[int, ...]) -> None:
        for button in self.buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = {number: self._button(number) for number in people}
        for place, button in enumerate(self.buttons.values()):
            self._row.insertWidget(place, button)

    def _button(self, number: int) -> QToolButton:
        button = QToolButton()
        button.setText(str(number))
        button.setCheckable(True)
        button.setFocusPolicy(Qt.NoFocus)
        button.setToolTip(f"Show the scores of person {number}")
        color = theme.css(theme.person_color(number))
        button.setStyleSheet(
            f"QToolButton {{ color: {color}; font-weight: 600; padding: 1px 4px; border-radius: 9px; }}"
            f"QToolButton:checked {{ background: {color}; color: {theme.css(theme.BACKGROUND)}; }}"
        )
        button.ensurePolished()  # the font is known from here on
        button.setMinimumWidth(BUTTON_HEIGHT)  # more digits than there is room for end in "…"
        button.setMaximumWidth(max(28, button.fontMetrics().horizontalAdvance(button.text()) + BUTTON_PAD))
        button.clicked.connect(lambda _checked=False: self.chosen.emit(number))
        return button
