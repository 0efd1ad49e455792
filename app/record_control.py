"""The record switch: starts and stops a recording, and says what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QAction

from app.recording import new_recording, outcome
from app.session import Session
from live.view import RecordingView, Severity
from skeleton.errors import AppError


class RecordControl(QObject):
    """Connects the menu's switches with the session.

    Args:
        session: What is recorded.
        record: The switch that is on while a recording runs.
        video: Whether the color video is kept too; off whenever the app starts, because it shows faces.
        documents: Where the folder of recordings lies.
        notify: Shows a sentence to the user.
    """

    def __init__(
        self,
        session: Session,
        record: QAction,
        video: QAction,
        documents: Path,
        notify: Callable[[str, Severity], None],
    ) -> None:
        super().__init__(record)
        self.documents = documents
        self._session, self._record, self._video, self._notify = session, record, video, notify
        self._shown: RecordingView | None = None
        self._wants_video = self._lacks_video = False
        record.triggered.connect(self._switch)  # by a person: showing the state does not trigger

    def start(self, path: Path | None = None, *, with_video: bool = False) -> None:
        """Starts a recording; without a path it is named by date and time. What is wrong is shown."""
        try:
            self._session.record(path or new_recording(self.documents), with_video=with_video)
        except AppError as error:
            self._record.setChecked(False)
            self._notify(str(error), Severity.ERROR)
        else:
            self._wants_video = with_video

    def show(self, view: RecordingView | None, *, has_color: bool, is_replaced: bool) -> None:
        """Follows the recording, and tells once how it ended.

        Args:
            view: As it is now; None without one.
            has_color: Whether what is open now has a color picture.
            is_replaced: Whether something else was opened since the last call.
        """
        before, self._shown = self._shown, view
        is_running = view is not None and view.is_running
        goes_on = view is not None and is_running and before is not None and view.path == before.path
        self._record.setChecked(is_running)
        self._video.setEnabled(not is_running)
        if is_replaced and before is not None and before.is_running and not goes_on:
            self._notify(outcome(before, is_replaced=True, lacks_video=self._lacks_video), Severity.INFO)
        elif view is not None and view.is_closed and not (before is not None and before.is_closed):
            self._notify(outcome(view, lacks_video=self._wants_video and not has_color), Severity.INFO)
        self._lacks_video = self._wants_video and not has_color

    def _switch(self, is_on: bool) -> None:
        if is_on:
            self.start(with_video=self._video.isChecked())
        else:
            self._session.stop_recording()
