"""The transport bar: play, step, seek, speed, loop. It only asks; the picture shows what happened."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from app.icons import icon
from app.presentation import TransportState
from app.timeline import Timeline
from app.wording import speed_text
from live.sources.base import Transport
from live.view import ActionEvent

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, math.inf)


class TransportBar(QFrame):
    """Buttons, slider and time; emits :class:`Transport` commands."""

    commanded = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._state = TransportState()
        self.back = self._button("back", "One frame back (Left)", lambda: self.commanded.emit(Transport(step=-1)))
        self.play = self._button("pause", "Play or pause (Space)", self.toggle)
        self.forward = self._button("forward", "One frame on (Right)", lambda: self.commanded.emit(Transport(step=1)))
        self.timeline = Timeline()
        self.timeline.seeked.connect(lambda time_s: self.commanded.emit(Transport(seek_s=time_s)))
        self.time = QLabel()
        self.time.setObjectName("time")
        self.time.setMinimumWidth(112)
        self.time.setAlignment(Qt.AlignCenter)
        self.speed = QComboBox()
        self.speed.setToolTip("Speed")
        self.speed.setFocusPolicy(Qt.NoFocus)
        self.speed.addItems([speed_text(speed) for speed in SPEEDS])
        self.speed.activated.connect(lambda row: self.commanded.emit(Transport(speed=SPEEDS[row])))
        self.loop = self._button("loop", "Start again at the end", self._ask_loop)
        self.loop.setCheckable(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 10, 4)
        row.setSpacing(4)
        for widget in (self.back, self.play, self.forward):
            row.addWidget(widget)
        row.addWidget(self.timeline, 1)
        for widget in (self.time, self.speed, self.loop):
            row.addWidget(widget)
        self.speed.setCurrentIndex(nearest_speed(1.0))
        self.play.setIcon(icon("play"))
        self.show_state(TransportState(), ())

    def begin_anew(self, *, speed: float) -> None:
        """Forgets the source before; this one plays ``speed`` times as fast as it was, unless it says otherwise."""
        self.speed.hidePopup()
        self.speed.setCurrentIndex(nearest_speed(speed))
        self.timeline.is_dragged = False

    def show_state(self, state: TransportState, events: Sequence[ActionEvent]) -> None:
        """Shows where playback stands."""
        if state.is_playing != self._state.is_playing:
            self.play.setIcon(icon("pause" if state.is_playing else "play"))
        self._state = state
        for widget in (self.play, self.speed):
            widget.setEnabled(state.can_pause)
        for widget in (self.back, self.forward, self.loop):
            widget.setEnabled(state.can_step)
        self.time.setText(state.text)
        self.timeline.show_position(state.time_s, state.duration_s if state.can_seek else None, events)
        self.loop.setChecked(state.is_looping)
        if state.speed is not None and not self.speed.view().isVisible():
            self.speed.setCurrentIndex(nearest_speed(state.speed))

    def toggle(self) -> None:
        """Asks to play when paused, and to pause when playing."""
        if self._state.can_pause:
            self.commanded.emit(Transport(play=not self._state.is_playing))

    def step(self, frames: int) -> None:
        """Asks for the next or the previous frame."""
        if self._state.can_step:
            self.commanded.emit(Transport(step=frames))

    def _ask_loop(self) -> None:
        self.commanded.emit(Transport(loop=not self._state.is_looping))

    def _button(self, name: str, hint: str, ask: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.setFocusPolicy(Qt.NoFocus)
        button.clicked.connect(lambda _checked=False: ask())
        return button


def nearest_speed(speed: float) -> int:
    """Returns the row of ``SPEEDS`` that comes nearest."""
    return min(range(len(SPEEDS)), key=lambda row: _difference(SPEEDS[row], speed))


def _difference(one: float, other: float) -> float:
    """Distance of two speeds as people see it: 2x and 0.5x are equally far from 1x, and "max" from everything."""
    if math.isinf(one) or math.isinf(other):
        return 0.0 if one == other else math.inf
    return abs(math.log(one / other))
