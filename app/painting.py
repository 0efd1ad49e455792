"""Paints a scene: color picture or floor, bodies, attention heat, labels. The window and the video share it."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QImage, QLinearGradient, QPainter, QPen, QPolygonF

from app import theme
from app.discs import Discs, stamp
from app.labels import Labels, paint_message, paint_recording
from app.scene import Figure, Scene
from app.stage import FloorLines
from skeleton.layout import TRACKED

REFERENCE_HEIGHT = 720.0
"""Line widths and radii below are pixels in a picture of this height, and grow with it."""
BONE_WIDTH = 5.0
INFERRED_WIDTH = 3.0
OUTLINE_WIDTH = 2.4
"""A dark rim on both sides keeps bones readable over any video."""
FLOOR_OPACITY = 130
FLOOR_STEPS = 24
RIM = (8, 10, 14)
"""Rims and bones are opaque: where nothing shines through, Qt fills instead of blending, in half the time."""
MOST_SMOOTH = 3
"""With more people the rims keep their steps: smoothing them takes as long as the bones, and nobody looks."""
HOT_BONES = 0.82
"""Share of its own color that a bone keeps beside joints with heat; the rest is the rim's."""


class View:
    """How the canvas lies on the target: scaled to fit, centered, perhaps mirrored.

    Args:
        scene: What is drawn.
        target: Where, in the painter's coordinates.
    """

    def __init__(self, scene: Scene, target: QRectF) -> None:
        width, height = scene.size
        self.scale = min(target.width() / width, target.height() / height)
        self.rect = QRectF(0, 0, width * self.scale, height * self.scale)
        self.rect.moveCenter(target.center())
        self.is_mirrored = scene.is_mirrored
        self.unit = self.rect.height() / REFERENCE_HEIGHT
        self._canvas_width = width

    def place(self, points: np.ndarray) -> np.ndarray:
        """Returns (N, 2) target coordinates of (N, 2) canvas pixels."""
        placed = np.array(points, dtype=np.float64)
        if self.is_mirrored:
            placed[:, 0] = self._canvas_width - placed[:, 0]
        return placed * self.scale + np.array([self.rect.left(), self.rect.top()])


class ScenePainter:
    """Paints scenes; keeps the fitted color picture, or the backdrop, between scenes that share it."""

    def __init__(self) -> None:
        self._backdrop: QImage | None = None
        self._backdrop_key: object = None
        self._source: np.ndarray | None = None
        self._picture: QImage | None = None
        self._picture_key: object = None
        self._discs = Discs()
        self._labels = Labels()

    def paint(self, painter: QPainter, target: QRectF, scene: Scene) -> View:
        """Paints ``scene`` into ``target`` and returns how it lies there."""
        view = View(scene, target)
        painter.setRenderHints(QPainter.Antialiasing | QPainter.TextAntialiasing)
        if scene.image is not None:
            if not view.rect.contains(target):  # the bars beside a picture of another shape
                painter.fillRect(target, qcolor(theme.STAGE_BOTTOM))
            self._paint_image(painter, view, scene.image)
        else:
            self._paint_backdrop(painter, target, view, scene)
        painter.save()
        painter.setClipRect(target if scene.image is None else view.rect)
        self._discs.use(unit=view.unit, ratio=painter.device().devicePixelRatioF())
        for figure in scene.figures:
            _paint_figure(painter, view, figure, self._discs, has_smooth_rim=len(scene.figures) <= MOST_SMOOTH)
        painter.restore()
        self._labels.use(painter, unit=view.unit)
        if scene.shows_labels:
            people = [(view.place(one.points), one) for one in scene.figures]
            self._labels.paint(painter, view.rect, people, scene.bonds)
        if scene.legend is not None:
            self._labels.paint_legend(painter, view.rect, scene.legend)
        if scene.message:
            paint_message(painter, view.rect, view.unit, scene.message)
        if scene.recording:
            paint_recording(painter, target, view.unit, scene.recording)
        return view

    def _paint_image(self, painter: QPainter, view: View, image: np.ndarray) -> None:
        """Scales with cv2 (SIMD, a third of Qt's time) to device pixels, then hands Qt a view of that memory."""
        ratio = painter.device().devicePixelRatioF()
        size = (max(1, round(view.rect.width() * ratio)), max(1, round(view.rect.height() * ratio)))
        key = (size, view.is_mirrored)
        if self._picture is None or image is not self._source or key != self._picture_key:
            self._source, self._picture_key = image, key
            self._picture = wrap_rgb(_fitted(image, size, is_mirrored=view.is_mirrored))
            self._picture.setDevicePixelRatio(ratio)
        painter.drawImage(view.rect.topLeft(), self._picture)

    def _paint_backdrop(self, painter: QPainter, target: QRectF, view: View, scene: Scene) -> None:
        key = (id(scene.floor), scene.is_mirrored, target.width(), target.height(), scene.size)
        ratio = painter.device().devicePixelRatioF()
        if key != self._backdrop_key or self._backdrop is None:
            self._backdrop_key, self._floor = key, scene.floor  # holding the floor keeps its id its own
            self._backdrop = _drawn_backdrop(target, view, scene, ratio)
        painter.drawImage(target.topLeft(), self._backdrop)


