"""Makes the QApplication: past opencv's plugins, sharp on any screen, in our colors, with a font."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from PyQt5.QtCore import (
    QCoreApplication,
    QLibraryInfo,
    QLocale,
    QMessageLogContext,
    Qt,
    QtCriticalMsg,
    QtDebugMsg,
    QtFatalMsg,
    QtInfoMsg,
    QtMsgType,
    QtWarningMsg,
    qInstallMessageHandler,
)
from PyQt5.QtGui import QFontDatabase, QGuiApplication, QPalette
from PyQt5.QtWidgets import QApplication

from app import theme
from app.icons import window_icon
from app.painting import qcolor
from app.preflight import FONT_PACKAGE, install_command

LOGGER = logging.getLogger(__name__)
LEVELS = {
    QtDebugMsg: logging.DEBUG,
    QtInfoMsg: logging.INFO,
    QtWarningMsg: logging.WARNING,
    QtCriticalMsg: logging.ERROR,
    QtFatalMsg: logging.CRITICAL,
}
OPENCV_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
"""``import cv2`` sets these to the Qt plugins inside the opencv-python wheel, which another Qt cannot load."""


def make_application() -> QApplication:
    """Returns the one QApplication, made now or before."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    qInstallMessageHandler(_to_log)
    for name in OPENCV_VARIABLES:
        os.environ.pop(name, None)
    QCoreApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QCoreApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    # Windows has honest factors such as 1.25; X11 computes crooked ones (1.03) from the monitor's size, which blur.
    policies = Qt.HighDpiScaleFactorRoundingPolicy
    policy = policies.PassThrough if sys.platform == "win32" else policies.RoundPreferFloor
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(policy)
    QCoreApplication.setOrganizationName("kinect-action-recognition")
    QCoreApplication.setApplicationName("kinect-action-recognition")
    QLocale.setDefault(QLocale(QLocale.C))
    application = QApplication(sys.argv[:1])
    application.setApplicationDisplayName("Action recognition")
    application.setStyle("Fusion")
    application.setPalette(_palette())
    application.setStyleSheet(theme.style_sheet())
    application.setWindowIcon(window_icon())
    return application


def font_problem(application: QApplication) -> str:
    """Returns a sentence when this machine has no font, so that texts would be boxes; otherwise nothing."""
    del application  # Qt aborts when fonts are asked for before there is one
    if QFontDatabase().families():
        return ""
    return f"This machine has no fonts, so texts cannot be drawn. Install one: {install_command([FONT_PACKAGE])}"


def platform_problem() -> str:
    """Returns a sentence when ``QT_QPA_PLATFORM`` names no plugin of this Qt, which would abort; otherwise ''."""
    chosen = [one.split(":")[0] for one in os.environ.get("QT_QPA_PLATFORM", "").split(";")]
    folder = Path(QLibraryInfo.location(QLibraryInfo.PluginsPath)) / "platforms"
    names = sorted(file.stem.removeprefix("lib").removeprefix("q") for file in folder.glob("*q*"))
    if not names or any(name.startswith(one) for one in chosen for name in names):
        return ""
    return f"QT_QPA_PLATFORM must name one of {', '.join(names)}, but is {';'.join(chosen)!r}."


def _to_log(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    """Qt's own warnings belong into the log file; what it says before it aborts belongs on the terminal too."""
    LOGGER.log(LEVELS.get(kind, logging.WARNING), "Qt: %s", text)
    if kind == QtFatalMsg:
        print(f"Qt: {text}", file=sys.stderr)


def _palette() -> QPalette:
    palette = QPalette()
    for role, color in (
        (QPalette.Window, theme.BACKGROUND),
        (QPalette.WindowText, theme.TEXT),
        (QPalette.Base, theme.PANEL),
        (QPalette.AlternateBase, theme.RAISED),
        (QPalette.Text, theme.TEXT),
        (QPalette.Button, theme.RAISED),
        (QPalette.ButtonText, theme.TEXT),
        (QPalette.Highlight, theme.ACCENT),
        (QPalette.HighlightedText, theme.BACKGROUND),
        (QPalette.ToolTipBase, theme.RAISED),
        (QPalette.ToolTipText, theme.TEXT),
    ):
        palette.setColor(role, qcolor(color))
    return palette
