"""The calibration dialog: what is known of the sensor, a measurement over the running source, and what it found.

What to do and what was found is ``calibration.assistant``'s business; this file shows it.
"""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QHideEvent, QImage, QPixmap
from PyQt5.QtWidgets import (
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from calibration import report, store
from calibration.assistant import Advice, CalibrationAssistant, Step
from calibration.color_map import ColorMap
from calibration.picture import HEADER, Picture, difference_picture, residual_picture
from calibration.store import Calibration
from live.sources.base import SourceInfo, SourceStatus
from live.view import PipelineView
from skeleton.errors import AppError, CalibrationError
from skeleton.frames import BodyFrame

PICTURE_SIZE = (560, 315)
BEGIN = "One person alone stands upright, two to four meters away and in full view, and keeps still for two seconds."
NOTHING_KNOWN = "Nothing is known of this sensor yet."
NO_SENSOR = "This source does not say which sensor it is, so what is measured here cannot be kept for it."
PAUSED = "Nothing is measured while playback stands still: press Play."
LOST = "Nothing is measured while the sensor sends no frames: press Measure again when it is back."


class CalibrationDialog(QDialog):
    """Calibrates the sensor of whatever source is open; it stays open beside the window."""

    saved = pyqtSignal(str)
    """A calibration was kept: what was kept, in a sentence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Calibrate the sensor")
        self._info: SourceInfo | None = None
        self._frame: BodyFrame | None = None
        self._assistant: CalibrationAssistant | None = None
        self._is_finished = False
        self._build()
        self._open(None)

    def show_view(self, view: PipelineView) -> None:
        """Takes in the newest view; another source begins anew."""
        if view.source is not self._info:
            self._take_source(view.source)
        if self._assistant is None or self._is_finished:
            return
        if view.status in (SourceStatus.PAUSED, SourceStatus.ENDED):
            self.advice.setText(PAUSED)
        elif view.status is SourceStatus.LOST:
            self.advice.setText(LOST)
            self.progress.setValue(0)  # what was measured counts no more, see LONGEST_GAP_S
        elif view.frame is not None and view.frame is not self._frame:
            self._frame = view.frame
            self._show_advice(self._assistant.take(view.frame))

    def hideEvent(self, event: QHideEvent) -> None:
        """Ends a measurement that nobody sees; a window that is minimized by the system keeps it."""
        if not event.spontaneous():
            self._open(self._info)
        super().hideEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Is hidden and can be opened again."""
        self.hide()
        event.accept()

    def _take_source(self, info: SourceInfo | None) -> None:
        """Begins anew, but keeps a finished measurement of a sensor that was lost or opened again."""
        if self._is_finished and info is None:  # it is being opened again, for another model
            return
        if self._is_finished and _is_same_sensor(info, self._info):
            self._info = info
        else:
            self._open(info)

    def _open(self, info: SourceInfo | None) -> None:
        """Shows what is known of a source, and waits for the button."""
        self._info, self._frame, self._assistant, self._is_finished = info, None, None, False
        self.source.setText(info.name if info is not None else "No source is open")
        self.advice.setText(BEGIN)
        self.progress.setValue(0)
        self.measure.setText("&Measure")
        self.measure.setEnabled(info is not None)
        self.keep.setEnabled(False)
        stored = self._show_known()
        found = stored.color_map if stored is not None else None
        if found is None and info is not None and info.color_map is not None:
            found = ColorMap(info.color_map)
        self._show_picture(_difference(found))

    def _start(self) -> None:
        if self._info is None:
            return
        own_map = ColorMap(self._info.color_map) if self._info.color_map is not None else None
        self._assistant = CalibrationAssistant(
            sensor_id=self._info.sensor_id, layout=self._info.layout, origin=self._info.name, color_map=own_map
        )
        self._frame, self._is_finished = None, False
        self.keep.setEnabled(False)
        self.measure.setText("&Measure again")
        self.advice.setText(BEGIN)
        self.progress.setValue(0)

    def _show_advice(self, advice: Advice) -> None:
        self.advice.setText(advice.text)
        self.progress.setValue(round(100 * advice.progress))
        if advice.step is Step.DONE and self._assistant is not None and self._info is not None:
            self._is_finished = True
            self.keep.setEnabled(bool(self._info.sensor_id))
            self._show_picture(self._found_picture(self._assistant))

    def _keep(self) -> None:
        if self._assistant is None:
            return
        try:
            path = self._assistant.save()
        except AppError as error:
            self.advice.setText(str(error))
            return
        except OSError as error:
            place = f" in {error.filename}" if error.filename else ""
            self.advice.setText(f"The calibration cannot be kept{place}: {error.strerror or error}.")
            return
        self.keep.setEnabled(False)
        self.advice.setText(f"Kept in {path}. It counts from now on.")
        self._show_known()
        self.saved.emit(f"The calibration of '{self._assistant.sensor_id}' was kept.")

    def _show_known(self) -> Calibration | None:
        """Fills in what is stored of the sensor; a damaged file is a sentence here, and calibrating mends it."""
        sensor_id = self._info.sensor_id if self._info is not None else ""
        stored, note = None, NO_SENSOR if self._info is not None and not sensor_id else NOTHING_KNOWN
        try:
            stored = store.load(sensor_id)
        except CalibrationError as error:
            note = str(error)
        facts = report.facts(stored) if stored is not None else {}
        self.note.setText(note)
        self.note.setVisible(stored is None)
        for name, (heading, value) in self.known.items():
            value.setText(facts.get(name, ""))
            heading.setVisible(name in facts)
            value.setVisible(name in facts)
        return stored

    def _found_picture(self, assistant: CalibrationAssistant) -> Picture | None:
        residuals, found = assistant.residuals, assistant.color_map
        if residuals is None or found is None:
            return _difference(found)
        title = "From the pixels of the joints to where the color map has them"
        return residual_picture(found, residuals.points, residuals.pixels, title=title)

    def _show_picture(self, drawn: Picture | None) -> None:
        self.drawing.setVisible(drawn is not None)
        self.caption.setVisible(drawn is not None)
        if drawn is None:
            return
        pixels = np.ascontiguousarray(drawn.pixels()[HEADER:])
        height, width, _ = pixels.shape
        image = QImage(pixels.data, width, height, 3 * width, QImage.Format_RGB888)
        pixmap = QPixmap.fromImage(image)  # a copy: the array may go
        self.drawing.setPixmap(pixmap.scaled(*PICTURE_SIZE, Qt.KeepAspectRatio, Qt.SmoothTransformation))
        self.caption.setText(f"{drawn.title}. {drawn.note}.")

    def _build(self) -> None:
        self.source, self.advice, self.caption = _label("", name="title"), _label(""), _label("", name="quiet")
        self.drawing, self.progress = QLabel(), QProgressBar()
        self.progress.setTextVisible(False)
        self.advice.setMinimumHeight(3 * self.advice.fontMetrics().lineSpacing())
        self.measure, self.keep, self.leave = QPushButton("&Measure"), QPushButton("&Save"), QPushButton("&Close")
        self.measure.clicked.connect(self._start)
        self.keep.clicked.connect(self._keep)
        self.leave.clicked.connect(self.close)
        panel = QFrame()
        panel.setObjectName("panel")
        rows = QFormLayout(panel)
        rows.setContentsMargins(14, 12, 14, 12)
        rows.setHorizontalSpacing(16)
        self.note = _label("", name="quiet")
        rows.addRow(self.note)
        self.known = {name: (_label(name, name="quiet"), _label("")) for name in report.FACTS}
        for heading, value in self.known.values():
            rows.addRow(heading, value)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.measure, self.keep, self.leave):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        for widget in (self.source, panel, self.drawing, self.caption, self.advice, self.progress):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.setFixedWidth(PICTURE_SIZE[0] + 36)


def _is_same_sensor(one: SourceInfo | None, other: SourceInfo | None) -> bool:
    """Whether both say which sensor they are, and are the same."""
    if one is None or other is None or not one.sensor_id:
        return False
    return (one.kind, one.sensor_id) == (other.kind, other.sensor_id)


def _difference(found: ColorMap | None) -> Picture | None:
    if found is None:
        return None
    return difference_picture(found, title="From the usual Kinect v2's color map to this sensor's, 2 m away")


def _label(text: str, *, name: str = "") -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.PlainText)  # a recording's names are no markup
    label.setTextInteractionFlags(Qt.TextSelectableByMouse)
    return label
