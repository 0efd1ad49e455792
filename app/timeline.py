"""The seek slider: where playback stands, with every recognized action as a bar of its person's color above it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PyQt5.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSlider, QWidget

from app import theme
from app.presenter import ended
from live.view import ActionEvent

EDGE = 8
"""Pixels kept free at both ends, so that the handle is never cut."""
LANES = 3
LANE_HEIGHT = 4
LIVE_WINDOW_S = 30.0
"""Without an end the bar shows so many last seconds."""
LONGEST_S = 2e6
"""Seconds, three weeks: a slider counts milliseconds in 31 bits."""


class Timeline(QSlider):
    """A slider in milliseconds that draws the events, and goes where it is clicked."""

    seeked = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Horizontal, parent)
        self.setMinimumSize(160, 34)
        self.setFocusPolicy(Qt.NoFocus)  # the arrow keys step through frames, wherever the focus is
        self.setAccessibleName("Position")
        self._events: tuple[ActionEvent, ...] = ()
        self._now_s = -1.0
        self._duration_s: float | None = None
        self.is_dragged = False

    def show_position(self, now_s: float, duration_s: float | None, events: Sequence[ActionEvent]) -> None:
        """Shows where playback stands and what was recognized."""
        # Without an end only the last seconds are drawn: an hour's events would take longer than the picture.
        first_s = -math.inf if duration_s else now_s - LIVE_WINDOW_S
        recent = tuple(one for one in events if one.end_s is None or one.end_s >= first_s)
        shown = (now_s, duration_s, recent)
        if shown == (self._now_s, self._duration_s, self._events):
            return
        self._now_s, self._duration_s, self._events = shown
        self.setEnabled(bool(duration_s))
        self.setMaximum(_ms(duration_s or 0.0))
        if not self.is_dragged:
            self.setValue(_ms(now_s))
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Goes where it is clicked."""
        if event.button() == Qt.LeftButton:
            self.is_dragged = True
            self._seek(event.pos().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follows the mouse."""
        if self.is_dragged:
            self._seek(event.pos().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Lets go."""
        self.is_dragged = False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draws groove, events and handle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        y = self.height() - 11.0
        left, right = self._span()
        painter.setBrush(QColor(*theme.LINE))
        painter.drawRoundedRect(QRectF(left, y - 2, right - left, 4), 2, 2)
        for action in self._events:
            self._paint_event(painter, action, y)
        if self.isEnabled():
            x = self._x(self.value() / 1000)
            painter.setBrush(QColor(*theme.ACCENT))
            painter.drawRoundedRect(QRectF(left, y - 2, x - left, 4), 2, 2)
            painter.setBrush(QColor(*theme.TEXT))
            painter.drawEllipse(QPointF(x, y), 6, 6)

    def _paint_event(self, painter: QPainter, action: ActionEvent, groove_y: float) -> None:
        left, right = self._span()
        end_s = ended(action, at_s=self._now_s).end_s or action.start_s
        start_x, end_x = self._x(action.start_s), self._x(end_s)
        if end_x < left or start_x > right:
            return
        start_x = max(start_x, left)
        for person in action.people:  # what two do together is in both lanes
            top = groove_y - 8 - ((person - 1) % LANES + 1) * (LANE_HEIGHT + 1)
            color = QColor(*theme.person_color(person))
            if action.end_s is not None:
                color.setAlpha(190)
            painter.setBrush(color)
            painter.drawRoundedRect(QRectF(start_x, top, max(3.0, min(end_x, right) - start_x), LANE_HEIGHT), 2, 2)

    def _span(self) -> tuple[float, float]:
        return float(EDGE), float(self.width() - EDGE)

    def _range_s(self) -> tuple[float, float]:
        if self._duration_s:
            return 0.0, self._duration_s
        return self._now_s - LIVE_WINDOW_S, self._now_s

    def _x(self, time_s: float) -> float:
        (left, right), (first_s, last_s) = self._span(), self._range_s()
        return left + (right - left) * (time_s - first_s) / (last_s - first_s)

    def _seek(self, x: int) -> None:
        left, right = self._span()
        share = min(1.0, max(0.0, (x - left) / (right - left)))
        self.setValue(round(share * self.maximum()))
        self.seeked.emit(self.value() / 1000)


def _ms(time_s: float) -> int:
    """Milliseconds, as many as Qt's slider can count: a file may claim to last for years."""
    return round(min(time_s, LONGEST_S) * 1000)
