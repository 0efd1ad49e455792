"""The dialog that compares live and offline: a button, how far it is, a sentence, and a table of the actions."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QBrush, QCloseEvent, QColor
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.comparison import COLUMNS, name_of, progress_share, progress_text, rows_of, run_of, verdict
from app.session import Choice, Session
from live.comparison import Comparison, ComparisonRun
from live.sources.base import Transport
from skeleton.errors import AppError

LOOK_MS = 100
ENDED_S = 1.0
"""A comparison that was canceled gets this long when the app ends."""
SIZE = (760, 460)
INTENT = (
    "Plays the recording without the threads, every frame in turn, and then through them at its own speed, as the "
    "window does. Both must come to the same actions, to the frame, as long as no frame is dropped. The playback in "
    "the window is paused meanwhile."
)
CANCELED = "Canceled; nothing was compared."


class ComparisonDialog(QDialog):
    """Compares for the recording that was open when it was shown; it stays open beside the window, which goes on.

    Args:
        session: Knows what is open.
        make: Makes a comparison that is not yet started.
        parent: The window.
    """

    def __init__(
        self, session: Session, *, make: Callable[[Choice], ComparisonRun] = run_of, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Compare live with offline")
        self._session, self._make, self._choice = session, make, session.choice
        self._run: ComparisonRun | None = None
        self._interrupted: int | None = None  # the session's revision, where it played when the comparison began
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._build()

    def open_anew(self) -> None:
        """Shows the dialog, for the recording that is open now unless a comparison runs."""
        if self._run is None:
            self._choice = self._session.choice  # kept: what is opened beside the dialog has another name
            self.name.setText(name_of(self._choice))
            self._say(INTENT)
            self.table.setRowCount(0)
        self.show()
        self.raise_()

    def end(self) -> None:
        """Closes the dialog for good, and waits until a comparison that runs has ended."""
        run = self._run
        self.close()
        if run is not None:
            run.thread.join(ENDED_S)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Cancels what runs; the dialog can be opened again."""
        self._cancel()
        event.accept()

    def reject(self) -> None:
        """Escape closes too."""
        self.close()

    def _start_or_cancel(self) -> None:
        if self._run is not None:
            self._cancel()
            self._say(CANCELED)
            return
        self.table.setRowCount(0)
        try:
            self._run = self._make(self._choice)
        except AppError as error:
            self._say(str(error))
            return
        self._interrupted = self._session.revision if self._session.is_playing else None
        self._session.command(Transport(play=False))  # both at once would drop frames
        self._run.start()
        self.action.setText("&Cancel")
        self._timer.start()
        self._look()

    def _look(self) -> None:
        run = self._run
        if run is None:
            return
        self.sentence.setText(progress_text(run.progress))
        self.progress.setValue(round(1000 * progress_share(run.progress)))
        if run.is_over:
            self._stop_looking()
            self._show_result(run)

    def _show_result(self, run: ComparisonRun) -> None:
        try:
            comparison = run.result()
        except AppError as error:
            self._say(str(error))
            return
        if comparison is not None:
            self._say(verdict(comparison), share=1.0)
            self._fill(comparison)

    def _fill(self, comparison: Comparison) -> None:
        rows = rows_of(comparison)
        self.table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            for column, text in enumerate(row.texts):
                item = QTableWidgetItem(text)
                if row.differs:
                    item.setForeground(QBrush(QColor(*theme.WARNING)))
                self.table.setItem(place, column, item)

    def _cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()
            self._stop_looking()

    def _stop_looking(self) -> None:
        self._timer.stop()
        self._run = None
        self.action.setText("&Compare")
        if self._interrupted == self._session.revision:  # nothing else was opened meanwhile
            self._session.command(Transport(play=True))
        self._interrupted = None

    def _say(self, sentence: str, *, share: float = 0.0) -> None:
        self.sentence.setText(sentence)
        self.progress.setValue(round(1000 * share))

    def _build(self) -> None:
        self.name, self.sentence = QLabel(), QLabel(INTENT)
        self.name.setObjectName("title")
        for label in (self.name, self.sentence):
            label.setWordWrap(True)
            label.setTextFormat(Qt.PlainText)  # a recording's names are no markup
        self.sentence.setMinimumHeight(3 * self.sentence.fontMetrics().lineSpacing())
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.NoSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeToContents)
        header.setSectionResizeMode(COLUMNS.index("Action"), QHeaderView.Stretch)
        header.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        self.action, self.leave = QPushButton("&Compare"), QPushButton("Cl&ose")
        self.action.clicked.connect(self._start_or_cancel)
        self.leave.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.action)
        buttons.addWidget(self.leave)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        for widget in (self.name, self.sentence, self.progress, self.table):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.resize(*SIZE)
