"""Qt without a screen, a window over a fake pipeline, and settings that nobody else has."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported anywhere

import pytest
from PyQt5.QtCore import QSettings
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from app.application import make_application
from app.main_window import MainWindow
from app.session import Choice, Session
from live.sources.table import SourceOptions
from tests.app.fakes import CARD, FakePipeline

PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def application() -> QApplication:
    """The one QApplication."""
    return make_application()


@pytest.fixture
def pipeline() -> FakePipeline:
    """What the window shows first."""
    return FakePipeline()


@pytest.fixture
def session(pipeline: FakePipeline) -> Session:
    """A session whose first pipeline is the fake one."""
    choice = Choice(kind="replay", source=SourceOptions(), model=Path("exercises.onnx"))
    return Session(lambda _: pipeline, lambda *_: CARD, choice)


@pytest.fixture
def window(
    application: QApplication, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    """An open window that has shown one view; a slot that raises fails the test instead of ending the tests."""
    raised: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: raised.append(error))
    window = MainWindow(session, QSettings(str(tmp_path / "settings.ini"), QSettings.IniFormat))
    session.start()
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, PATIENCE_MS)  # keys go to the active window
    window.tick()
    yield window
    window.close()
    assert raised == []


@pytest.fixture
def wait_until(application: QApplication) -> Callable[[Callable[[], bool]], None]:
    """Runs the event loop until a condition holds."""

    def wait(condition: Callable[[], bool]) -> None:
        waited = 0
        while not condition():
            assert waited < PATIENCE_MS, "the condition never held"
            QTest.qWait(10)
            waited += 10

    return wait
