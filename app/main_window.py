"""The window: puts the panels together, asks the session for a view after every decision, and forwards what is done.

What a view means is the presenter's business, what is open is the session's; this file only connects.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QMimeData, QSettings, QSize, QStandardPaths, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PyQt5.QtWidgets import QFileDialog, QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from app import theme
from app.banner import BannerStack
from app.event_file import write_events
from app.events import EventPanel
from app.menu import Menu
from app.options import MODELS
from app.picture import Picture
from app.presenter import Presenter, ended, events_of
from app.record_control import RecordControl
from app.recording import mark
from app.scores import ScorePanel
from app.session import Session
from app.status import StatusLine
from app.transport import TransportBar
from live.heat_kinds import HeatKind
from live.rhythm import LONGEST_WAIT_S, Interlude
from live.sources.base import Transport
from live.view import Banner, PipelineView, Severity
from skeleton.errors import AppError

if TYPE_CHECKING:
    from app.calibration_dialog import CalibrationDialog
    from app.comparison_dialog import ComparisonDialog

LOOK_MS = 4
"""How often the window looks whether there is something new to show."""
SOONEST_S, LATEST_S = 0.025, 0.05
"""From one tick to the next: at most 40 a second, however fast a recording plays, and 20 while nothing is decided.
While frames come a tick waits for news and until it fits, see ``Interlude``."""
USUAL_SIZE = (1280, 780)
TEXTS_EVERY_S = 0.25
SCORES_EVERY_S = 0.1
"""Numbers that change 30 times a second cannot be read, and cost as much as the picture."""
NOTICE_S = 8.0
"""How long a sentence of the window's own stays when nobody closes it."""
MODEL_SUFFIX = ".onnx"
KINECT_AWAITED = "What is open stays until the Kinect sends frames."
KINECT_IN_USE = "The Kinect is in use already; where it does not answer, the app tries again by itself."


