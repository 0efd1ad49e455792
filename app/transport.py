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
JUMP_S = 5.0
JUST_BEGUN_S, AT_START_S = 1.0, 0.1
"""Who goes to the previous event has played a moment of this one, and means the one before; a seek ends at a frame,
which is not exactly where the event starts."""


class TransportBar(QFrame):
    """Buttons, slider and time; emits :class:`Transport` commands."""

    commanded = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.state = TransportState()
        self.previous_start_s: float | None = None
        self.next_start_s: float | None = None
        """Where the events before and after this moment start; None where there is none, or no way to it."""
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
        self.speed.setToolTip("Speed ([ and ])")
        self.speed.setAccessibleName("Speed")
        self.speed.setFocusPolicy(Qt.NoFocus)
        self.speed.addItems([speed_text(speed) for speed in SPEEDS])
        self.speed.activated.connect(lambda row: self.commanded.emit(Transport(speed=SPEEDS[row])))
        self.loop = self._button("loop", "Start again at the end (Ctrl+L)", self.toggle_loop)
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
        if state.is_playing != self.state.is_playing:
            self.play.setIcon(icon("pause" if state.is_playing else "play"))
        self.state = state
        for widget in (self.play, self.speed):
            widget.setEnabled(state.can_pause)
        for widget in (self.back, self.forward, self.loop):
            widget.setEnabled(state.can_step)
        self.previous_start_s, self.next_start_s = _around(state, events)
        self.time.setText(state.text)
        self.timeline.show_position(state.time_s, state.duration_s if state.can_seek else None, events)
        self.loop.setChecked(state.is_looping)
        if state.speed is not None and not self.speed.view().isVisible():
            self.speed.setCurrentIndex(nearest_speed(state.speed))

    def toggle(self) -> None:
        """Asks to play when paused, and to pause when playing."""
        if self.state.can_pause:
            self.commanded.emit(Transport(play=not self.state.is_playing))

    def step(self, frames: int) -> None:
        """Asks for the next or the previous frame."""
        if self.state.can_step:
            self.commanded.emit(Transport(step=frames))

    def jump(self, *, is_on: bool) -> None:
        """Asks for a time ``JUMP_S`` later or earlier, and not beyond the ends."""
        if self.state.can_seek:
            time_s = min(self.state.time_s + (JUMP_S if is_on else -JUMP_S), self.state.duration_s or 0.0)
            self.commanded.emit(Transport(seek_s=max(0.0, time_s)))

    def go_to_event(self, *, is_next: bool) -> None:
        """Asks for the start of the next or the previous event."""
        start_s = self.next_start_s if is_next else self.previous_start_s
        if start_s is not None:
            self.commanded.emit(Transport(seek_s=start_s))

    def can_change_speed(self, steps: int) -> bool:
        """Whether there is a speed so many steps faster."""
        return self.state.can_pause and 0 <= self.speed.currentIndex() + steps < len(SPEEDS)

    def change_speed(self, steps: int) -> None:
        """Asks for a speed so many steps faster, or slower."""
        if self.can_change_speed(steps):
            self.speed.setCurrentIndex(self.speed.currentIndex() + steps)
            self.commanded.emit(Transport(speed=SPEEDS[self.speed.currentIndex()]))

    def toggle_loop(self) -> None:
        """Asks to start again at the end, or to stop there."""
        self.commanded.emit(Transport(loop=not self.state.is_looping))

    def _button(self, name: str, hint: str, ask: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.setFocusPolicy(Qt.NoFocus)
        button.clicked.connect(lambda _checked=False: ask())
        return button


def _around(state: TransportState, events: Sequence[ActionEvent]) -> tuple[float | None, float | None]:
    """The starts of the events before and after where playback stands."""
    if not state.can_seek:
        return None, None
    before_s = state.time_s - (JUST_BEGUN_S if state.is_playing else AT_START_S)
    before = max((one.start_s for one in events if one.start_s < before_s), default=None)
    after = min((one.start_s for one in events if one.start_s > state.time_s + AT_START_S), default=None)
    return before, after


def nearest_speed(speed: float) -> int:
    """Returns the row of ``SPEEDS`` that comes nearest."""
    return min(range(len(SPEEDS)), key=lambda row: _difference(SPEEDS[row], speed))


def _difference(one: float, other: float) -> float:
    """Distance of two speeds as people see it: 2x and 0.5x are equally far from 1x, and "max" from everything."""
    if math.isinf(one) or math.isinf(other):
        return 0.0 if one == other else math.inf
    return abs(math.log(one / other))