def _fitted(image: np.ndarray, size: tuple[int, int], *, is_mirrored: bool) -> np.ndarray:
    import cv2  # here, because it takes a tenth of a second that a window without a video need not wait for

    if size != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cv2.flip(image, 1) if is_mirrored else image


def wrap_rgb(image: np.ndarray) -> QImage:
    """Returns (H, W, 3) uint8 RGB as a QImage without copying; the array must outlive it."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    wrapped = QImage(image.data, width, height, image.strides[0], QImage.Format_RGB888)
    wrapped._memory = image  # keeps the array alive as long as Python holds the wrapper
    return wrapped


def qcolor(color: theme.Color, opacity: int = 255) -> QColor:
    """Returns a Qt color."""
    return QColor(*color, opacity)


def _drawn_backdrop(target: QRectF, view: View, scene: Scene, ratio: float) -> QImage:
    image = QImage(max(1, round(target.width() * ratio)), max(1, round(target.height() * ratio)), QImage.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.Antialiasing)
    gradient = QLinearGradient(0, 0, 0, target.height())
    gradient.setColorAt(0.0, qcolor(theme.STAGE_TOP))
    gradient.setColorAt(1.0, qcolor(theme.STAGE_BOTTOM))
    painter.fillRect(QRectF(0, 0, target.width(), target.height()), gradient)
    painter.translate(-target.topLeft())
    if scene.floor is not None:
        _paint_floor(painter, view, scene.floor)
    painter.end()
    return image


def _paint_floor(painter: QPainter, view: View, floor: FloorLines) -> None:
    """Draws the pieces of each strength together: a pen for every piece costs more than the lines."""
    pieces = view.place(floor.pieces.reshape(-1, 2)).reshape(-1, 4)
    steps = np.ceil(floor.strength * FLOOR_STEPS).astype(int)
    for step in range(1, FLOOR_STEPS + 1):
        lines = [QLineF(*piece) for piece in pieces[steps == step].tolist()]
        if lines:
            opacity = int(FLOOR_OPACITY * step / FLOOR_STEPS)
            painter.setPen(QPen(qcolor(theme.GRID, opacity), max(1.0, 1.2 * view.unit), Qt.SolidLine, Qt.FlatCap))
            painter.drawLines(lines)


def _paint_figure(painter: QPainter, view: View, figure: Figure, discs: Discs, *, has_smooth_rim: bool) -> None:
    if figure.shadow is not None and np.isfinite(figure.shadow).all():
        painter.setPen(Qt.NoPen)
        painter.setBrush(qcolor((0, 0, 0), 90))
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in view.place(figure.shadow).tolist()]))
    points = view.place(figure.points).tolist()
    states = figure.state.tolist()
    _paint_bones(painter, figure, points, states, view.unit, has_smooth_rim=has_smooth_rim)
    if figure.heat is None:
        for (x, y), state in zip(points, states):
            if state:
                stamp(painter, discs.joint(figure.color, is_tracked=state == TRACKED), x, y)
        return
    levels = figure.heat.tolist()
    for index in np.argsort(np.nan_to_num(figure.heat, nan=-1.0)).tolist():  # the strongest on top
        if states[index]:
            stamp(painter, discs.hot(levels[index], is_tracked=states[index] == TRACKED), *points[index])


def _paint_bones(
    painter: QPainter,
    figure: Figure,
    points: list[list[float]],
    states: list[int],
    unit: float,
    *,
    has_smooth_rim: bool,
) -> None:
    """Flat ends, which the joints cover: Qt's raster engine draws such lines in a fifth of the time of round ones."""
    solid, dashed = [], []
    for a, b in figure.bones:
        if states[a] and states[b]:
            lines = solid if states[a] == states[b] == TRACKED else dashed
            lines.append(QLineF(*points[a], *points[b]))
    color = figure.color if figure.heat is None else _mixed(figure.color, RIM, HOT_BONES)
    if solid:
        painter.setRenderHint(QPainter.Antialiasing, has_smooth_rim)
        painter.setPen(QPen(qcolor(RIM), (BONE_WIDTH + OUTLINE_WIDTH) * unit, Qt.SolidLine, Qt.FlatCap))
        painter.drawLines(solid)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(qcolor(color), BONE_WIDTH * unit, Qt.SolidLine, Qt.FlatCap))
        painter.drawLines(solid)
    if dashed:
        pen = QPen(qcolor(figure.color, 200), INFERRED_WIDTH * unit, Qt.CustomDashLine, Qt.FlatCap)
        pen.setDashPattern([2.2, 1.8])
        painter.setPen(pen)
        painter.drawLines(dashed)


def _mixed(color: theme.Color, other: theme.Color, share: float) -> theme.Color:
    red, green, blue = (round(share * one + (1 - share) * two) for one, two in zip(color, other))
    return red, green, blue