class MainWindow(QMainWindow):
    """The app's one window.

    Args:
        session: What is open; the window closes it.
        settings: Where size and switches are remembered.
        clock: Seconds; a test's own, or the computer's.
    """

    reported = pyqtSignal(str)
    """A sentence to show, from any thread."""

    def __init__(self, session: Session, settings: QSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.session = session
        self.presenter = Presenter()
        self.view = PipelineView()
        self._settings, self._clock = settings, clock
        self._notices: dict[str, tuple[Banner, float]] = {}
        self._closed_banners: set[str] = set()
        self._due: dict[str, float] = {}
        self._drawn: tuple[PipelineView, object] | None = None
        self.calibration: CalibrationDialog | None = None
        self.comparison: ComparisonDialog | None = None
        self._revision = session.revision
        self._is_settled = False
        self._build()
        self.transport.begin_anew(speed=session.choice.source.speed)
        self._connect()
        self._restore()
        self._news, self._painting = -1, Interlude()
        self.timer = QTimer(self)
        self.timer.setTimerType(Qt.PreciseTimer)
        self.timer.setInterval(LOOK_MS)
        self.timer.timeout.connect(self._look)
        self.timer.start()

    def _look(self) -> None:
        """Ticks right after a decision: painting while the next one is being made would make both late."""
        news, rest_s, now_s = self.session.news, self.session.rest_s, self._clock()
        if self._painting.is_going_on:  # Qt paints what a tick changed before it looks at its timers again
            self._painting.end(now_s)
        latest_s = LATEST_S if math.isinf(rest_s) else LONGEST_WAIT_S
        is_due = self._painting.since_s(now_s) >= (latest_s if news == self._news else SOONEST_S)
        if is_due and self._painting.fits(rest_s, now_s):
            self._news = news
            self._painting.begin(now_s)
            self.tick()

    def tick(self) -> None:
        """Takes the newest view and shows it."""
        self.view = self.session.poll()
        is_replaced = self.session.revision != self._revision
        if is_replaced:
            self._revision = self.session.revision
            self.presenter = self.presenter.anew()
            self._closed_banners.clear()
            self._due.clear()
            self.transport.begin_anew(speed=self.session.choice.source.speed)
        if self.view.model is not None and not self._is_settled:
            # Everything big is loaded. Left among the garbage collector's oldest, it would be walked through for tens
            # of milliseconds every minute, in the middle of a frame.
            self._is_settled = True
            gc.freeze()
        self.presenter.take(self.view)
        self._show_picture()
        self.transport.show_state(self.presenter.transport(self.view), self.presenter.events)
        self.menu.show_transport(self.transport)
        self.menu.next_person.setEnabled(len(self.view.people) > 1)
        self.events.show_events(events_of(self.presenter.events))
        has_color = self.view.source is not None and self.view.source.color_size is not None
        self.recording.show(self.view.recording, has_color=has_color, is_replaced=is_replaced)
        if self.calibration is not None and self.calibration.isVisible():
            self.calibration.show_view(self.view)
        self._show_banners()
        if self._is_due("scores", SCORES_EVERY_S):
            self.scores.show_scores(self.presenter.scores(self.view))
        if self._is_due("texts", TEXTS_EVERY_S):
            self.status.show_texts(self.presenter.status(self.view))
            self._show_title()

    def notify(self, text: str, severity: Severity = Severity.ERROR) -> None:
        """Shows a sentence above the picture for a while."""
        self._notices[text] = (Banner(severity, text), self._clock() + NOTICE_S)
        while len(self._notices) > 8:
            self._notices.pop(next(iter(self._notices)))

    def open_file(self, path: Path, *, is_kept: bool = True) -> None:
        """Opens a model (by its suffix) or a recording; what is open stays until the new one has shown to work.

        Args:
            path: The file.
            is_kept: Whether the next dialog begins in its folder.
        """
        try:
            if path.suffix.lower() == MODEL_SUFFIX:
                self.session.open_model(path)
            else:
                self.session.open_recording(path)
        except (AppError, OSError) as error:
            self.notify(str(error))
            return
        if is_kept:
            self._settings.setValue("folder", str(path.parent))

    def show_heat(self, kind: HeatKind) -> None:
        """Switches the heat on, and what it shows."""
        self.menu.heat.setChecked(True)
        self.menu.heat_kind = kind

    def command(self, command: Transport) -> None:
        """Forwards a transport command."""
        self.session.command(command)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remembers the window and ends the threads."""
        self.timer.stop()
        gc.unfreeze()
        if self.calibration is not None:
            self.calibration.close()
        if self.comparison is not None:
            self.comparison.end()
        self._remember()
        self.session.close()
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Takes what holds a local file."""
        if _local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Opens the first local file of what is dropped."""
        for path in _local_files(event.mimeData())[:1]:
            self.open_file(path)

    def _build(self) -> None:
        self.setWindowTitle("Action recognition")
        self.setMinimumSize(*theme.SMALLEST_WINDOW)
        screen = QGuiApplication.primaryScreen().availableSize()
        self.resize(QSize(*USUAL_SIZE).boundedTo(screen))
        self.setAcceptDrops(True)
        self.banners, self.picture, self.transport = BannerStack(), Picture(), TransportBar()
        self.scores, self.events, self.status = ScorePanel(), EventPanel(), StatusLine()
        self.side = QWidget()
        self.side.setFixedWidth(theme.SIDE_PANEL_WIDTH)
        panels = _column(self.side, self.scores, self.events)
        panels.setStretch(1, 1)
        left = QWidget()
        _column(left, self.banners, self.picture, self.transport).setStretch(1, 1)
        middle = QHBoxLayout()
        middle.setSpacing(10)
        middle.addWidget(left, 1)
        middle.addWidget(self.side)
        root = QWidget()
        rows = QVBoxLayout(root)
        rows.setContentsMargins(12, 6, 12, 6)
        rows.setSpacing(8)
        rows.addLayout(middle, 1)
        rows.addWidget(self.status)
        self.setCentralWidget(root)
        self.menu = Menu(self)
        documents = Path(QStandardPaths.writableLocation(QStandardPaths.DocumentsLocation))
        self.recording = RecordControl(self.session, self.menu.record, self.menu.video, documents, self.notify)

    def _connect(self) -> None:
        self.reported.connect(self.notify)
        self.picture.clicked.connect(self._choose)
        self.scores.chosen.connect(self._choose)
        self.transport.commanded.connect(self.command)
        self.events.picked.connect(self._go_to)
        self.banners.closed.connect(self._close_banner)
        self.menu.model_chosen.connect(lambda name: self.open_file(MODELS[name], is_kept=False))
        self.menu.opened.connect(self._ask_for_file)
        self.menu.demo.triggered.connect(lambda: self.session.open_demo())
        self.menu.kinect.triggered.connect(self._use_kinect)
        self.menu.save.triggered.connect(self._ask_where_to_save)
        self.menu.play.triggered.connect(self.transport.toggle)
        self.menu.back.triggered.connect(lambda: self.transport.step(-1))
        self.menu.forward.triggered.connect(lambda: self.transport.step(1))
        self.menu.earlier.triggered.connect(lambda: self.transport.jump(is_on=False))
        self.menu.later.triggered.connect(lambda: self.transport.jump(is_on=True))
        self.menu.previous_event.triggered.connect(lambda: self.transport.go_to_event(is_next=False))
        self.menu.next_event.triggered.connect(lambda: self.transport.go_to_event(is_next=True))
        self.menu.slower.triggered.connect(lambda: self.transport.change_speed(-1))
        self.menu.faster.triggered.connect(lambda: self.transport.change_speed(1))
        self.menu.loop.triggered.connect(self.transport.toggle_loop)  # a state that is shown triggers nothing
        self.menu.calibrate.triggered.connect(self._show_calibration)
        self.menu.compare.triggered.connect(self._show_comparison)
        self.menu.heat.toggled.connect(self._switch)
        self.menu.heat_kind_changed.connect(self._switch)
        self.menu.labels.toggled.connect(self._switch)
        self.menu.mirror.toggled.connect(self._switch)
        self.menu.next_person.triggered.connect(self._choose_next)
        self.menu.close_message.triggered.connect(self._close_loudest_banner)
        self.menu.full_screen.toggled.connect(self._show_full_screen)

    def _show_picture(self) -> None:
        """Paints only what is new: a paused recording costs nothing."""
        view, look = self.view, self.presenter.look
        if self._drawn is None or look != self._drawn[1] or not _same_picture(view, self._drawn[0]):
            self._drawn = (view, look)
            self.picture.show_scene(self.presenter.scene(view))

    def _is_due(self, what: str, every_s: float) -> bool:
        now = self._clock()
        if now < self._due.get(what, now):
            return False
        self._due[what] = now + every_s
        return True

    def _switch(self) -> None:
        self.presenter.shows_heat = self.menu.heat.isChecked()
        self.presenter.heat_kind = self.menu.heat_kind
        self.session.explain(self.presenter.shows_heat and self.presenter.heat_kind is HeatKind.EVIDENCE)
        self.presenter.shows_labels = self.menu.labels.isChecked()
        self.presenter.is_mirrored = self.menu.mirror.isChecked()

    def _choose(self, person: int) -> None:
        self.presenter.choose(person or None, self.view)
        self._due.pop("scores", None)

    def _choose_next(self) -> None:
        """Goes on to the person with the next number, from the last one to the first."""
        scores = self.presenter.scores(self.view)
        if scores.people:
            later = [number for number in scores.people if number > (scores.person or 0)]
            self._choose((later or scores.people)[0])

    def _go_to(self, time_s: float) -> None:
        if self.presenter.transport(self.view).can_seek:
            self.command(Transport(seek_s=time_s))

    def _show_banners(self) -> None:
        now = self._clock()
        self._notices = {text: (one, end) for text, (one, end) in self._notices.items() if now < end}
        self._closed_banners &= {one.text for one in self.view.banners}  # the same trouble later is news
        running = [one for one in self.view.banners if one.text not in self._closed_banners]
        own = [one for one, _ in self._notices.values()]
        for problem in self.session.take_problems():
            self.notify(problem)
        self.banners.show_banners([*own, *running])
        self.menu.close_message.setEnabled(bool(self.banners.texts))

    def _close_banner(self, text: str) -> None:
        if self._notices.pop(text, None) is None:
            self._closed_banners.add(text)

    def _close_loudest_banner(self) -> None:
        if self.banners.texts:
            self._close_banner(self.banners.texts[0])
            self._show_banners()

    def _show_title(self) -> None:
        name = self.view.source.name if self.view.source else ""
        self.setWindowTitle(name or "Opening …")

    def _use_kinect(self) -> None:
        is_in_use = self.session.choice.kind == "kinect"
        self.notify(KINECT_IN_USE if is_in_use else KINECT_AWAITED, Severity.INFO)
        self.session.open_kinect()

    def _show_calibration(self) -> None:
        if self.calibration is None:
            from app.calibration_dialog import CalibrationDialog  # most runs never open it

            self.calibration = CalibrationDialog(self)
            self.calibration.saved.connect(self._use_calibration)
        self.calibration.show()
        self.calibration.raise_()

    def _show_comparison(self) -> None:
        if self.session.choice.kind != "replay":
            from app.comparison import ONLY_RECORDINGS

            self.notify(ONLY_RECORDINGS, Severity.INFO)
            return
        if self.comparison is None:
            from app.comparison_dialog import ComparisonDialog  # most runs never open it

            self.comparison = ComparisonDialog(self.session, parent=self)
        self.comparison.open_anew()

    def _use_calibration(self, sentence: str) -> None:
        self.session.recalibrate()
        self.notify(sentence, Severity.INFO)

    def _show_full_screen(self, is_full: bool) -> None:
        """Full screen is the picture alone, with the sentences above it; the keys work, F or Escape leads back."""
        for widget in (self.side, self.status, self.transport, self.menuBar()):
            widget.setVisible(not is_full)
        if is_full != self.isFullScreen():
            self.setWindowState(self.windowState() ^ Qt.WindowFullScreen)  # a window that fills the screen stays so

    def _ask_for_file(self, title: str, filters: str) -> None:
        folder = str(self._settings.value("folder", "") or "")
        name, _ = QFileDialog.getOpenFileName(self, title, folder, filters)
        if name:
            self.open_file(Path(name))

    def _ask_where_to_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save events", "events.csv", "Tables (*.csv)")
        if name:
            self.save_events(Path(name))

    def save_events(self, path: Path) -> None:
        """Writes the list of events as a table; those still going on end now."""
        now_s = self.presenter.transport(self.view).time_s
        try:
            write_events(path, [ended(event, at_s=now_s) for event in self.presenter.events])
        except OSError as error:
            self.notify(f"The events could not be saved to {path}: {error.strerror or error}.")
        else:
            kept, left_out = len(self.presenter.events), self.presenter.events_left_out
            what = f"the last {kept} of {kept + left_out} events" if left_out else f"{kept} events"
            self.notify(f"Saved {what} to {path}.", Severity.INFO)

    def _restore(self) -> None:
        geometry = self._settings.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        for name, action in self.menu.switches().items():
            action.setChecked(self._settings.value(name, action.isChecked(), type=bool))
        kept = self._settings.value("heat_kind", "")
        if kept in {kind.value for kind in HeatKind}:
            self.menu.heat_kind = HeatKind(kept)
        self._switch()

    def _remember(self) -> None:
        if not self.menu.full_screen.isChecked():
            self._settings.setValue("geometry", self.saveGeometry())
        for name, action in self.menu.switches().items():
            self._settings.setValue(name, action.isChecked())
        self._settings.setValue("heat_kind", self.menu.heat_kind.value)


def _same_picture(one: PipelineView, other: PipelineView) -> bool:
    """Whether two views look the same; arrays are compared by identity, because nobody changes them."""
    same_arrays = one.frame is other.frame and one.image is other.image and one.model is other.model
    same_mark = mark(one.recording) == mark(other.recording)
    same_people = (one.people, one.evidence) == (other.people, other.evidence)
    same_rest = (one.status, one.source) == (other.status, other.source)
    return same_arrays and same_mark and same_people and same_rest


def _local_files(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def _column(parent: QWidget, *widgets: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(10)
    for widget in widgets:
        column.addWidget(widget)
    return column
