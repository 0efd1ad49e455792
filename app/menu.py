"""The menu bar and the keys: every action once, with its shortcut."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QAction, QMainWindow, QMenu

RECORDINGS = "Recordings (*.skeleton *.mcap *.csv *.txt *.npz);;All files (*)"
MODELS = "Models (*.onnx)"


class Menu(QObject):
    """Builds the menu of ``window``; its actions are attributes."""

    opened = pyqtSignal(str, str)
    """A file is wanted: title of the dialog, and its filters."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        bar = window.menuBar()
        file, playback, show = bar.addMenu("&File"), bar.addMenu("&Playback"), bar.addMenu("&View")
        self.open_recording = self._action(file, "Open &recording …", "Ctrl+O")
        self.open_model = self._action(file, "Open &model …", "Ctrl+M")
        self.demo = self._action(file, "Show the &demo", "Ctrl+D")
        file.addSeparator()
        self.save = self._action(file, "&Save events …", "Ctrl+S")
        file.addSeparator()
        self._action(file, "&Quit", "Ctrl+Q").triggered.connect(window.close)
        self.play = self._action(playback, "&Play or pause", "Space")
        self.back = self._action(playback, "One frame &back", "Left")
        self.forward = self._action(playback, "One frame &on", "Right")
        recording = bar.addMenu("&Record")
        self.record = self._switch(recording, "&Record the skeletons", "R", is_on=False)
        self.video = self._switch(recording, "With the color &video", "", is_on=False)
        sensor = bar.addMenu("&Sensor")
        self.calibrate = self._action(sensor, "&Calibrate …", "Ctrl+K")
        self.heat = self._switch(show, "Attention &heat", "H", is_on=True)
        self.labels = self._switch(show, "&Labels", "L", is_on=True)
        self.mirror = self._switch(show, "&Mirror the picture", "M", is_on=False)
        show.addSeparator()
        self.full_screen = self._switch(show, "&Full screen", "F", is_on=False)
        leave = self._action(None, "Leave full screen", "Esc")
        leave.triggered.connect(lambda: self.full_screen.setChecked(False))
        self.open_recording.triggered.connect(lambda: self.opened.emit("Open recording", RECORDINGS))
        self.open_model.triggered.connect(lambda: self.opened.emit("Open model", MODELS))

    def switches(self) -> dict[str, QAction]:
        """Returns the switches whose state is remembered, by the name it is remembered under."""
        return {"heat": self.heat, "labels": self.labels, "mirror": self.mirror}

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
