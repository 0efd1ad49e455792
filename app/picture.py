"""The picture: shows a scene, tells which person was clicked."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from app import theme
from app.painting import ScenePainter, View
from app.scene import Scene

CORNER = 8
REACH_PX = 60.0
"""A click at most so far from a joint means that person."""


class Picture(QWidget):
    """Paints the newest scene; emits the number of the person clicked, or 0 for nobody."""

    clicked = pyqtSignal(int)
    painted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setMinimumSize(480, 300)
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.setAccessibleName("Picture")
        self.scene = Scene()
        self._painter = ScenePainter()
        self._view: View | None = None

    def sizeHint(self) -> QSize:
        """Sixteen to nine."""
        return QSize(960, 540)

    def show_scene(self, scene: Scene) -> None:
        """Shows another scene."""
        self.scene = scene
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the scene with rounded corners."""
        painter = QPainter(self)
        self._view = self._painter.paint(painter, QRectF(self.rect()), self.scene)
        self._round_corners(painter)
        painter.end()
        self.painted.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Finds the person under the mouse."""
        if event.button() != Qt.LeftButton or self._view is None:
            return
        best, person = REACH_PX, 0
        for figure in self.scene.figures:
            points = self._view.place(figure.points[figure.state > 0])
            if len(points):
                distance = float(np.hypot(*(points - [event.x(), event.y()]).T).min())
                best, person = (distance, figure.person) if distance < best else (best, person)
        self.clicked.emit(person)

    def _round_corners(self, painter: QPainter) -> None:
        """Covers the corners with the window's color: cheaper than clipping everything to a rounded path."""
        path = QPainterPath()
        path.addRect(QRectF(self.rect()))
        inside = QPainterPath()
        inside.addRoundedRect(QRectF(self.rect()), CORNER, CORNER)
        painter.fillPath(path.subtracted(inside), QColor(*theme.BACKGROUND))
