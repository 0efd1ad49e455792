"""Sentences above the picture: what went wrong and what to do, until the cause is gone or somebody closes them."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app import theme
from live.view import Banner, Severity, loudest_first

MOST_BANNERS = 3
"""More at once would push the picture out of the window; the loudest come first."""
COLORS = {Severity.INFO: theme.ACCENT, Severity.WARNING: theme.WARNING, Severity.ERROR: theme.ERROR}


class BannerStack(QFrame):
    """Up to three sentences; emits the text of one that was closed."""

    closed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[Banner, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self.hide()

    @property
    def texts(self) -> list[str]:
        """What is shown."""
        return [banner.text for banner in self._shown]

    def show_banners(self, banners: Sequence[Banner]) -> None:
        """Shows these sentences and no others; of many the loudest."""
        wanted = loudest_first(banners)[:MOST_BANNERS]
        if wanted == self._shown:
            return
        self._shown = wanted
        while self._column.count():
            self._column.takeAt(0).widget().deleteLater()
        for banner in wanted:
            self._column.addWidget(self._row(banner))
        self.setVisible(bool(wanted))

    def _row(self, banner: Banner) -> QFrame:
        row = QFrame()
        color = theme.css(COLORS[banner.severity])
        row.setStyleSheet(
            f"QFrame {{ background: {theme.css(theme.RAISED)}; border: none; border-left: 3px solid {color};"
            " border-radius: 4px; } QLabel { border: none; }"
        )
        text = QLabel(banner.text)
        text.setTextFormat(Qt.PlainText)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        close = QToolButton()
        close.setText("×")
        close.setAccessibleName("Close this message")
        close.setFocusPolicy(Qt.NoFocus)
        close.clicked.connect(lambda _checked=False: self.closed.emit(banner.text))
        line = QHBoxLayout(row)
        line.setContentsMargins(12, 6, 6, 6)
        line.addWidget(text, 1)
        line.addWidget(close, 0, Qt.AlignTop)
        return row
