"""The menu bar and the keys: every action once, with its shortcut."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QAction, QActionGroup, QMainWindow, QMenu

from app.options import MODELS as MODELS_OF_APP
from app.transport import JUMP_S, TransportBar
from live.heat_kinds import DEFAULT_HEAT, HeatKind

RECORDINGS = "Recordings (*.skeleton *.mcap *.csv *.txt *.npz);;All files (*)"
MODELS = "Models (*.onnx)"
HEAT_KINDS = {
    HeatKind.EVIDENCE: ("&Evidence for the action shown", "Ctrl+1"),
    HeatKind.SPATIAL: ("&Spatial attention, as in the paper", "Ctrl+2"),
    HeatKind.COUPLED: ("&Coupled attention at this frame", "Ctrl+3"),
}


class Menu(QObject):
    """Builds the menu of ``window``; its actions are attributes."""

    opened = pyqtSignal(str, str)
    """A file is wanted: title of the dialog, and its filters."""
    model_chosen = pyqtSignal(str)
    """The name of a model that comes with the app."""
    heat_kind_changed = pyqtSignal()

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        bar = window.menuBar()
        file, playback, show = bar.addMenu("&File"), bar.addMenu("&Playback"), bar.addMenu("&View")
        self.open_recording = self._action(file, "Open &recording …", "Ctrl+O")
        self.open_model = self._action(file, "Open &model …", "Ctrl+M")
        self._add_models(file.addMenu("Model that comes &with the app"))
        self.demo = self._action(file, "Show the &demo", "Ctrl+D")
        file.addSeparator()
        self.save = self._action(file, "&Save events …", "Ctrl+S")
        file.addSeparator()
        self._action(file, "&Quit", "Ctrl+Q").triggered.connect(window.close)
        self.play = self._action(playback, "&Play or pause", "Space")
        self.back = self._action(playback, "One frame &back", "Left")
        self.forward = self._action(playback, "One frame &on", "Right")
        playback.addSeparator()
        self.earlier = self._action(playback, f"&{JUMP_S:g} seconds back", "Shift+Left")
        self.later = self._action(playback, f"{JUMP_S:g} seconds o&n", "Shift+Right")
        self.previous_event = self._action(playback, "P&revious event", "Ctrl+Left")
        self.next_event = self._action(playback, "Ne&xt event", "Ctrl+Right")
        playback.addSeparator()
        self.slower = self._action(playback, "&Slower", "[")
        self.faster = self._action(playback, "&Faster", "]")
        self.loop = self._switch(playback, "&Loop", "Ctrl+L", is_on=False)
        playback.addSeparator()
        self.compare = self._action(playback, "&Compare live with offline …", "")
        recording = bar.addMenu("&Record")
        self.record = self._switch(recording, "&Record the skeletons", "R", is_on=False)
        self.video = self._switch(recording, "With the color &video", "", is_on=False)
        sensor = bar.addMenu("&Sensor")
        self.kinect = self._action(sensor, "Use the &Kinect", "")
        self.calibrate = self._action(sensor, "&Calibrate …", "Ctrl+K")
        self.heat = self._switch(show, "Joint &heat", "H", is_on=True)
        self._heat_kinds = self._add_heat_kinds(show.addMenu("Heat &shows"))
        self.labels = self._switch(show, "&Labels", "L", is_on=True)
        self.mirror = self._switch(show, "&Mirror the picture", "M", is_on=False)
        self.next_person = self._action(show, "&Next person", "N")
        show.addSeparator()
        self.close_message = self._action(show, "&Close message", "X")
        self.full_screen = self._switch(show, "&Full screen", "F", is_on=False)
        self._action(None, "Leave full screen, or close the message", "Esc").triggered.connect(self._escape)
        self.open_recording.triggered.connect(lambda: self.opened.emit("Open recording", RECORDINGS))
        self.open_model.triggered.connect(lambda: self.opened.emit("Open model", MODELS))

    def show_transport(self, bar: TransportBar) -> None:
        """Enables what the transport bar can do now."""
        state = bar.state
        self.play.setEnabled(state.can_pause)
        for action in (self.back, self.forward, self.loop):
            action.setEnabled(state.can_step)
        for action in (self.earlier, self.later):
            action.setEnabled(state.can_seek)
        self.previous_event.setEnabled(bar.previous_start_s is not None)
        self.next_event.setEnabled(bar.next_start_s is not None)
        self.slower.setEnabled(bar.can_change_speed(-1))
        self.faster.setEnabled(bar.can_change_speed(1))
        self.loop.setChecked(state.is_looping)

    def switches(self) -> dict[str, QAction]:
        """Returns the switches whose state is remembered, by the name it is remembered under."""
        return {"heat": self.heat, "labels": self.labels, "mirror": self.mirror}

    @property
    def heat_kind(self) -> HeatKind:
        """What the heat shows."""
        return next(kind for kind, action in self._heat_kinds.items() if action.isChecked())

    @heat_kind.setter
    def heat_kind(self, kind: HeatKind) -> None:
        self._heat_kinds[kind].setChecked(True)

    def _escape(self) -> None:
        """Leaves full screen; only where there is none, Escape closes a message."""
        if self.full_screen.isChecked():
            self.full_screen.setChecked(False)
        else:
            self.close_message.trigger()

    def _add_models(self, menu: QMenu) -> None:
        for name in MODELS_OF_APP:
            action = self._action(menu, f"&{name.capitalize()}", "")
            action.triggered.connect(lambda _=False, name=name: self.model_chosen.emit(name))

    def _add_heat_kinds(self, menu: QMenu) -> dict[HeatKind, QAction]:
        group, actions = QActionGroup(self._window), {}
        for kind, (text, key) in HEAT_KINDS.items():
            actions[kind] = self._switch(menu, text, key, is_on=kind is DEFAULT_HEAT)
            group.addAction(actions[kind])
            actions[kind].toggled.connect(lambda is_on: self.heat_kind_changed.emit() if is_on else None)
        return actions

    def _action(self, menu: QMenu | None, text: str, key: str) -> QAction:
        action = QAction(text, self._window)
        action.setShortcut(key)
        self._window.addAction(action)  # keys go on working when the menu bar is hidden
        if menu is not None:
            menu.addAction(action)
        return action

    def _switch(self, menu: QMenu, text: str, key: str, *, is_on: bool) -> QAction:
        action = self._action(menu, text, key)
        action.setCheckable(True)
        action.setChecked(is_on)
        return action
